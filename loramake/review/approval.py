"""Deciding on some files: approved before, by a setting, by a file, or by a person at the terminal.

An approval holds for the bytes that were approved: unchanged files are not asked about twice, whatever experiment they
are in (LlamaFactory's configuration names its experiment, so that one is asked about in each).
"""

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import questionary
import yaml
from rich.text import Text

from loramake import artifacts, schemas
from loramake.artifact_types.review import Decided, Decider, Review, ReviewName
from loramake.config import REVIEWS, STRATEGIES
from loramake.console import console, fitted, log, printable, say
from loramake.errors import ConfigError, ReviewError
from loramake.layout import DECISIONS, approval_name
from loramake.parsing import ParsingError
from loramake.parsing.json_text import read_json_lines
from loramake.parsing.yaml_text import read_yaml
from loramake.paths import APPROVALS
from loramake.review.changes import Change, FeedbackContext, check_values, first_rule, parse_feedback, save_feedback
from loramake.terminal import held

_OTHER, _STOP = "something else …", "stop"
_HINT = (
    "drop features: a, b · add features: a · keep only features: a, b · use oversample · test_ratio: 0.3 · "
    "change target mapping: 0: No, 1: Yes · change instruction to: … · lora_rank: 32, num_train_epochs: 5 · YAML · JSON"
)
_ENDS = "One change a line; an empty line ends."


@dataclass(frozen=True)
class Question:
    """What one review asks about."""

    name: ReviewName
    files: Sequence[str | Path]
    """An approval is of their bytes."""
    known: FeedbackContext
    approvals: dict[str, Decided]
    """What each way to approve decides; the first is the proposed one."""
    shortcuts: dict[str, str] = field(default_factory=dict)
    """Feedback that stands behind a choice."""
    is_set: bool = False
    """Whether the configuration says what is proposed: then no earlier approval of another choice counts."""

    @property
    def proposed(self) -> Decided:
        return next(iter(self.approvals.values()))


class Approval:
    """The decision on one question, kept in the file `out` of an experiment's folder review/."""

    def __init__(self, question: Question, out: Path, history: str | Path = APPROVALS) -> None:
        self._question, self._history, self._out = question, Path(history), out
        self._hashes = {str(path): artifacts.sha256(path) for path in question.files}
        self._folder = out.parent.parent / "feedback"
        self._file = self._folder / approval_name(question.name)

    def decide(self, mode: str) -> None:
        """Write the decision, or raise ReviewError where nobody approves."""
        by: Decider = "setting" if mode == "approve" else "file" if mode == "file" else "person"
        earlier = self._earlier() if by == "person" else None
        if by == "person":
            decided = self._ask() if earlier is None else earlier
        else:
            decided = self._question.proposed if by == "setting" else self._read_file()
        self._remember("approve", by, **({} if earlier is None else {"remembered": True}))
        made: Review = {
            "review": self._question.name,
            "decision": "approve",
            "by": by,
            **decided,
            "reviewed": self._hashes,
        }
        artifacts.write(self._out, made, schemas.REVIEW)

    def decide_ahead(self) -> None:
        """Ask a person outside of a run, and keep an approval for the run to find, whatever its mode."""
        decided = self._earlier()
        if decided is None:
            decided = self._ask()
            self._remember("approve", "person")
        text = yaml.safe_dump({"sha256": self._digest(), **decided}, sort_keys=False)
        artifacts.write_text(self._file, f"# Approved at the terminal, for these very files.\n{text}")
        say(f"approved, in {self._file} and {self._history}: run the experiment again to go on.")

    def _earlier(self) -> Decided | None:
        """What was approved before for the same bytes."""
        question = self._question
        known = _read_history(self._history)
        ways = [question.proposed] if question.is_set else list(question.approvals.values())
        found = next((decided for decided in ways if self._content(decided) in known), None)
        if found is not None:
            say(f"the {question.name} review was approved before, for these very files.")
        return found

    def _content(self, decided: Decided) -> dict[str, Any]:
        return {"review": self._question.name, **decided, "sha256": sorted(self._hashes.values())}

    def _digest(self) -> str:
        return hashlib.sha256("".join(sorted(self._hashes.values())).encode()).hexdigest()

    def _remember(self, decision: str, by: str, **more: Any) -> None:
        """A line in the experiment's own history: who decided what, when, on which bytes.

        `remembered` stands in it where a person was not asked again, `feedback` where something was to be changed.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        line = {"time": now, "review": self._question.name, "decision": decision, "by": by, "sha256": self._hashes}
        _append(self._out.parent / "history.jsonl", {**line, **more})

    def _read_file(self) -> Decided:
        """The decision of feedback/approve_NAME.yaml, which has to name these very bytes."""
        path, proposed = self._file, self._question.proposed
        try:
            content = read_yaml(path) if path.is_file() else None
        except ParsingError as error:
            raise ReviewError(f"{path} is not valid YAML ({error}): fix or delete it.") from error
        if not isinstance(content, dict) or content.get("sha256") != self._digest():
            raise ReviewError(
                f"{path} {'is of other files' if content else 'is awaited'}: look at {', '.join(self._hashes)}, write "
                f"`sha256: {self._digest()}` into it (or say `loramake review {self._out.parent.parent.name}`), and "
                f"run the same command again."
            )
        if "balance" not in proposed or "balance" not in content:
            return proposed
        asked = str(content["balance"])
        for strategy in STRATEGIES:
            if asked == strategy:
                return {"balance": strategy}
        raise ReviewError(f"{path}: balance: {asked} is none of {', '.join(STRATEGIES)}.")

    def _ask(self) -> Decided:
        """What a person at the terminal decides; ReviewError where that is not to approve."""
        question = self._question
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise ReviewError(
                f"{self._out} needs a person: run the same command in a terminal, or set review: approve to approve "
                f"all reviews, or review: file to approve these very files in {self._file} (in config.yaml, by "
                f"snakemake --config review=…, or by loramake run --review …)."
            )
        with held():
            while True:
                choices = [*question.approvals, *question.shortcuts, _OTHER, _STOP]
                asked = printable(f"Approve the {question.name} review of {self._folder.parent.name}?")
                answer = questionary.select(asked, choices=choices).ask(kbi_msg="")
                if answer in question.approvals:
                    _append(self._history, self._content(question.approvals[answer]))
                    return question.approvals[answer]
                if answer is None or answer == _STOP:
                    self._remember("stop", "person")
                    raise ReviewError(
                        f"{self._out}: stopped by you; nothing is lost: run the same command to be asked again."
                    )
                changes = self._understand(question.shortcuts.get(answer))
                if changes:
                    self._revise(changes)

    def _understand(self, text: str | None) -> list[Change]:
        """What a person asks for, said back and confirmed; nothing where it was not meant."""
        text = _typed() if text is None else text
        while text.strip():
            try:
                changes = parse_feedback(text, self._question.known)
                check_values(changes, self._question.known)
            except ConfigError as error:
                console.print(Text(fitted(printable(str(error))), style="bold red"))
                text = _typed(text)
                continue
            for change in changes:
                console.print(Text(fitted(printable(f"understood: {change.describe()}")), style="bold"))
            is_meant = questionary.confirm(f"Save this, to go on from {first_rule(changes)}?").ask(kbi_msg="")
            return changes if is_meant else []
        return []

    def _revise(self, changes: list[Change]) -> None:
        files = save_feedback(changes, self._folder)
        self._remember("revise", "person", feedback=[change.describe() for change in changes])
        raise ReviewError(
            f"feedback is saved in {', '.join(map(str, files))}: "
            f"run the same command to go on from {first_rule(changes)}."
        )


def forget_reviews(results: str | Path, first: str) -> None:
    """Take back the decisions of an experiment from one review on, so that they are asked for again.

    Their files, those of feedback/approve_NAME.yaml, and the approvals of the same bytes in the history go.
    """
    history = Path(APPROVALS)
    for name in REVIEWS[REVIEWS.index(first) :]:
        path = DECISIONS[name].within(results)
        Path(results, "feedback", approval_name(name)).unlink(missing_ok=True)
        if not path.is_file():
            continue
        of_these = {"review": name, "sha256": sorted(artifacts.read(path, schemas.REVIEW)["reviewed"].values())}
        lines = _read_history(history)
        kept = [line for line in lines if not of_these.items() <= line.items()]
        if len(kept) < len(lines):
            artifacts.write_text(history, "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in kept))
        path.unlink()


def _read_history(path: Path) -> list[dict[str, Any]]:
    """What people approved, a mapping each; ReviewError where the file is damaged."""
    try:
        lines = read_json_lines(path) if path.is_file() else []
    except ParsingError as error:
        raise ReviewError(f"{path} cannot be read ({error}): delete it, and reviews are asked again.") from error
    return [line for line in lines if isinstance(line, dict)]


def _typed(before: str = "") -> str:
    """Lines until an empty one, the first one to be mended where it was refused; nothing after Ctrl-C."""
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
