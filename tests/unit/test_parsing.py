"""Nasty files, through every reader of JSON and YAML: one sentence that names the file, in moments."""

import ast
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from loramake import artifacts
from loramake.config import check_config, read_card, read_config
from loramake.errors import ArtifactError, ConfigError, LoramakeError
from loramake.experiments import CommandLine, read_command_line
from loramake.feedback import read_feedback
from loramake.llm.encoding import _folder_has_chat_template
from loramake.parsing import MIB, ParsingError, limited, read_bytes, yaml_text
from loramake.parsing.json_text import LONGEST_LINE, parse_json, parse_json_lines
from loramake.parsing.yaml_text import parse_yaml
from loramake.report.report import read_history
from loramake.review.approval import Approval, Question, forget_reviews
from loramake.review.changes import FeedbackContext, parse_feedback
from loramake.serving.columns import Columns
from loramake.serving.new_rows import open_json_lines, open_objects
from loramake.serving.resumable import parse_state
from loramake.settings import coerce
from loramake.tables.readings import Reading
from loramake.workflow.preflight import _last_target
from loramake.workflow.run import Run
from tests.conftest import ROOT

MOST_SECONDS = 20
"""What is refused takes well below one; what these limits are for takes minutes."""
LONGEST_SENTENCE = 700

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
DEEP_ALIASES = "a: &a " + "[" * 60 + "x" + "]" * 60 + "\nb: &b " + "[" * 60 + "*a" + "]" * 60 + "\n"

YAML: dict[str, tuple[str | bytes, str]] = {
    "billion laughs": (LAUGHS, "line [56]: more than 50,000 values"),
    "deep by aliases": (DEEP_ALIASES, "line 2: it is nested more than 64 levels deep"),
    "repeats itself": ("a: &a\n  b: [*a]\n", "line 2: an alias is inside what it repeats"),
    "merges itself": ("a: &a\n  <<: *a\n", "line 2: an alias is inside what it repeats"),
    "no such anchor": ("a: *b\n", "line 1: found undefined alias"),
    "an impossible date": ("a: 1\nb: 2024-02-30\n", "line 2: '2024-02-30' is not a timestamp: quote it"),
    "5,000 digits": ("a: " + "1" * 5_000, "line 1: a number of 5,000 characters"),
    "1 MB of sixties": ("a: 1" + ":1" * 400_000, "line 1: a number of 800,001 characters"),
    "a float of no value": ("a: !!float x\n", "line 1: 'x' is not a float: quote it"),
    "a truth of no value": ("a: !!bool x\n", "line 1: 'x' is not a bool: quote it"),
    "deep brackets": ("a: " + "[" * 500 + "]" * 500, "line 1: it is nested more than 64 levels deep"),
    "100,000 brackets": ("[" * 100_000, "line 1: .* nesting depth"),
    "deep blocks": ("".join(" " * depth + "a:\n" for depth in range(900)), "line 65: it is nested more than 64"),
    "deep dashes": ("- " * 50_000, "line 1: it is nested more than 64 levels deep"),
    "many values": ("a: [" + "1," * 200_000 + "]", "line 1: more than 50,000 values"),
    "no UTF-8": (b"a: 1\nb: \xff\xfe\n", "line 2: it is not text in UTF-8"),
    "NUL": ("a: 1\nb: x\0y\n", r"line 2: the character U\+0000 is not allowed in YAML"),
    "an object of Python": ("a: !!python/object/apply:os.system [ls]\n", "line 1: the tag python/object/apply:os.s"),
    "bytes": ("a: !!binary aGk=\n", "line 1: the tag binary is not accepted here"),
    "twice": ("notes: []\na: {b: 1, b: 2}\n", "line 2: the key 'b' appears twice, first in line 2"),
    "a list as a key": ("? [a, b]\n: c\n", "line 1: a list or a mapping is used as a key"),
    "not closed": ("a: [1", "line 1: while parsing a flow sequence"),
    "two documents": ("a: 1\n---\nb: 1\n", "line 2: expected a single document"),
}
"""By name, what a file says, and what is wrong with it."""

JSON: dict[str, tuple[str | bytes, str]] = {
    "nothing": ("", r"Expecting value|contains no object"),
    "no JSON": ("{'a': 1}", "Expecting property name"),
    "deep lists": ("[" * 1_000 + "]" * 1_000, "nested more than 64 levels deep"),
    "100,000 brackets": ("[" * 100_000, r"nested more than 64 levels deep|lists and mappings"),
    "deep mappings": ('{"a":' * 100 + "1" + "}" * 100, "nested more than 64 levels deep"),
    "5,000 digits": ('{"a": ' + "1" * 5_000 + "}", "a number of 5,000 digits"),
    "a float of 5,000 digits": ('{"a": 0.' + "1" * 5_000 + "}", "a number that is out of range"),
    "infinite": ('{"a": 1e999}', "a number that is out of range"),
    "no UTF-8": (b'{"a": "\xff"}', "line 1: it is not text in UTF-8|is not written in UTF-8"),
    "half a character": ('{"a": "\\ud800"}', "it contains a lone surrogate, which is not text"),
}

COLUMNS = Columns(features=("a",), others=(), target="y", readings={"a": Reading("categorical")})
CONFIG = {"model_name_or_path": "m"}


def written(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def refusal(read: Callable[[], Any], pattern: str | None = None) -> str:
    """The sentence with which a reader refuses, which has to be short and to come soon."""
    started = time.monotonic()
    with pytest.raises(LoramakeError, match=pattern) as raised:
        read()
    assert time.monotonic() - started < MOST_SECONDS
    sentence = str(raised.value)
    assert "\n" not in sentence
    assert len(sentence) < LONGEST_SENTENCE
    return sentence


def approval(path: Path, history: Path) -> Approval:
    known = FeedbackContext([], [], reads_notes=False)
    folder = path.parent.parent
    return Approval(Question("data", [written(folder / "f", "x")], known, {"approve": {}}), path, {}, history)


YAML_READERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "config": ("config.yaml", read_config),
    "feedback": ("feedback/plan.yaml", read_feedback),
    "feedback that is looked at before a run": (
        "results/exp/feedback/plan.yaml",
        lambda path: Run("exp", path.parents[3], [], {}, False)._feedback(),
    ),
    "approval": (
        "feedback/approve_data.yaml",
        lambda path: approval(path.parents[1] / "review/data.json", path)._read_file(),
    ),
    "plan": ("plan.yaml", lambda path: artifacts.read(path, "plan")),
    "configuration": ("train.yaml", lambda path: artifacts.read(path, "lmf_config")),
}


@pytest.mark.parametrize("reader", YAML_READERS)
@pytest.mark.parametrize("name", YAML)
def test_nasty_yaml_is_refused_in_one_sentence(name: str, reader: str, tmp_path: Path) -> None:
    content, reason = YAML[name]
    file, read = YAML_READERS[reader]
    if reader in ("plan", "configuration"):  # a wide table's plan is larger than anybody's settings
        reason = ".*" if "50,000" in reason else reason
    path = written(tmp_path / file, content)
    assert str(path) in refusal(lambda: read(path), reason)


@pytest.mark.parametrize("name", [name for name in YAML if name not in ("no UTF-8", "not closed", "two documents")])
def test_nasty_yaml_in_a_models_card_is_refused_in_one_sentence(name: str, tmp_path: Path) -> None:
    content, _ = YAML[name]
    card = written(tmp_path / "README.md", f"---\nloramake:\n{content if isinstance(content, str) else ''}\n---\n")
    assert str(card) in refusal(lambda: read_card(str(tmp_path)))


@pytest.mark.parametrize("name", [name for name, (content, _) in YAML.items() if isinstance(content, str)])
def test_nasty_yaml_that_is_pasted_or_given_on_the_command_line_is_no_setting(name: str) -> None:
    content = str(YAML[name][0])
    flow = f"{{{content}}}"
    started = time.monotonic()
    for key in ("costs", "extra_training_args"):
        assert isinstance(coerce(key, flow), str)
    assert coerce("audit_columns", flow) is not None
    with pytest.raises(ConfigError):
        parse_feedback(flow, FeedbackContext(["a"], ["0", "1"], reads_notes=False))
    assert time.monotonic() - started < MOST_SECONDS


def test_a_card_that_does_not_speak_of_loramake_is_not_parsed(tmp_path: Path) -> None:
    written(tmp_path / "README.md", "---\nlicense: mit\nlicense: mit\n---\n# A model\n")
    assert read_card(str(tmp_path)) == {}


@pytest.mark.parametrize("card", ["loramake: [1]", "loramake: {settings: [1]}", "- loramake"])
def test_a_card_of_another_shape_is_no_traceback(card: str, tmp_path: Path) -> None:
    written(tmp_path / "README.md", f"---\n{card}\n---\n")
    assert "of keys to values" in refusal(lambda: read_card(str(tmp_path)), "not (a )?mappings?")


def test_a_file_of_settings_that_is_huge_is_refused_unread(tmp_path: Path) -> None:
    path = written(tmp_path / "config.yaml", "csv: " + "x" * 2 * MIB)
    assert "is larger than 1 MiB" in refusal(lambda: read_config(path), "config.yaml is not valid YAML")


def test_one_huge_scalar_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = written(tmp_path / "config.yaml", "csv: " + "x" * 1_000_000)
    assert "csv: it has 1,000,000 characters: write at most 100,000" in refusal(lambda: read_config(path))
    path = written(tmp_path / "config.yaml", "? " + "x" * 1_000_000 + "\n: 1")
    assert "is not a setting" in refusal(lambda: read_config(path))
    path = written(tmp_path / "config.yaml", "csv: " + "x" * 5_000)
    assert "cannot be a path" in refusal(lambda: read_config(path))


def test_a_value_that_snakemake_has_read_is_bounded_too() -> None:
    laughs: Any = ["x"] * 10
    for _ in range(9):
        laughs = [laughs] * 10
    refusal(lambda: check_config({"costs": {"a": laughs}}, "--config"), "--config: costs: it contains more than 50,000")
    deep: Any = {}
    for _ in range(500):
        deep = {"a": deep}
    refusal(lambda: check_config({"costs": deep}, "--config"), "--config: costs: it is nested more than 64")
    many = {str(label): {str(other): "x" for other in range(100)} for label in range(400)}
    refusal(lambda: check_config({"costs": many}, "config.yaml"), "costs: ")


def test_ordinary_anchors_and_merge_keys_work(tmp_path: Path) -> None:
    text = """
    experiments:
      first: &first
        csv: a.csv
        lora_rank: 4
      second:
        <<: *first
        lora_rank: 8
      third: {<<: [*first], target: y}
    """
    read = read_config(written(tmp_path / "config.yaml", text))["experiments"]
    assert read["second"] == {"csv": "a.csv", "lora_rank": 8}
    assert read["third"] == {"csv": "a.csv", "lora_rank": 4, "target": "y"}


@pytest.mark.parametrize("has_libyaml", [True, False])
def test_with_and_without_libyaml_yaml_means_what_pyyaml_says(
    has_libyaml: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_libyaml:
        loader = type("Loader", (yaml_text._Limits, yaml.SafeLoader), {"__init__": yaml_text._Loader.__init__})
        monkeypatch.setattr(yaml_text, "_PARSER", yaml.SafeLoader)
        monkeypatch.setattr(yaml_text, "_Loader", loader)
    for path in (ROOT / "config.yaml", *(ROOT / "schemas").glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        assert parse_yaml(text) == yaml.safe_load(text)
    text = "{a: [1, 2.5, yes, ~, 2024-01-02, '01', \"x\\ty\"], b: &b {c: No}, d: *b, e: {<<: *b, f: |\n  g\n}}".replace(
        "|\n  g\n", "g"
    )
    assert parse_yaml(text) == yaml.safe_load(text)
    as_text = parse_yaml("a: No\nb: 007\nc: ~\nd: {<<: {e: 1.0}}\nf:\n", as_text=True)
    assert as_text == {"a": "No", "b": "007", "c": "~", "d": {"e": "1.0"}, "f": ""}
    with pytest.raises(ParsingError, match=r"line [56]: more than 50,000 values"):
        parse_yaml(LAUGHS)


JSON_READERS: dict[str, Callable[[Path], Any]] = {
    "an artifact": lambda path: artifacts.read(path, "review"),
    "records": lambda path: artifacts.read(path, "records"),
    "lines": lambda path: artifacts.read(path.rename(path.with_suffix(".jsonl")), "predictions"),
    "untrusted records": lambda path: artifacts.read_untrusted(path, "records"),
    "an untrusted state": lambda path: artifacts.read_untrusted(path, "prep_state"),
    "untrusted, of any shape": lambda path: artifacts.read_untrusted(path, None),
    "new rows": lambda path: open_json_lines(path, COLUMNS),
    "new rows as an option": lambda path: open_objects(path.read_bytes().decode("utf-8", "surrogateescape"), COLUMNS),
    "a history": read_history,
    "approvals": lambda path: approval(path.parent / "review/data.json", path)._earlier(),
    "a tokenizer's configuration": lambda path: _folder_has_chat_template(
        path.rename(path.with_name("tokenizer_config.json")).parent
    ),
}


@pytest.mark.parametrize("reader", JSON_READERS)
@pytest.mark.parametrize("name", JSON)
def test_nasty_json_is_refused_in_one_sentence(name: str, reader: str, tmp_path: Path) -> None:
    content, reason = JSON[name]
    if name == "nothing" and reader in ("a history", "approvals", "lines"):
        return  # no line is no line
    if reader.startswith("new rows") and name == "half a character":
        reason = "lone surrogate"
    path = written(tmp_path / "file.json", content)
    sentence = refusal(lambda: JSON_READERS[reader](path), reason)
    assert "option" in reader or str(tmp_path) in sentence


@pytest.mark.parametrize("name", JSON)
def test_what_is_only_kept_for_convenience_counts_as_absent_where_it_is_nasty(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path / "results/.cache/command_lines/exp.json", JSON[name][0])
    assert read_command_line("exp") == CommandLine()
    assert parse_state(path) is None
    assert _last_target(path) is None


@pytest.mark.parametrize("text", ['{"rows": -1, "bytes": 1, "belongs_to": {}}', "[]", '{"rows": [], "bytes": 1}'])
def test_a_state_of_another_shape_counts_as_absent(text: str, tmp_path: Path) -> None:
    assert parse_state(written(tmp_path / "state.json", text)) is None


def test_a_damaged_approval_stops_no_other_command_with_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "results/.cache/approvals.jsonl", '[1]\n{"review": "data", "sha256": []}\n')
    review = {"review": "data", "decision": "approve", "by": "person", "balance": "none", "reviewed": {}}
    artifacts.write("results/exp/review/data.json", review, "review")
    forget_reviews("results/exp", "data")
    assert (tmp_path / "results/.cache/approvals.jsonl").read_text() == ""


NAN = '[{"instruction": "i", "input": "x", "row": 0, "output": NaN}]'
SURROGATE = '[{"instruction": "i", "input": "x", "row": 4}, {"instruction": "i", "input": "a\\ud800", "row": 5}]'
TWICE = '[{"instruction": "i", "instruction": "j", "input": "x", "row": 0}]'


def test_what_the_coder_is_told_says_where_and_quotes_no_value(tmp_path: Path) -> None:
    def told(text: str, **limits: Any) -> str:
        path = written(tmp_path / "records.json", text)
        return refusal(lambda: artifacts.read_untrusted(path, "records", **limits)).removeprefix(f"{path}: ")

    assert told(NAN) == "NaN is not a number in JSON: write null."
    assert told(SURROGATE) == "it contains a lone surrogate, which is not text: object 2."
    assert told('[{"instruction": 5, "input": "secret", "row": 0}]').startswith("[0].instruction: the value is not of")
    assert "secret" not in told('[{"instruction": "i", "input": ["secret"], "row": 0}]')
    assert "secret" not in told('["secret"]')
    assert "secret" not in told('[{"instruction": "i", "input": "x", "row": 0, "secret": 1}]')
    assert "secret" not in told('[{"instruction": "i", "input": "x", "row": 0, "source": "secret"}]')
    records = [{"instruction": "i", "input": "x", "row": row} for row in range(1_001)]
    assert told(json.dumps(records), max_rows=1_000) == "it has 1,001 rows, more than the 1,000 that it can have."
    assert told(json.dumps(records), max_bytes=1_000) == (
        "it is larger than 1,000 bytes, more than a file of its kind takes."
    )
    nested = json.dumps([[[]] * 2_000])
    assert told(nested, max_rows=10).startswith("it contains 2,002 lists and mappings, more than the 1,040")


def test_what_is_read_from_generated_code_is_what_it_wrote(tmp_path: Path) -> None:
    records = [
        {"instruction": "i \U0001f600", "input": 'a "b" \\ {[', "row": row, "output": "é\u2028"} for row in range(9)
    ]
    for ascii_only in (True, False):
        path = written(tmp_path / "records.json", json.dumps(records, ensure_ascii=ascii_only))
        assert artifacts.read_untrusted(path, "records", max_rows=9) == records
        assert artifacts.read(path, "records") == records
    last = artifacts.read_untrusted(written(path, TWICE), "records")
    assert last == artifacts.read(path, "records") == [{"instruction": "j", "input": "x", "row": 0}]


@pytest.mark.parametrize("read", [artifacts.read, artifacts.read_untrusted])
def test_what_is_wrong_ten_thousand_times_is_told_once_and_soon(read: Any, tmp_path: Path) -> None:
    bad = json.dumps([{"row": str(row), "x": "a longer one"} for row in range(50_000)])
    assert "records.json: [0]" in refusal(lambda: read(written(tmp_path / "records.json", bad), "records"))
    empty = "[" + "[]," * 3_000_000 + "[]]"
    told = refusal(lambda: read(written(tmp_path / "records.json", empty), "records"))
    assert "contains 3,000,002 lists and mappings" in told


def test_small_data_gets_the_most_telling_error(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="by: 'nobody' is not one of"):
        artifacts.validate({"review": "data", "decision": "approve", "by": "nobody", "reviewed": {}}, "review", "it")


def test_an_artifact_that_is_too_large_or_no_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "_MOST_BYTES", 100)
    path = written(tmp_path / "review.json", "[" + " " * 200 + "]")
    refusal(lambda: artifacts.read(path, "review"), "review.json cannot be read .it is larger than 100 bytes")
    for name, make in {"zero.json": lambda path: path.symlink_to("/dev/zero"), "pipe.json": os.mkfifo}.items():
        make(tmp_path / name)
        refusal(lambda name=name: artifacts.read(tmp_path / name, "review"), "it is not an ordinary file")  # type: ignore[misc]
    (tmp_path / "folder.json").mkdir()
    refusal(lambda: artifacts.read(tmp_path / "folder.json", "review"), "folder.json cannot be read")
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / "absent", 1)


def test_one_line_of_json_lines_is_bounded(tmp_path: Path) -> None:
    line = b'{"a": "' + b"x" * LONGEST_LINE + b'"}\n'
    with pytest.raises(ParsingError, match="line 2: it is longer than 16 MiB"):
        parse_json_lines(b"{}\n" + line)
    with pytest.raises(ParsingError, match="line 2: NaN is not a number in JSON"):
        parse_json_lines(b"{}\n[NaN]\n")
    path = tmp_path / "new.jsonl"
    path.write_bytes(b'{"a": 1}\n' + line)
    refusal(lambda: open_json_lines(path, COLUMNS), "line 2 is longer than 16 MiB")


LONG_LINE = """
import re, sys
from pathlib import Path
from loramake.errors import DataError
from loramake.serving.columns import Columns
from loramake.serving.new_rows import open_json_lines
from loramake.tables.readings import Reading

peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024
before = peak()
try:
    open_json_lines(Path(sys.argv[1]), Columns(("a",), (), "y", {"a": Reading("categorical")}))
except DataError:
    print(peak() - before)
"""


def test_a_line_without_an_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "new.jsonl"
    with path.open("wb") as file:
        file.truncate(512 * MIB)
    done = subprocess.run([sys.executable, "-c", LONG_LINE, path], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 100


def test_new_rows_may_have_the_nan_that_pandas_leaves(tmp_path: Path) -> None:
    rows = open_json_lines(written(tmp_path / "new.jsonl", '{"a": NaN}\n{"a": 1}\n'), COLUMNS)
    assert next(iter(rows.batches(9))).cells["a"].tolist() == [None, "1"]


def test_brackets_inside_of_texts_do_not_count() -> None:
    deep = "[" * 500
    value = {"a": deep, f'\\"{deep}': [f"{deep}\\", f'"{deep}"', "\\\\", '"'], "b": '\\\\"' + deep}
    for ascii_only in (True, False):
        assert parse_json(json.dumps(value, ensure_ascii=ascii_only).encode(), containers=2) == value
    edge = json.loads("[" * 64 + "]" * 64)
    assert parse_json(("[" * 64 + "]" * 64).encode()) == edge
    with pytest.raises(ParsingError, match="nested more than 64"):
        parse_json(("[" * 65 + "]" * 65).encode())


GROWTH = """
import re, sys
from pathlib import Path
from loramake import artifacts
from loramake.errors import ArtifactError
from loramake.parsing import limited

limited.MEMORY, limited.MEMORY_PER_BYTE = 128 << 20, 1
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024
before = peak()
try:
    artifacts.read_untrusted(sys.argv[1], "prep_state")
except ArtifactError as error:
    print(peak() - before, error)
"""


def test_what_expands_beyond_the_memory_of_the_child_is_refused_and_takes_none_here(tmp_path: Path) -> None:
    size = 16 * MIB
    path = written(tmp_path / "state.json", '{"a": [' + '"aé",' * (size // 6) + '""]}')
    done = subprocess.run([sys.executable, "-c", GROWTH, path], capture_output=True, text=True, check=True)
    grown, _, sentence = done.stdout.partition(" ")
    assert sentence.strip() == f"{path}: it takes more than 144 MiB of memory or 14 s to read."
    assert int(grown) < 4 * size // MIB


def test_the_childs_time_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "state.json", '{"a": [' + "1," * (20 * MIB) + "1]}")
    seconds = limited.SECONDS
    monkeypatch.setattr(limited, "SECONDS", -9)  # one is left, of this many bytes
    monkeypatch.setattr(limited, "_WAITING", 1_000)
    started = time.monotonic()
    with pytest.raises(ArtifactError, match=r"it takes more than .* of memory or 1 s to read"):
        artifacts.read_untrusted(path, "prep_state")
    assert time.monotonic() - started < MOST_SECONDS
    monkeypatch.setattr(limited, "SECONDS", seconds)
    monkeypatch.setattr(limited, "_WAITING", 0)
    with pytest.raises(ArtifactError, match="it takes more than"):
        artifacts.read_untrusted(path, "prep_state")


def test_the_child_sees_nothing_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    run = subprocess.run

    def remember(*arguments: Any, **settings: Any) -> Any:
        seen.update(settings)
        return run(*arguments, **settings)

    monkeypatch.setattr(subprocess, "run", remember)
    artifacts.read_untrusted(written(tmp_path / "state.json", "{}"), "prep_state")
    assert seen["env"] == {}


def test_a_child_that_cannot_start_is_not_taken_for_a_bad_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limited, "_START", "raise SystemExit(3)  # {}")
    with pytest.raises(RuntimeError, match="the process that reads JSON failed"):
        artifacts.read_untrusted(written(tmp_path / "state.json", "{}"), "prep_state")


def test_what_json_cannot_hold_is_not_written(tmp_path: Path) -> None:
    state = {"a": "\ud800"}
    with pytest.raises(ArtifactError, match=r"state\.json would contain a value that JSON does not allow"):
        artifacts.write(tmp_path / "state.json", state, "prep_state")
    assert not list(tmp_path.iterdir())


def test_yaml_is_loaded_in_one_place() -> None:
    loaders = {"load", "load_all", "safe_load", "safe_load_all", "full_load", "unsafe_load", "compose", "parse", "scan"}
    calls = []
    for folder in ("loramake", "scripts"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "yaml":
                    calls += [f"{path}: yaml.{node.attr}"] if node.attr in loaders else []
    assert not calls


def test_the_most_bytes_of_a_file_take_no_room_that_its_bytes_do_not_need(tmp_path: Path) -> None:
    path = written(tmp_path / "records.json", "[]")
    assert read_bytes(path, 1 << 50) == b"[]"
    with pytest.raises(ParsingError, match="larger than 1 bytes"):
        read_bytes(path, 1)
