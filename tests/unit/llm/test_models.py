"""Base models: folders with every kind of damage, and real downloads from a hub on this machine."""

import os
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from loramake.errors import ConfigError
from loramake.llm.models import check_model
from tests.conftest import ROOT
from tests.hub import Hub, serving

pytest.importorskip("huggingface_hub", reason="needs the training extra")

TINY = ROOT / "models/tiny"
CANARY = "hf_CanaryCanaryCanary"
FETCH = """
import sys
from loramake.console import step
from loramake.llm.models import fetch_model
with step(sys.argv[1]):
    print(fetch_model(sys.argv[2], weights=len(sys.argv) < 4))
assert "torch" not in sys.modules
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A copy of the tiny base, without its card, that a test may break."""
    names = ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors")
    (tmp_path / "base").mkdir()
    for name in names:
        shutil.copy(TINY / name, tmp_path / "base")
    return tmp_path / "base"


def fetch(hub_url: str, folder: Path, *arguments: str, **variables: str) -> tuple[str, str]:
    """Download in a process of its own: (what it printed, what it said), nothing of which may hold the token."""
    environment = {**os.environ, "HF_ENDPOINT": hub_url, "HF_HOME": str(folder / "hf"), "HF_TOKEN": CANARY, **variables}
    command = [sys.executable, "-c", FETCH, str(folder / "log"), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    for text in (done.stdout, done.stderr, (folder / "log").read_text(encoding="utf-8")):
        assert CANARY not in text
    return done.stdout.strip(), done.stderr.strip()


def test_a_whole_folder_and_a_hub_id_pass() -> None:
    check_model(str(TINY))
    check_model("Qwen/Qwen2.5-0.5B-Instruct")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("config.json", "has no config.json: name a folder that save_pretrained wrote, or a hub id"),
        ("model.safetensors", r"has no weights \(model.safetensors\)"),
    ],
)
def test_a_folder_that_lacks_a_file_is_refused_by_its_name(model: Path, name: str, sentence: str) -> None:
    (model / name).unlink()
    with pytest.raises(ConfigError, match=sentence):
        check_model(str(model))


def test_a_folder_without_a_tokenizer_is_refused(model: Path) -> None:
    for path in model.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(ConfigError, match=r"has no tokenizer \(tokenizer.json\)"):
        check_model(str(model))


def test_an_adapter_is_no_base_model(model: Path) -> None:
    (model / "config.json").rename(model / "adapter_config.json")
    with pytest.raises(ConfigError, match="is an adapter, not a base model"):
        check_model(str(model))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model-Q4_K_M.gguf"])
def test_weights_in_another_format_are_refused_by_their_name(model: Path, name: str) -> None:
    (model / "model.safetensors").rename(model / name)
    with pytest.raises(ConfigError, match=f"has its weights as {name}, and only safetensors are read"):
        check_model(str(model))


def test_a_shard_that_the_index_names_must_be_there_and_whole(model: Path) -> None:
    (model / "model.safetensors").rename(model / "model-00001-of-00002.safetensors")
    index = '{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}'
    (model / "model.safetensors.index.json").write_text(index, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"model-00002-of-00002\.safetensors, which .* names, does not exist"):
        check_model(str(model))
    shutil.copy(model / "model-00001-of-00002.safetensors", model / "model-00002-of-00002.safetensors")
    check_model(str(model))
    (model / "model.safetensors.index.json").write_text('{"weight_map": ', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"index\.json is damaged"):
        check_model(str(model))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ((TINY / "model.safetensors").read_bytes()[:-1], r"is cut off \(.* bytes, its header says"),
        ((TINY / "model.safetensors").read_bytes()[:100], "is not a safetensors file, or is damaged"),
        (b"", "is not a safetensors file, or is damaged"),
        (struct.pack("<Q", 2**60) + b"{}", "is not a safetensors file, or is damaged"),
        (struct.pack("<Q", 2) + b"[]", "is not a safetensors file, or is damaged"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", "Git LFS pointer.*git lfs pull"),
    ],
)
def test_damaged_weights_are_told_from_their_header(model: Path, content: bytes, sentence: str) -> None:
    (model / "model.safetensors").write_bytes(content)
    with pytest.raises(ConfigError, match=sentence):
        check_model(str(model))


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    old = tmp_path_factory.mktemp("old")
    shutil.copy(TINY / "config.json", old)
    (old / "pytorch_model.bin").write_bytes(b"x")
    with serving({"acme/tiny": TINY, "acme/gated": TINY, "acme/old": old}, gated=("acme/gated",)) as hub:
        yield hub


def test_a_hub_model_is_downloaded_once_with_its_progress_and_serves_when_the_hub_is_gone(
    hub: Hub, tmp_path: Path
) -> None:
    hub.asked.clear()
    folder, said = fetch(hub.url, tmp_path, "acme/tiny", "tokenizer only")
    assert "downloading acme/tiny: 1 of 1 MB" in said
    assert not (Path(folder) / "model.safetensors").exists()
    folder, said = fetch(hub.url, tmp_path, "acme/tiny")
    assert "downloading acme/tiny: 6 of 6 MB" in said
    assert (Path(folder) / "model.safetensors").read_bytes() == (TINY / "model.safetensors").read_bytes()
    assert not (Path(folder) / "README.md").exists()
    assert {token for _, path, token in hub.asked if "resolve" in path} == {f"Bearer {CANARY}"}
    downloads = [path for method, path, _ in hub.asked if method == "GET" and "resolve" in path]
    assert len(downloads) == len(set(downloads))
    again, said = fetch(closed(), tmp_path, "acme/tiny")
    assert again == folder
    assert "the hub does not serve acme/tiny" in said
    assert fetch(hub.url, tmp_path, "acme/tiny", HF_HUB_OFFLINE="1") == (folder, "")


def closed() -> str:
    """The address of a port that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.mark.parametrize(
    ("model", "variables", "sentence"),
    [
        ("acme/gated", {}, "acme/gated is gated: accept its licence at https://huggingface.co/acme/gated and set the"),
        ("acme/gated", {"HF_TOKEN": ""}, "acme/gated is gated: accept its licence"),
        ("acme/none", {}, "acme/none is not on the hub, or is private: check the id"),
        ("acme/not an id", {}, "is not on the hub"),
        ("acme/old", {}, "acme/old has its weights as pytorch_model.bin, and only safetensors are read"),
        ("acme/tiny", {"HF_ENDPOINT": "closed"}, "the hub cannot be reached for the model acme/tiny"),
        ("acme/tiny", {"HF_ENDPOINT": "http://hub.invalid"}, "the hub cannot be reached for the model acme/tiny"),
        ("acme/tiny", {"HF_HUB_OFFLINE": "1"}, "the hub cannot be reached for the model acme/tiny"),
    ],
)
def test_a_download_that_fails_is_one_sentence_with_the_way_on(
    hub: Hub, tmp_path: Path, model: str, variables: dict[str, str], sentence: str
) -> None:
    if variables.get("HF_ENDPOINT") == "closed":
        variables = {"HF_ENDPOINT": closed()}
    printed, said = fetch(hub.url, tmp_path, model, **variables)
    assert printed == ""
    assert sentence in said.splitlines()[-1]
    assert "Traceback" not in said


def test_a_model_larger_than_the_disk_is_refused_before_its_download(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "hf").mkdir()
    script = f'mount -t tmpfs -o size=3m none {tmp_path / "hf"} && exec "$@"'
    wrapped = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]
    if shutil.which("unshare") is None or subprocess.run([*wrapped, "true"], check=False).returncode != 0:
        pytest.skip("needs user namespaces")
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf")}
    command = [*wrapped, sys.executable, "-c", FETCH, str(tmp_path / "log"), "acme/tiny"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "acme/tiny needs 6 MB and the disk of" in done.stderr
    assert "set the environment variable HF_HOME to a folder with more" in done.stderr
