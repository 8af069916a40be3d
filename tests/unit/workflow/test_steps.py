"""The lines of finished steps, from the events that Snakemake logs."""

import logging
import re
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from loramake.config import resolve
from loramake.workflow import steps
from loramake.workflow.steps import Earlier, HidesReplaced, Steps, clock, find_earlier
from tests.conftest import ROOT

RULES = ["profile_csv", "review_prep_data", "run_finetuning", "summarize_results"]
EARLIER = Earlier("as before", {"profile_csv": 10.0, "run_finetuning": 80.0, "summarize_results": 10.0})


class Clock:
    """A time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def passing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    fake = Clock()
    monkeypatch.setattr(steps, "time", fake)
    return fake


def told(event: str, **fields: Any) -> logging.LogRecord:
    """A record as Snakemake logs it."""
    return logging.makeLogRecord({"msg": event, "event": event, **fields})


def run(handler: Steps, passing: Clock, *jobs: tuple[str, float]) -> None:
    """Jobs one after the other, each with its seconds."""
    for number, (rule, seconds) in enumerate(jobs):
        handler.handle(told("job_info", jobid=number, rule_name=rule, wildcards={"experiment": "exp"}))
        passing.now += seconds
        handler.handle(told("job_finished", job_id=number))


def begin(handler: Steps, rules: Collection[str]) -> None:
    handler.handle(told("run_info", stats={**dict.fromkeys(rules, 1), "all": 1, "total": len(rules) + 1}))


def test_each_step_says_how_many_are_done_and_about_how_long_the_rest_takes(
    passing: Clock, capfd: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []
    handler = Steps(lambda *question: asked.append(question) or EARLIER)
    begin(handler, RULES)
    run(handler, passing, ("profile_csv", 20.0), ("review_prep_data", 500.0), ("run_finetuning", 160.0))
    run(handler, passing, ("summarize_results", 20.0))
    assert [experiment for experiment, _ in asked] == ["exp"]
    assert capfd.readouterr().err.splitlines() == [
        "loramake: 4 steps, about 1:40 (as before).",
        "✓ 1/4 profile_csv               20.0 s · 0:20 so far, about 1:40 left",
        "✓ 2/4 review_prep_data         500.0 s · 8:40 so far, about 1:40 left",  # a person's time does not count
        "✓ 3/4 run_finetuning           160.0 s · 11:20 so far, about 0:15 left",
        "✓ 4/4 summarize_results         20.0 s · 11:40 in all",
    ]


def test_the_clock_of_a_run_goes_on_after_feedback(
    passing: Clock, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(steps.STARTED, str(passing.now - 3600))
    handler = Steps(lambda experiment, rules: None)
    begin(handler, ["run_finetuning"])
    run(handler, passing, ("run_finetuning", 61.0), ("all", 0.0))
    assert capfd.readouterr().err == "✓ 1/1 run_finetuning            61.0 s · 1:01:01 in all\n"


def test_without_earlier_times_and_for_several_experiments_nothing_is_estimated(
    passing: Clock, capfd: pytest.CaptureFixture[str]
) -> None:
    handler = Steps(lambda experiment, rules: None)
    begin(handler, RULES)
    run(handler, passing, ("profile_csv", 2.0))
    several = Steps(lambda experiment, rules: EARLIER)
    several.handle(told("run_info", stats={"profile_csv": 2, "total": 2}))
    run(several, passing, ("profile_csv", 2.0))
    assert capfd.readouterr().err.splitlines() == [
        "✓ 1/4 profile_csv                2.0 s · 0:02 so far",
        "✓ 1/2 profile_csv                2.0 s · 0:02 so far",
    ]


def test_a_run_with_nothing_to_do_says_so_where_snakemake_is_silent(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    nothing = logging.makeLogRecord({"msg": "Nothing to be done (all requested files are present and up to date)."})
    Steps(lambda experiment, rules: None).handle(nothing)
    assert capfd.readouterr().err == ""
    monkeypatch.setenv(steps.STARTED, "0")
    Steps(lambda experiment, rules: None).handle(nothing)
    assert capfd.readouterr().err == "loramake: nothing to do: every result is up to date.\n"


def test_the_pace_of_the_steps_that_are_done_counts_more_the_more_of_the_work_they_were() -> None:
    assert EARLIER.left([], RULES, 0.0) == pytest.approx(100)
    first, more = EARLIER.left(["profile_csv"], RULES[1:], 20.0), EARLIER.left(RULES[:3], RULES[3:], 180.0)
    assert 90 < first < 180
    assert 10 < more < 20
    assert more / 10 > first / 90
    assert EARLIER.left(RULES, [], 500.0) == 0


def write_benchmarks(folder: Path, *rules: str) -> None:
    (folder / "benchmarks").mkdir(exist_ok=True)
    for rule in rules:
        (folder / f"benchmarks/{rule}.tsv").write_text("s\th:m:s\n12.5\t0:00:12\n", encoding="utf-8")


def settings_of(**written: Any) -> dict[str, Any]:
    return resolve({}, "exp", {"csv": str(ROOT / "data/heart.csv"), **written})


def test_an_earlier_run_of_the_same_experiment_comes_first(tmp_path: Path) -> None:
    write_benchmarks(tmp_path, "run_finetuning", "profile_csv")
    earlier = find_earlier(tmp_path, ["run_finetuning", "render_report"], settings_of())
    assert earlier == Earlier("as in this experiment's last run", {"run_finetuning": 12.5, "profile_csv": 12.5})
    # It did not come to the prediction, so nothing is known of how long that takes.
    other = find_earlier(tmp_path, ["run_prediction"], settings_of(num_train_epochs=90))
    assert other is None
    assert find_earlier(tmp_path / "new", ["profile_csv"], settings_of(num_train_epochs=90)) is None


def test_a_first_run_is_compared_with_the_demo_only_where_it_is_much_the_same_work(tmp_path: Path) -> None:
    known = find_earlier(tmp_path, RULES, settings_of())
    assert known is not None
    assert known.where == "as on the demo, on two CPU cores"
    large = tmp_path / "large.csv"
    large.write_bytes((ROOT / "data/heart.csv").read_bytes() * 3)
    (tmp_path / "base").mkdir()
    for other in (
        {"csv": str(large)},
        {"test_csv": str(large)},
        {"model": str(tmp_path / "base")},
        {"num_train_epochs": 40},
        {"extra_training_args": {"max_steps": 9}},
    ):
        assert find_earlier(tmp_path, RULES, settings_of(**other)) is None


def test_the_demo_has_a_time_for_each_rule_that_is_measured() -> None:
    rules = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "rules").glob("*.smk"))
    measured = set(re.findall(r"benchmarks/(\w+)\.tsv", rules)) - {"summarize_results"}
    assert set(steps._DEMO) == measured


def test_snakemakes_lines_about_steps_are_hidden_but_of_a_dry_run_and_errors_never() -> None:
    hides = HidesReplaced(lambda: False)
    replaced = [told(event) for event in ("run_info", "job_finished", "progress")]
    assert not any(hides.filter(record) for record in replaced)
    assert all(HidesReplaced(lambda: True).filter(record) for record in replaced)
    for message in ("Error in rule run_finetuning", "MissingInputException", "Complete log(s): x"):
        assert hides.filter(logging.makeLogRecord({"msg": message}))
    assert hides.filter(told("job_error"))


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (100, "1:40"), (3599.7, "1:00:00"), (36061, "10:01:01")]
)
def test_a_clock_shows_minutes_and_hours(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_lines_of_jobs_that_run_at_once_are_not_torn() -> None:
    code = "from loramake.console import show\nfor _ in range(300): show(f'✓ {chr(65 + {0}) * 70}')"
    commands = [[sys.executable, "-c", code.replace("{0}", str(number))] for number in range(3)]
    read = subprocess.Popen([sys.executable, "-c", "import sys; print(sys.stdin.read())"], stdin=-1, stdout=-1)
    jobs = [subprocess.Popen(command, stderr=read.stdin) for command in commands]
    assert [job.wait() for job in jobs] == [0, 0, 0]
    lines = read.communicate()[0].decode().split("\n")
    assert {line for line in lines if line} == {f"✓ {letter * 70}" for letter in "ABC"}
    assert len([line for line in lines if line]) == 900
