"""A line for each step that a run finishes: how many are done of how many, and about how long the others will take.

A handler of Snakemake's own logger, so that plain `snakemake` shows the same as `loramake run`. The estimate is
what the same steps took in this experiment's last run, or on the demo, at the pace of the steps done so far.
"""

import logging
import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loramake.config import read_card
from loramake.console import say, show
from loramake.paths import name_model
from loramake.report.timings import read_timings
from loramake.settings import defaults

STARTED = "LORAMAKE_STARTED"
"""Environment variable: when `loramake run` began, in seconds since 1970; a run after feedback goes on from it."""

NOTHING_TO_DO = "Nothing to be done"
"""How Snakemake's sentence begins where all is up to date."""

REPLACED_EVENTS = {"run_info", "resources_info", "job_started", "job_finished", "progress"}
REPLACED_LINES = ("Select jobs to execute",)
"""Of Snakemake's own lines, those that say less than ours, or nothing to a user."""

_COSTLY = ("run_finetuning", "run_prediction", "measure_robustness")
"""Rules that dominate a run: without their times there is no estimate."""

_DEMO_BYTES = 36_000
_DEMO: Mapping[str, float] = {
    "profile_csv": 1,
    "explore_data": 1,
    "assign_splits": 1,
    "find_unusable_columns": 2,
    "select_features": 2,
    "plan_preparation": 1,
    "write_prep_code": 1,
    "execute_prep_code": 2,
    "verify_prepared_data": 9,
    "split_data": 1,
    "write_balance_code": 1,
    "execute_balance_code": 1,
    "generate_lmf_config": 1,
    "run_finetuning": 31,
    "run_prediction": 9,
    "fit_baselines": 3,
    "run_evaluation": 3,
    "calibrate_probabilities": 2,
    "evaluate_calibration": 1,
    "fit_conformal": 1,
    "control_risk": 1,
    "decide_by_cost": 2,
    "audit_groups": 1,
    "find_label_noise": 3,
    "measure_robustness": 11,
    "render_report": 1,
}
"""Seconds of the rules on data/heart.csv, which has so many bytes, on two CPU cores (benchmarks/ of its results)."""


@dataclass(frozen=True)
class Earlier:
    """How many seconds each rule took before, and where."""

    where: str
    seconds: Mapping[str, float]

    def left(self, done: Iterable[str], pending: Iterable[str], spent: float) -> float:
        """Seconds that the pending rules will take, where those that are done took `spent`.

        Half of the run at the earlier pace is added to what is measured: the first, short steps do not decide the pace.
        """
        before, after = self._sum(done), self._sum(pending)
        damping = (before + after) / 2
        return after * (spent + damping) / (before + damping) if after else 0.0

    def _sum(self, rules: Iterable[str]) -> float:
        return sum(self.seconds.get(rule, 0.0) for rule in rules)


def find_earlier(folder: Path, pending: Collection[str], settings: Mapping[str, Any]) -> Earlier | None:
    """What the pending rules took in this experiment's last run, or on the demo if this is much the same work.

    `folder` is the experiment's. None rather than a wild guess: nothing is known of how long another base model or a
    larger table takes.
    """
    measured = read_timings(folder / "benchmarks")
    if measured and set(_COSTLY) & set(pending) <= set(measured):
        return Earlier("as in this experiment's last run", measured)
    return Earlier("as on the demo, on two CPU cores", _DEMO) if _resembles_demo(settings) else None


def _resembles_demo(settings: Mapping[str, Any]) -> bool:
    """Whether the built-in base is trained as its card says, on tables at most twice as large as the demo's."""
    model = defaults()["model"]
    if name_model(settings["model"]) != model or settings["extra_training_args"]:
        return False
    usual = read_card(model)["settings"]
    tables = [Path(settings[key]) for key in ("csv", "test_csv") if settings[key]]
    is_small = sum(table.stat().st_size for table in tables if table.is_file()) <= 2 * _DEMO_BYTES
    return is_small and all(settings[key] == value for key, value in usual.items())


class Steps(logging.Handler):
    """Shows a line for each finished job of a run; `find(experiment, rules)` looks up what the rules took earlier."""

    def __init__(self, find: Callable[[str, Collection[str]], Earlier | None]) -> None:
        super().__init__()
        self._find = find
        self._earlier: Earlier | None = None
        self._began = time.time()
        self._started = float(os.environ.get(STARTED, self._began))
        self._pending: list[str] = []
        self._done: list[str] = []
        self._running: dict[int, tuple[str, float]] = {}
        self._asking = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Follow Snakemake's events."""
        event = str(getattr(record, "event", ""))
        if event == "run_info":
            counts: dict[str, int] = vars(record)["stats"]
            self._pending = [rule for rule in counts if rule not in ("all", "total") for _ in range(counts[rule])]
        elif event == "job_info":
            self._start(vars(record)["jobid"], vars(record)["rule_name"], vars(record)["wildcards"])
        elif event == "job_finished":
            self._finish(vars(record)["job_id"])
        elif str(record.msg).startswith(NOTHING_TO_DO) and STARTED in os.environ:  # else Snakemake's own line is seen
            say("nothing to do: every result is up to date.")

    def _start(self, job: int, rule: str, wildcards: Mapping[str, str]) -> None:
        self._running[job] = (rule, time.time())
        is_one_experiment = len(set(self._pending)) == len(self._pending)
        if not self._done and len(self._running) == 1 and is_one_experiment and "experiment" in wildcards:
            self._earlier = self._find(wildcards["experiment"], self._pending)
            if self._earlier is not None:
                left = self._earlier.left([], self._pending, 0.0)
                say(f"{len(self._pending)} steps, about {clock(_rounded(left))} ({self._earlier.where}).")

    def _finish(self, job: int) -> None:
        rule, started = self._running.pop(job, ("", 0.0))
        if rule not in self._pending:
            return
        self._pending.remove(rule)
        self._done.append(rule)
        now = time.time()
        if rule.startswith("review_"):
            self._asking += now - started
        steps = len(self._done) + len(self._pending)
        count = f"{len(self._done):>{len(str(steps))}}/{steps}"
        show(f"✓ {count} {rule:<23} {now - started:6.1f} s · {clock(now - self._started)} {self._outlook(now)}")

    def _outlook(self, now: float) -> str:
        if not self._pending:
            return "in all"
        if self._earlier is None:
            return "so far"
        left = self._earlier.left(self._done, self._pending, now - self._began - self._asking)
        return f"so far, about {clock(_rounded(left))} left"


class HidesReplaced(logging.Filter):
    """Keeps Snakemake's own lines that `Steps` replaces from the terminal, but of a dry run, which has no others."""

    def __init__(self, is_dry_run: Callable[[], bool]) -> None:
        super().__init__()
        self._is_dry_run = is_dry_run

    def filter(self, record: logging.LogRecord) -> bool:
        is_replaced = str(getattr(record, "event", "")) in REPLACED_EVENTS
        return self._is_dry_run() or not (is_replaced or str(record.msg).startswith(REPLACED_LINES))


def clock(seconds: float) -> str:
    """Minutes and seconds, or hours: 1:40, 1:01:40."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _rounded(seconds: float) -> float:
    """As exact as an estimate is: to 5 seconds below a minute, to 10 below 10 minutes, else to a minute."""
    step = 5 if seconds < 60 else 10 if seconds < 600 else 60
    return max(step, step * round(seconds / step))
