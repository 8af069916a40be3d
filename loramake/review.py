"""The three reviews: a person looks at what was made and approves it, asks for something else, or stops the run.

An approval holds for the bytes that were approved: unchanged files are not asked about twice, whatever experiment they
are in (LlamaFactory's configuration names its experiment, so that one is asked about in each).
"""

import hashlib
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import questionary
import yaml
from rich.table import Table
from rich.text import Text

from loramake import artifacts
from loramake.console import console, log, printable, say
from loramake.errors import ConfigError, ReviewError
from loramake.feedback import Change, Known, parse_feedback, save_feedback

STRATEGIES = ("none", "oversample", "undersample")
"""Of balancing the training split."""
_STEPS = {"plan": "plan_preparation", "splits": "assign_splits", "balance": "write_balance_code"}
_STEPS |= {"config": "generate_lmf_config"}
"""The rule from which a run goes on after feedback for a step."""
_REASONS_SHOWN = 10
_OTHER, _STOP = "something else …", "stop"


def review_prep_data(
    mode: str,
    history: str | Path,
    verification: str | Path,
    plan: str | Path,
    all_data: str | Path,
    splits: str | Path,
    balance: str,
    out: str | Path,
) -> None:
    """Approve the prepared data and its balancing; writes review/data.json."""
    found = artifacts.read(verification, "verification")
    planned, records = artifacts.read(plan, "plan"), artifacts.read(all_data, "records")
    strategy = planned["balance"]["proposal"] if balance == "auto" else balance
    console.print(_class_table("Prepared data", found["classes"]))
    _show_columns(planned)
    why = planned["balance"]["reason"] if balance == "auto" else "set in the configuration"
    _show("balancing", f"{strategy} ({why})")
    _show("a record", f"{records[0]['instruction']} {records[0]['input']} → {records[0]['output']}")
    _show("checks passed", "; ".join(check["name"] for check in found["checks"]))
    _show("sandbox", found["sandbox"]["used"], is_loud=found["sandbox"]["used"].startswith("NONE"))
    for finding in found["critique"]:
        _show(f"the agent finds ({finding['severity']})", f"{finding['issue']}: {finding['suggestion']}")
    _show("the agent judged", found["judged"])
    review = _Review("data", mode, Path(history), [verification, plan, all_data, splits], Path(out), _known(planned))
    first = f"approve, balancing: {strategy}"
    others = {f"approve, balancing: {other}": {"balance": other} for other in STRATEGIES if other != strategy}
    review.decide({first: {"balance": strategy}, **others}, is_set=balance != "auto")


def _show_columns(plan: dict[str, Any]) -> None:
    """Features, what is dropped on one line to copy from, and why."""
    _show("features", ", ".join(feature["name"] for feature in plan["features"]))
    _show("dropped", ", ".join(entry["name"] for entry in plan["dropped"]) or "none")
    for entry in plan["dropped"][:_REASONS_SHOWN]:
        _show(f"  {entry['name']}", entry["reason"])


def _show(what: str, text: str, is_loud: bool = False) -> None:
    """A line of a review; the terminal breaks it where it ends."""
    shown = Text.assemble((f"{printable(what)}: ", "bold"), (printable(text), "bold red" if is_loud else ""))
    console.print(shown, soft_wrap=True)


def review_balanced_data(
    mode: str, history: str | Path, plan: str | Path, train: str | Path, balanced: str | Path, out: str | Path
) -> None:
    """Approve the balanced training split; writes review/balance.json."""
    from loramake.verification import count_labels

    planned = artifacts.read(plan, "plan")
    classes = {
        "before": count_labels(artifacts.read(train, "records"), planned),
        "after": count_labels(artifacts.read(balanced, "records"), planned),
    }
    console.print(_class_table("Training split before and after balancing", classes))
    review = _Review("balance", mode, Path(history), [balanced], Path(out), _known(planned))
    review.decide({"approve": {}}, {f"use {other}": f"use {other}" for other in STRATEGIES})


def review_lmf_config(
    mode: str, history: str | Path, plan: str | Path, configs: Sequence[str | Path], out: str | Path
) -> None:
    """Approve LlamaFactory's configuration; writes review/config.json."""
    settings = artifacts.read(configs[0], "lmf_config")
    table = Table(title="Training configuration", title_justify="left")
    table.add_column("key", style="bold")
    table.add_column("value")
    for key, value in settings.items():
        table.add_row(Text(key), Text(str(value)))
    console.print(table)
    known = _known(artifacts.read(plan, "plan"))
    _Review("config", mode, Path(history), list(configs), Path(out), known).decide({"approve": {}})


def _class_table(title: str, classes: dict[str, dict[str, int]]) -> Table:
    """Labels down, splits across; at most 20 labels are shown."""
    table = Table(title=title, title_justify="left")
    table.add_column("label", style="bold", max_width=40)
    for name in classes:
        table.add_column(name, justify="right")
    labels = list(next(iter(classes.values())))
    for label in labels[:20]:
        table.add_row(Text(printable(label)), *(f"{counts[label]:,}" for counts in classes.values()))
    if len(labels) > 20:
        table.add_row(f"… {len(labels) - 20} more", *("" for _ in classes))
    table.add_row("all", *(f"{sum(counts.values()):,}" for counts in classes.values()), style="dim")
    return table


def _known(plan: dict[str, Any]) -> Known:
    """What feedback may name, by the plan."""
    features = [entry["name"] for entry in [*plan["features"], *plan["dropped"]]]
    labels = [label["value"] for label in plan["labels"]]
    return Known(features, labels, reads_notes=plan["by"]["provider"] != "builtin")


class _Review:
    """One review of some files: approved by an earlier approval, a setting, a file, or a person."""

    def __init__(
        self, name: str, mode: str, history: Path, reviewed: Sequence[str | Path], out: Path, known: Known
    ) -> None:
        self._name, self._mode, self._history, self._out, self._known = name, mode, history, out, known
        self._hashes = {str(path): artifacts.sha256(path) for path in reviewed}
        self._folder = out.parent.parent / "feedback"

    def decide(
        self,
        approvals: dict[str, dict[str, str]],
        shortcuts: dict[str, str] | None = None,
        is_set: bool = False,
    ) -> None:
        """Write the decision, or raise ReviewError where nobody approves.

        `approvals` says what each way to approve decides, the first being the proposed one; `shortcuts` which feedback
        stands behind a choice. Where the proposed one `is_set` by the configuration, no earlier approval of another
        one counts.
        """
        proposed = next(iter(approvals.values()))
        by = {"approve": "setting", "file": "file"}.get(self._mode, "person")
        remembered = [proposed] if is_set else list(approvals.values())
        earlier = self._approved_before(remembered) if by == "person" else None
        if earlier is not None:
            say(f"the {self._name} review was approved before, for these very files.")
            decided = earlier
        elif by == "person":
            decided = self._ask(approvals, shortcuts or {})
            _append(self._history, self._content(decided))
        else:
            decided = proposed if by == "setting" else self._read_file(proposed)
        self._remember("approve", by)
        made = {"review": self._name, "decision": "approve", "by": by, **decided, "reviewed": self._hashes}
        artifacts.write(self._out, made, "review")

    def _content(self, decided: dict[str, str]) -> dict[str, Any]:
        return {"review": self._name, **decided, "sha256": sorted(self._hashes.values())}

    def _approved_before(self, decisions: list[dict[str, str]]) -> dict[str, str] | None:
        lines = self._history.read_text(encoding="utf-8").splitlines() if self._history.is_file() else []
        known = [json.loads(line) for line in lines if line.strip()]
        return next((decided for decided in decisions if self._content(decided) in known), None)

    def _remember(self, decision: str, by: str, feedback: Sequence[str] = ()) -> None:
        """A line in the experiment's own history: who decided what, when, on which bytes."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        line = {"time": now, "review": self._name, "decision": decision, "by": by, "sha256": self._hashes}
        _append(self._out.parent / "history.jsonl", {**line, **({"feedback": list(feedback)} if feedback else {})})

    def _read_file(self, proposed: dict[str, str]) -> dict[str, str]:
        """The decision of feedback/approve_NAME.yaml, which has to name these very bytes."""
        path = self._folder / f"approve_{self._name}.yaml"
        wanted = hashlib.sha256("".join(sorted(self._hashes.values())).encode()).hexdigest()
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
        except yaml.YAMLError as error:
            raise ReviewError(f"{path} is no YAML ({' '.join(str(error).split())}): mend or delete it.") from error
        if not isinstance(content, dict) or content.get("sha256") != wanted:
            raise ReviewError(
                f"{path} {'is of other files' if content else 'is awaited'}: look at {', '.join(self._hashes)}, write "
                f"`sha256: {wanted}` into it, and run the same command again."
            )
        asked = {key: str(content[key]) for key in proposed if key in content}
        if asked.get("balance", "none") not in STRATEGIES:
            raise ReviewError(f"{path}: balance: {asked['balance']} is none of {', '.join(STRATEGIES)}.")
        return {**proposed, **asked}

    def _ask(self, approvals: dict[str, dict[str, str]], shortcuts: dict[str, str]) -> dict[str, str]:
        """What a person at the terminal decides; ReviewError where that is not to approve."""
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise ReviewError(
                f"{self._out} needs a person: run the same command in a terminal, approve all reviews with --config "
                f"review=approve, or approve these very files in {self._folder}/approve_{self._name}.yaml with "
                f"--config review=file."
            )
        while True:
            choices = [*approvals, *shortcuts, _OTHER, _STOP]
            answer = questionary.select(f"Approve the {self._name} review?", choices=choices).ask(kbi_msg="")
            if answer in approvals:
                return approvals[answer]
            if answer is None or answer == _STOP:
                self._remember("stop", "person")
                raise ReviewError(
                    f"{self._out}: stopped by you; nothing is lost: run the same command to be asked again."
                )
            changes = self._understand(shortcuts.get(answer))
            if changes:
                self._revise(changes)

    def _understand(self, text: str | None) -> list[Change]:
        """What a person asks for, said back and confirmed; nothing where it was not meant."""
        text = _typed() if text is None else text
        if not text.strip():
            return []
        try:
            changes = parse_feedback(text, self._known)
        except ConfigError as error:
            console.print(Text(printable(str(error)), style="bold red"), soft_wrap=True)
            return []
        for change in changes:
            console.print(Text(printable(f"understood: {change.said_back()}"), style="bold"), soft_wrap=True)
        return changes if questionary.confirm("Save this and stop here?").ask(kbi_msg="") else []

    def _revise(self, changes: list[Change]) -> None:
        files = save_feedback(changes, self._folder)
        self._remember("revise", "person", [change.said_back() for change in changes])
        steps = " and ".join(dict.fromkeys(_STEPS[change.step] for change in changes))
        raise ReviewError(
            f"feedback is saved in {', '.join(map(str, files))}: run the same command to go on from {steps}."
        )


def _typed() -> str:
    """Lines until an empty one."""
    console.print("One change a line (README, “Reviews”); an empty line ends.", highlight=False)
    lines: list[str] = []
    while line := questionary.text(">", qmark="").ask(kbi_msg=""):
        lines.append(line)
    return "\n".join(lines)


def _append(path: Path, line: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
    log.info("remembered %s", line)
