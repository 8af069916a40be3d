"""A base model's folder from somebody else runs nothing and sets no more than how it is trained and read.

Every payload touches a file; a control shows, where one can be had, that it would.
"""

# ruff: noqa: E402 - imports wait for importorskip

import itertools
import json
import shutil
import struct
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

torch = pytest.importorskip("torch", reason="needs the training extra")

from loramake.config import read_card, resolve
from loramake.errors import ConfigError, LoramakeError
from loramake.llm.chat_templates import check_chat_template
from loramake.llm.encoding import load_encoder
from loramake.llm.models import check_model
from loramake.llm.scorer import load_scorer
from tests.conftest import ROOT

TINY = ROOT / "models/tiny"
CARD = yaml.safe_load((TINY / "README.md").read_text(encoding="utf-8").split("---\n", 2)[1])["loramake"]
SECONDS = 30
"""In which anything is refused; what they are here for took minutes or for ever."""

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A copy of the tiny base, without its card."""
    folder = tmp_path / "base"
    shutil.copytree(TINY, folder, ignore=shutil.ignore_patterns("README.md"))
    return folder


@pytest.fixture
def touched(tmp_path: Path) -> Path:
    """The file that a payload makes."""
    return tmp_path / "touched"


def change(path: Path, **keys: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **keys}), encoding="utf-8")


def write_card(folder: Path, text: str) -> Path:
    (folder / "README.md").write_text(f"---\n{text}\n---\n# A model\n", encoding="utf-8")
    return folder


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def settings_of(model: Path) -> dict[str, Any]:
    return resolve({}, "exp", {"csv": "x.csv", "model": str(model)})


@pytest.mark.parametrize(
    "setting",
    [
        "trust_remote_code: true", "sandbox: none", "review: approve", "agent: openai", "agent_api_base: 'http://x/v1'",
        "agent_sees: samples", "agent_model: m", "csv: /etc/passwd", "test_csv: x", "model: other", "precision: fp16",
        "flash_attn: fa2", "quantization_bit: 4", "seed: 1", "balance: oversample", "save_total_limit: 1000000",
        "save_steps: 1", "target: t", "extra_training_args: {deepspeed: x.json}", "requirements: {}", "experiments: {}",
    ],
)  # fmt: skip
def test_a_card_may_not_set_what_is_the_users_to_set(model: Path, setting: str) -> None:
    write_card(model, f"loramake:\n  settings: {{{setting}}}")
    name = setting.partition(":")[0]
    with pytest.raises(ConfigError, match=rf"README\.md: a base model's card may not set {name}, only how rows"):
        settings_of(model)


def test_a_card_sets_formats_and_training_and_text_is_read_as_numbers(model: Path) -> None:
    write_card(model, "loramake:\n  settings: {learning_rate: 1e-3, template: qwen, additional_target: 'embed_tokens'}")
    settings = settings_of(model)
    assert (settings["learning_rate"], settings["template"]) == (1e-3, "qwen")
    assert settings["additional_target"] == "embed_tokens"
    assert (settings["trust_remote_code"], settings["sandbox"]) == (False, "auto")
    assert read_card(str(TINY)) == CARD


@pytest.mark.parametrize(
    "text",
    [
        "loramake: [1]",
        "loramake: {settings: [1]}",
        "loramake: {sandbox: none}",
        "loramake: {settings: {lora_rank: 1000000000}}",
        "loramake: {settings: {num_train_epochs: .inf}}",
        "loramake: {settings: {lora_target: '${oc.env:OPENAI_API_KEY}'}}",
        f"loramake: {{settings: {{lora_rank: {'1' * 5000}}}}}",
        "loramake: {missing_token: 2020-13-45}",
        "loramake: {feature_format: '{value.__class__}'}",
        "loramake: {feature_format: '{value:>99999999999}'}",
        "loramake: {feature_format: '{value[0]}{name!r}'}",
        "loramake: {instruction: '{labels:>99999999999}'}",
        "loramake: {label_format: {kind: tokens, labels: 9, token: '{:>9999999999}'}}",
        "loramake: {number_format: {kind: bins, bins: 99999999, token: '{}'}}",
        'loramake: {instruction: "\\ud800"}',
        f"loramake: {{instruction: {'x' * 3000}}}",
        f"loramake: {'[' * 60_000}",
        f"loramake: {{a: {'x' * 70_000}}}",
        "loramake: {a: b: c}",
    ],
)
def test_a_card_that_cannot_be_used_is_one_sentence(model: Path, text: str) -> None:
    write_card(model, text)
    started = time.monotonic()
    with pytest.raises(ConfigError, match=r"README\.md: ") as refused:
        settings_of(model)
    assert len(str(refused.value)) < 1000
    assert "\n" not in str(refused.value)
    assert time.monotonic() - started < SECONDS


def test_a_card_that_grows_when_it_is_read_is_not_read(model: Path) -> None:
    names = "abcdefghijklmnopqrstuvwxyz"
    grown = [f"{name}: &{name} [*{before}, *{before}]" for before, name in itertools.pairwise(names)]
    write_card(model, "\n".join(["a: &a [1, 1]", *grown, "loramake: {missing_token: *z}"]))
    with pytest.raises(ConfigError, match=r"README\.md: its front matter .*: more than 50,000 values"):
        settings_of(model)


@pytest.mark.parametrize("text", ["{broken", "a: [", "x" * 100_000, "- list"])
def test_front_matter_that_is_not_for_loramake_is_none_of_its_business(model: Path, text: str) -> None:
    assert read_card(str(write_card(model, text))) == {}


def with_code(model: Path, touched: Path) -> None:
    """Code of the model's own, as a tokenizer and a configuration name it."""
    code = f"import pathlib\npathlib.Path({str(touched)!r}).touch()\n"
    code += "from transformers import PretrainedConfig, PreTrainedTokenizerFast\n"
    code += "class Own(PretrainedConfig):\n    model_type = 'own'\nclass OwnTokenizer(PreTrainedTokenizerFast): pass\n"
    (model / "own.py").write_text(code, encoding="utf-8")
    change(model / "tokenizer_config.json", auto_map={"AutoTokenizer": [None, "own.OwnTokenizer"]})


def test_the_code_of_a_tokenizer_is_not_run_unless_the_user_says_so(model: Path, touched: Path) -> None:
    with_code(model, touched)
    check_model(str(model))
    assert load_encoder(str(model), None).label_ids("<c0>")
    assert not touched.exists()
    change(model / "tokenizer_config.json", tokenizer_class="OwnTokenizer")
    assert load_encoder(str(model), None).label_ids("<c0>")  # transformers has a tokenizer for such a model
    assert not touched.exists()
    load_encoder(str(model), None, trust_remote_code=True)
    assert touched.exists()


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_a_model_that_needs_code_of_its_own_is_refused_by_the_file_that_says_so(
    model: Path, touched: Path, file: str
) -> None:
    with_code(model, touched)
    change(model / "config.json", model_type="own")
    change(model / "tokenizer_config.json", tokenizer_class="OwnTokenizer")
    if file == "config.json":
        change(model / file, auto_map={"AutoConfig": "own.Own"})
    for load in (check_model, lambda name: load_encoder(name, None), lambda name: load_scorer(scoring(name))):
        with pytest.raises(ConfigError, match=rf"base/{file} asks for code of its own.*trust_remote_code: true"):
            load(str(model))
    assert not touched.exists()
    check_model(str(model), trust_remote_code=True)


def scoring(model: str) -> dict[str, Any]:
    return {"model_name_or_path": model, "cutoff_len": 128}


def test_transformers_own_refusal_says_what_to_do(model: Path, touched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_code(model, touched)
    change(model / "config.json", model_type="own", auto_map={"AutoConfig": "own.Own"})
    change(model / "tokenizer_config.json", tokenizer_class="OwnTokenizer")
    monkeypatch.setattr("loramake.llm.models._has_transformers", lambda *_: True)
    with pytest.raises(LoramakeError, match=r"base needs its own code to be loaded, which is not run"):
        load_encoder(str(model), None)
    with pytest.raises(LoramakeError, match=r"base needs its own code to be loaded, which is not run"):
        load_scorer(scoring(str(model)))
    assert not touched.exists()


def test_kernels_that_a_model_names_are_not_downloaded(model: Path) -> None:
    change(model / "config.json", text_config={"_attn_implementation": "acme/kernel"})
    with pytest.raises(ConfigError, match=r"config\.json asks for kernels to download and run \(attn_implementation\)"):
        load_scorer(scoring(str(model)))


def test_pickled_weights_are_refused_by_their_name(model: Path, touched: Path) -> None:
    torch.save(Touch(touched), model / "pytorch_model.bin")
    load_scorer(scoring(str(model)))  # beside safetensors, which are what is loaded
    assert not touched.exists()
    (model / "model.safetensors").rename(model / "adapter_model.bin")
    (model / "pytorch_model.bin").replace(model / "adapter_model.bin")
    with pytest.raises(ConfigError, match=r"has its weights as adapter_model\.bin, and only safetensors are read"):
        load_scorer(scoring(str(model)))
    shutil.copy(TINY / "model.safetensors", model)
    change(model / "config.json", transformers_weights="adapter_model.bin")
    with pytest.raises(ConfigError, match=r"config\.json names its weights \(transformers_weights\)"):
        load_scorer(scoring(str(model)))
    assert not touched.exists()
    torch.load(model / "adapter_model.bin", weights_only=False)
    assert touched.exists()


def test_an_adapter_in_the_bases_folder_is_not_loaded_over_it(model: Path) -> None:
    (model / "adapter_config.json").write_text('{"base_model_name_or_path": "elsewhere"}', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"base/adapter_config\.json lies beside a base model"):
        load_scorer(scoring(str(model)))


@pytest.mark.parametrize("shard", ["../outside.safetensors", "/etc/passwd", "weights.bin", "a/b.safetensors"])
def test_an_index_names_safetensors_of_its_own_folder_only(model: Path, shard: str) -> None:
    (model / "model.safetensors").rename(model.parent / "outside.safetensors")
    (model / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": shard}}), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"index\.json names '.*', and only safetensors in its own folder"):
        load_scorer(scoring(str(model)))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", b"[" * 200_000),
        ("config.json", b'{"a": [' + b"[]," * 6_000_000 + b"[]]}"),
        ("tokenizer_config.json", b"[]"),
        ("model.safetensors", struct.pack("<Q", 200_000) + b"[" * 200_000),
        ("model.safetensors", struct.pack("<Q", 20_000_000) + b'{"__metadata__": "' + b"x" * 19_999_980 + b'"}'),
    ],
    ids=["deep", "long", "list", "deep header", "long header"],
)
def test_files_that_only_take_time_are_refused_by_name(model: Path, name: str, content: bytes) -> None:
    (model / name).write_bytes(content)
    started = time.monotonic()
    with pytest.raises(ConfigError, match=rf"base/{name}"):
        check_model(str(model))
    assert time.monotonic() - started < SECONDS


TOUCH = "{{ cycler.__init__.__globals__.os.popen('touch TOUCHED').read() }}"


@pytest.mark.parametrize(
    "template",
    [
        TOUCH,
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.__class__.__base__.__subclasses__() }}",
        "{{ raise_exception.__globals__['__builtins__']['open']('TOUCHED', 'w') }}",
    ],
)
@pytest.mark.parametrize("file", ["tokenizer_config.json", "chat_template.jinja"])
def test_a_chat_template_does_not_reach_python(model: Path, touched: Path, file: str, template: str) -> None:
    template = template.replace("TOUCHED", str(touched))
    if file == "tokenizer_config.json":
        (model / "chat_template.jinja").unlink(missing_ok=True)
        change(model / file, chat_template=template)
    else:
        (model / file).write_text(template, encoding="utf-8")
    with pytest.raises(ConfigError, match="template: the chat template cannot be used"):
        load_encoder(str(model), None)
    assert not touched.exists()


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}{{ 'x' * 99999 }}{% endfor %}",
        "{{ 'x' * 10**12 }}",
        "{{ '%99999999999d' % 1 }}",
    ],
)
def test_a_chat_template_without_end_is_ended(model: Path, template: str) -> None:
    (model / "chat_template.jinja").write_text(template, encoding="utf-8")
    started = time.monotonic()
    with pytest.raises(ConfigError, match=r"template: the chat template in .*base takes more than 5 s or 512 MiB"):
        load_encoder(str(model), None)
    assert time.monotonic() - started < 3 * SECONDS


def test_a_chat_template_cannot_tell_the_trial_by_its_filters(model: Path) -> None:
    loops = "{% for a in range(99999) %}" * 3 + "{% endfor %}" * 3
    for told in (
        "[1] | tojson(indent=2) != '[1]'",
        '{"b": "é", "a": 1} | tojson(sort_keys=true, ensure_ascii=true) != ""',
    ):
        (model / "chat_template.jinja").write_text(f"{{% if {told} %}}{loops}{{% endif %}}", encoding="utf-8")
        with pytest.raises(ConfigError, match="takes more than 5 s or 512 MiB"):
            load_encoder(str(model), None)


def test_the_templates_that_models_have_are_let_through() -> None:
    check_chat_template("{% generation %}{{ messages[0].content | tojson }}{% endgeneration %}{% break %}", "here")
    check_chat_template("{% for m in messages %}{{ strftime_now('%Y') ~ bos }}{% continue %}{% endfor %}", "here")
    check_chat_template("{{ raise_exception('no system text') }}", "here")
