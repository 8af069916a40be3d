"""Decisions on files: by an earlier approval, a setting, a file, or a person at the terminal.

An approval applies to the approved bytes: unchanged files are not reviewed twice, whatever experiment they are in
(LlamaFactory's configuration contains its experiment's name, so it is reviewed in each).
"""

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import questionary
import yaml
from rich.rule import Rule
from rich.text import Text

from loramake import artifacts, schemas
from loramake.artifact_types.review import Decided, Decider, Review, ReviewName
from loramake.config import REVIEWS, STRATEGIES
from loramake.console import console, fitted, log, printable, say
from loramake.errors import ConfigError, FeedbackSavedError, ReviewError, StoppedError
from loramake.layout import DECISIONS, approval_name
from loramake.parsing import ParsingError
from loramake.parsing.json_text import read_json_lines
from loramake.parsing.yaml_text import read_yaml
from loramake.paths import APPROVALS
from loramake.review.changes import (
    Change,
    FeedbackContext,
    check_changes,
    first_rule,
    parse_feedback,
    save_feedback,
)
from loramake.terminal import held

_OTHER, _SHOW, _STOP = "something else …", "show the files", "stop"
_HINT = (
    "drop features: a, b · add features: a · keep only features: a, b · use oversample · test_ratio: 0.3 · "
    "change target mapping: 0: No, 1: Yes · change instruction to: … · lora_rank: 32, num_train_epochs: 5 · YAML · JSON"
)
_ENDS = "One change per line; an empty line ends the input."


@dataclass(frozen=True)
class Question:
    """The subject of one review."""

    name: ReviewName
    files: Sequence[str | Path]
    """An approval applies to their bytes."""
    context: FeedbackContext
    approvals: dict[str, Decided]
    """The decision of each way to approve; the first is the proposed one."""
    shortcuts: dict[str, str] = field(default_factory=dict)
    """The feedback that a choice stands for."""
    is_set: bool = False
    """Whether the configuration sets the proposal: then an earlier approval of another choice does not count."""
    has_short_files: bool = False
    """Whether a person can have the files printed before deciding."""

    @property
    def proposed(self) -> Decided:
        return next(iter(self.approvals.values()))


class Approval:
    """The decision on one question, kept in the file `out` of an experiment's folder review/."""

    def __init__(
        self, question: Question, out: Path, ratios: Mapping[str, float], history: str | Path = APPROVALS
    ) -> None:
        """`ratios` are the shares of the splits in effect, which feedback may change."""
        self._question, self._ratios, self._history, self._out = question, ratios, Path(history), out
        self._hashes = {str(path): artifacts.sha256(path) for path in question.files}
        self._folder = out.parent.parent / "feedback"
        self._file = self._folder / approval_name(question.name)

    def decide(self, mode: str) -> None:
        """Write the decision; ReviewError if nobody approves."""
        by: Decider = "setting" if mode == "approve" else "file" if mode == "file" else "person"
        earlier = self._earlier() if by == "person" else None
        if by == "person":
            decided = self._ask() if earlier is None else earlier
        else:
            decided = self._question.proposed if by == "setting" else self._read_file()
        self._remember("approve", by, **({} if earlier is None else {"remembered": True}))
        review: Review = {
            "review": self._question.name,
            "decision": "approve",
            "by": by,
            **decided,
            "reviewed": self._hashes,
        }
        artifacts.write(self._out, review, schemas.REVIEW)

    def decide_ahead(self) -> None:
        """Ask a person outside of a run, and keep an approval for the next run, whatever its mode."""
        decided = self._earlier()
        if decided is None:
            try:
                decided = self._ask()
            except FeedbackSavedError as saved:
                say(str(saved))
                return
            self._remember("approve", "person")
        text = yaml.safe_dump({"sha256": self._digest(), **decided}, sort_keys=False)
        artifacts.write_text(self._file, f"# Approved at the terminal, for exactly these files.\n{text}")
        say(f"approved, in {self._file} and {self._history}: run the experiment again to continue.")

    def _earlier(self) -> Decided | None:
        """The earlier decision on the same bytes."""
        question = self._question
        history = _read_history(self._history)
        candidates = [question.proposed] if question.is_set else list(question.approvals.values())
        earlier = next((decided for decided in candidates if self._content(decided) in history), None)
        if earlier is not None:
            say(f"the {question.name} review was approved before, for exactly these files.")
        return earlier

    def _content(self, decided: Decided) -> dict[str, Any]:
        return {"review": self._question.name, **decided, "sha256": sorted(self._hashes.values())}

    def _digest(self) -> str:
        return hashlib.sha256("".join(sorted(self._hashes.values())).encode()).hexdigest()

    def _remember(self, decision: str, by: str, **more: Any) -> None:
        """Add a line to the experiment's own history: who decided what, when, on which bytes.

        It contains `remembered` if an earlier approval was used, `feedback` if changes were requested.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        line = {"time": now, "review": self._question.name, "decision": decision, "by": by, "sha256": self._hashes}
        _append(self._out.parent / "history.jsonl", {**line, **more})

    def _read_file(self) -> Decided:
        """The decision of feedback/approve_NAME.yaml, which must name exactly these bytes."""
        path, proposed = self._file, self._question.proposed
        try:
            content = read_yaml(path) if path.is_file() else None
        except ParsingError as error:
            raise ReviewError(f"{path} is not valid YAML ({error}): fix or delete it.") from error
        if not isinstance(content, dict) or content.get("sha256") != self._digest():
            raise ReviewError(
                f"{path} {'approves other files' if content else 'is missing'}: read {', '.join(self._hashes)}, write "
                f"`sha256: {self._digest()}` into it (or run `loramake review {self._out.parent.parent.name}`), and "
                f"run the same command again."
            )
        if "balance" not in proposed or "balance" not in content:
            return proposed
        requested = str(content["balance"])
        for strategy in STRATEGIES:
            if requested == strategy:
                return {"balance": strategy}
        raise ReviewError(f"{path}: balance: {requested} is not one of {', '.join(STRATEGIES)}.")

    def _ask(self) -> Decided:
        """The decision of a person at the terminal; ReviewError unless it is to approve."""
        question = self._question
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise ReviewError(
                f"{self._out} needs a person: run the same command in a terminal, or set review: approve to approve "
                f"all reviews, or review: file to approve exactly these files in {self._file} (in config.yaml, with "
                f"snakemake --config review=…, or with loramake run --review …)."
            )
        with held():
            while True:
                shown = [_SHOW] if question.has_short_files else []
                choices = [*question.approvals, *question.shortcuts, _OTHER, *shown, _STOP]
                prompt = printable(f"Approve the {question.name} review of {self._folder.parent.name}?")
                answer = questionary.select(prompt, choices=choices).ask(kbi_msg="")
                if answer in question.approvals:
                    _append(self._history, self._content(question.approvals[answer]))
                    return question.approvals[answer]
                if answer is None or answer == _STOP:
                    self._remember("stop", "person")
                    raise StoppedError(
                        f"{self._out}: stopped by you; nothing is lost: run the same command to be asked again."
                    )
                if answer == _SHOW:
                    _show_files(question.files)
                    continue
                changes = self._understand(question.shortcuts.get(answer))
                if changes:
                    self._revise(changes)

    def _understand(self, text: str | None) -> list[Change]:
        """The changes that a person requests, repeated and confirmed; empty if not confirmed."""
        text = _typed() if text is None else text
        while text.strip():
            try:
                changes = parse_feedback(text, self._question.context)
                check_changes(changes, self._folder, self._question.context, self._ratios)
            except ConfigError as error:
                console.print(Text(fitted(printable(str(error))), style="bold red"))
                text = _typed(text)
                continue
            for change in changes:
                console.print(Text(fitted(printable(f"understood: {change.describe()}")), style="bold"))
            is_confirmed = questionary.confirm(f"Save this, and continue from {first_rule(changes)}?").ask(kbi_msg="")
            return changes if is_confirmed else []
        return []

    def _revise(self, changes: list[Change]) -> None:
        files = save_feedback(changes, self._folder)
        self._remember("revise", "person", feedback=[change.describe() for change in changes])
        raise FeedbackSavedError(
            f"feedback is saved in {', '.join(map(str, files))}: "
            f"run the same command to continue from {first_rule(changes)}."
        )


def forget_reviews(results: str | Path, first: str) -> None:
    """Withdraw the decisions of an experiment from one review on, so that these reviews are repeated.

    This removes their files, feedback/approve_NAME.yaml, and the approvals of the same bytes in the history.
    """
    history = Path(APPROVALS)
    for name in REVIEWS[REVIEWS.index(first) :]:
        path = DECISIONS[name].within(results)
        Path(results, "feedback", approval_name(name)).unlink(missing_ok=True)
        if not path.is_file():
            continue
        reviewed = {"review": name, "sha256": sorted(artifacts.read(path, schemas.REVIEW)["reviewed"].values())}
        lines = _read_history(history)
        kept = [line for line in lines if not reviewed.items() <= line.items()]
        if len(kept) < len(lines):
            artifacts.write_text(history, "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in kept))
        path.unlink()


def _read_history(path: Path) -> list[dict[str, Any]]:
    """The approvals, a mapping each; ReviewError if the file is damaged."""
    try:
        lines = read_json_lines(path) if path.is_file() else []
    except ParsingError as error:
        raise ReviewError(f"{path} cannot be read ({error}): delete it, and the reviews are repeated.") from error
    return [line for line in lines if isinstance(line, dict)]


def _show_files(paths: Sequence[str | Path]) -> None:
    """Print YAML or JSON files, their keys in bold."""
    for path in paths:
        console.print(Rule(Text(printable(str(path))), align="left"))
        for line in Path(path).read_text(encoding="utf-8").splitlines():
            key, colon, value = line.partition(":")
            console.print(Text.assemble((printable(key), "bold"), colon, printable(value)))


def _typed(before: str = "") -> str:
    """Lines until an empty one; a refused text can be edited; empty after Ctrl-C."""
    console.print(Text(fitted(_ENDS if before else f"{_HINT}\n{_ENDS}")))
    lines: list[str] = []
    line: str | None = questionary.text(">", qmark="", default=before).ask(kbi_msg="")
    while line:
        lines.append(line)
        line = questionary.text(">", qmark="").ask(kbi_msg="")
    return "" if line is None else "\n".join(lines)


def _append(path: Path, line: dict[str, Any]) -> None:
    artifacts.append_text(path, json.dumps(line, ensure_ascii=False) + "\n")
    log.info("remembered %s", line)
