"""Every rule has a script of its name, and every script is thin: it runs with a fake `snakemake` object.

What that object holds is what Snakemake itself makes of the rules, for an experiment with the settings' defaults.
"""

import contextlib
import importlib
import inspect
import os
import re
import runpy
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from snakemake.api import SnakemakeApi
from snakemake.iocontainers import Wildcards
from snakemake.settings.types import ResourceSettings

from loramake import artifacts
from loramake.workflow.versions import MEANINGS
from tests.conftest import ROOT, make_workplace

RULES = re.findall(
    r"^rule (\w+):$", "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "rules").glob("*.smk"))), re.M
)


def script_of(rule: str) -> Path:
    """The script of a rule: it lies in the folder of the stage whose .smk holds the rule."""
    (stage,) = [
        path.stem for path in (ROOT / "rules").glob("*.smk") if f"rule {rule}:\n" in path.read_text(encoding="utf-8")
    ]
    return ROOT / f"scripts/{stage}/{rule}.py"


class Names(list[str]):
    """Named files, as Snakemake passes them: by name and by position."""

    def __init__(self, **named: str) -> None:
        super().__init__(named.values())
        self.__dict__.update(named)


def run(rule: str, snakemake: SimpleNamespace) -> None:
    runpy.run_path(str(script_of(rule)), init_globals={"snakemake": snakemake})


@contextlib.contextmanager
def kept_process() -> Iterator[None]:
    """Leave this process as it was: the Snakefile expects one of its own, whose signals end the run."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP)}
    with mock.patch.dict(os.environ):
        yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SimpleNamespace]:
    """For each rule the `snakemake` object of its script."""
    folder = make_workplace(tmp_path_factory.mktemp("workplace"), ROOT / "data/penguins.csv")
    with contextlib.chdir(folder), kept_process(), SnakemakeApi() as api:
        workflow = api.workflow(ResourceSettings(cores=1), snakefile=ROOT / "Snakefile")._workflow
        return {rule.name: job_of(rule) for rule in workflow.rules if rule.script}


def job_of(rule: Any) -> SimpleNamespace:
    """What a rule declares, under the names that it gives it; any other name is an AttributeError."""
    job = SimpleNamespace(rule=rule.name, threads=1, wildcards=Wildcards(fromdict={"experiment": "exp"}))
    job.input, *_ = rule.expand_input(job.wildcards)
    job.output, _ = rule.expand_output(job.wildcards)
    job.params, _ = rule.expand_params(job.wildcards, job.input, job.output, job=None)
    job.log = rule.expand_log(job.wildcards)
    return job


def library_functions(rule: str) -> list[tuple[ModuleType, str]]:
    """What the script of a rule imports to call, but `step`, and the module that it is imported from."""
    script = script_of(rule).read_text(encoding="utf-8")
    imports = re.findall(r"^from (loramake\S*) import (.+)$", script, re.M)
    imported = [(importlib.import_module(module), name) for module, names in imports for name in names.split(", ")]
    return [(module, name) for module, name in imported if name != "step" and callable(getattr(module, name))]


def recorder(real: Callable[..., Any], called: set[str]) -> Callable[..., None]:
    """Takes what the real function takes, and does nothing."""

    def record(*arguments: Any, **named: Any) -> None:
        inspect.signature(real).bind(*arguments, **named)
        called.add(real.__name__)

    return record


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_its_script_and_its_log_carry_the_same_name(rule: str) -> None:
    script = script_of(rule)
    assert script.is_file()
    assert len(script.read_text(encoding="utf-8").splitlines()) <= 40
    assert f"logs/{rule}.log" in "".join(path.read_text(encoding="utf-8") for path in (ROOT / "rules").glob("*.smk"))


def test_there_is_no_script_without_a_rule() -> None:
    assert {path.stem for path in (ROOT / "scripts").rglob("*.py")} == set(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_a_script_calls_the_library_with_what_its_rule_declares(
    rule: str, jobs: dict[str, SimpleNamespace], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # for the log
    functions, called = library_functions(rule), set[str]()
    for module, name in functions:
        monkeypatch.setattr(module, name, recorder(getattr(module, name), called))
    run(rule, jobs[rule])
    assert called
    assert called == {name for _, name in functions}


@pytest.mark.parametrize("rule", [rule for rule in RULES if not rule.startswith("review_")])
def test_a_rule_carries_the_version_of_its_meaning(rule: str, jobs: dict[str, SimpleNamespace]) -> None:
    assert jobs[rule].params.version == f"{rule}, version {MEANINGS[rule]}"


def test_there_is_no_version_without_a_rule() -> None:
    assert set(MEANINGS) <= set(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_no_two_numbers_of_a_rule_could_swap_unnoticed(rule: str) -> None:
    """Snakemake compares params without their names: several numbers belong into one mapping (get_slice)."""
    text = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "rules").glob("*.smk")))
    own = text.split(f"rule {rule}:\n")[1].split("\nrule ")[0]
    settings = artifacts.load_schema("config")["properties"]
    alone = [name for name in re.findall(r"get_setting\(\s*\"(\w+)\"", own) if is_number(settings[name])]
    assert len(alone) <= 1, alone


def is_number(setting: dict[str, Any]) -> bool:
    """Whether a setting of config.yaml may be a number."""
    kinds = [setting, *setting.get("anyOf", []), *setting.get("oneOf", [])]
    return any(word in str(kind.get("type", "")) for kind in kinds for word in ("number", "integer"))


def test_no_rule_keeps_where_its_sources_lie(jobs: dict[str, SimpleNamespace]) -> None:
    """Snakemake keeps params of plain values only: a Path is handed over and is not compared."""
    for job in jobs.values():
        assert not [path for path in job.input if Path(path).is_absolute()]
        plain = [value for value in job.params if not isinstance(value, Path)]
        assert str(ROOT) not in repr(plain)


def test_a_script_makes_its_artifact_and_its_log(tmp_path: Path) -> None:
    out, table = tmp_path / "profile.json", SimpleNamespace(csv=ROOT / "data/heart.csv", test_csv=None, settings={})
    run("profile_csv", SimpleNamespace(log=[str(tmp_path / "log")], params=table, output=Names(profile=str(out))))
    assert artifacts.read(out, "profile")["rows"] == 918
    assert "918 rows" in (tmp_path / "log").read_text(encoding="utf-8")


def test_a_users_error_is_one_sentence_on_the_terminal_and_a_traceback_in_the_log(tmp_path: Path) -> None:
    csv = tmp_path / "empty.csv"
    csv.touch()
    table = SimpleNamespace(csv=csv, test_csv=None, settings={})
    with pytest.raises(SystemExit) as caught:
        run("profile_csv", SimpleNamespace(log=[str(tmp_path / "log")], params=table, output=Names(profile="x.json")))
    assert str(caught.value) == f"loramake: {csv} is empty: it needs a header line and rows."
    assert "Traceback" in (tmp_path / "log").read_text(encoding="utf-8")


def test_the_library_never_imports_snakemake_and_the_snakefile_is_a_table_of_contents() -> None:
    for path in (ROOT / "loramake").rglob("*.py"):
        assert not re.search(r"^\s*(import|from) snakemake", path.read_text(encoding="utf-8"), re.M), path
    assert len((ROOT / "Snakefile").read_text(encoding="utf-8").splitlines()) <= 60
