"""The agent that asks a model behind an OpenAI-compatible endpoint: what it answers is checked before it is used."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from loramake import artifacts
from loramake.agents import Exploration, Failure, Finding, MadeBy, Sample
from loramake.agents.answers import AnswerError, read_code
from loramake.agents.builtin import BuiltinAgent, order_labels
from loramake.agents.connection import connect
from loramake.agents.endpoint import Endpoint, start
from loramake.agents.sight import Sight
from loramake.console import say
from loramake.errors import nearest
from loramake.profile import shorten
from loramake.rendering import render

_MOST_LABELS = 20
_OUTPUT_SHOWN = 3_000
_PROMPT_SHOWN = 1_500


class OpenAIAgent:
    """A language model in place of rules."""

    reads_notes = True
    tries = 3

    def __init__(self, settings: Mapping[str, Any], step: str, results: Path) -> None:
        """`settings` holds AGENT_KEYS; the transcript goes under `results`."""
        connection = connect(settings)
        self._endpoint = Endpoint(connection, step, results, settings)
        self._sees = settings["agent_sees"]
        self.by = MadeBy(provider="openai", model=connection.model)

    def _look(self, profile: dict[str, Any], model: str, with_rows: bool) -> Sight:
        """What may be shown; says so."""
        sight = Sight(self._sees, profile)
        say(f"{self._endpoint.step}: {model} at {self._endpoint.connection.host} is sent {sight.says(with_rows)}.")
        return sight

    def explore(
        self, profile: dict[str, Any], table: pd.DataFrame, target: str | None, notes: list[str]
    ) -> Exploration:
        sight = self._look(profile, self._endpoint.connection.model, with_rows=True)
        prompt = render(
            "openai/explore_data.j2",
            columns=sight.columns(),
            rows=sight.rows(table),
            row_count=profile["rows"],
            target=target,
            notes=notes,
            most_labels=_MOST_LABELS,
        )

        def check(answer: dict[str, Any]) -> None:
            _check_target(answer["target"], target, list(map(str, table.columns)))
            _check_labels(answer["labels"], list(table[answer["target"]].dropna().unique()), sight.level != "names")

        found = self._endpoint.answer(prompt, "answers/explore_data", check)
        occurring = list(table[found["target"]].dropna().unique())
        ordered = found["labels"] if len(found["labels"]) == len(occurring) else order_labels(occurring)
        return {"target": found["target"], "labels": ordered, "reason": " ".join(found["reason"].split())}

    def plan(
        self,
        profile: dict[str, Any],
        task: dict[str, Any],
        selected: dict[str, Any],
        card: dict[str, Any],
        notes: list[str],
    ) -> dict[str, Any]:
        sight = self._look(profile, self._endpoint.connection.model, with_rows=False)
        prompt = render(
            "openai/plan_preparation.j2",
            task=task,
            labels=_labels_text(task, sight),
            columns=sight.columns(selected["kept"]),
            notes=notes,
        )

        def made_of(answer: dict[str, Any]) -> dict[str, Any]:
            _check_dropped([entry["name"] for entry in answer["drop"]], selected["kept"], selected.get("wanted", []))
            return self._plan_of(answer, profile, task, selected, card)

        answer = self._endpoint.answer(
            prompt, "answers/plan_preparation", lambda answer: artifacts.validate(made_of(answer), "plan", "the plan")
        )
        return made_of(answer)

    def _plan_of(
        self,
        answer: dict[str, Any],
        profile: dict[str, Any],
        task: dict[str, Any],
        selected: dict[str, Any],
        card: dict[str, Any],
    ) -> dict[str, Any]:
        """The rules' plan, which follows the base model's card, with what the model decided in its place."""
        dropped = {entry["name"]: entry for entry in answer["drop"]}
        chosen = {
            **selected,
            "kept": [name for name in selected["kept"] if name not in dropped],
            "dropped": [*selected["dropped"], *dropped.values()],
        }
        plan = BuiltinAgent().plan(profile, task, chosen, card, [])
        instruction = plan["instruction"] if "instruction" in card else answer["instruction"].strip()
        return {
            **plan,
            "instruction": instruction,
            "balance": answer["balance"],
            "advice": answer["advice"].strip(),
            "by": self.by,
        }

    def write_prep_code(self, plan: dict[str, Any], profile: dict[str, Any], failures: list[Failure]) -> str:
        sight = self._look(profile, self._endpoint.connection.coder, with_rows=bool(failures))
        names = [feature["name"] for feature in plan["features"]]
        prompt = render("openai/write_prep_code.j2", plan=plan, features=sight.columns(names))
        return self._write(prompt, ("fit", "transform"), failures, sight)

    def write_balance_code(self, strategy: str, failures: list[Failure]) -> str:
        if strategy == "none":  # nothing to decide: no call is worth it
            return BuiltinAgent().write_balance_code(strategy, failures)
        connection = self._endpoint.connection
        say(f"{self._endpoint.step}: {connection.coder} at {connection.host} is sent nothing of the table.")
        return self._write(render("openai/write_balance_code.j2", strategy=strategy), ("balance",), failures, None)

    def _write(self, prompt: str, functions: tuple[str, ...], failures: list[Failure], sight: Sight | None) -> str:
        messages = start(prompt)
        for failure in failures:
            shown = _printed(failure, sight)
            mend = render("openai/mend_code.j2", complaint=_complaint(failure, sight), output=shown)
            fence = f"```python\n{failure['code']}```"
            messages += [{"role": "assistant", "content": fence}, {"role": "user", "content": mend}]
        coder = self._endpoint.connection.coder
        return self._endpoint.converse(coder, messages, lambda text: read_code(text, functions))

    def verify(
        self, plan: dict[str, Any], profile: dict[str, Any], checks: list[str], samples: dict[str, list[Sample]]
    ) -> list[Finding]:
        sight = self._look(profile, self._endpoint.connection.model, with_rows=True)
        shown = _samples_text(samples, sight) if sight.sees_rows else None
        known = {sample["record"]["row"] for part in samples.values() for sample in part} if shown else set()
        prompt = render("openai/verify_prepared_data.j2", plan=plan, checks="\n".join(checks), samples=shown)

        def check(answer: dict[str, Any]) -> None:
            strange = [row for finding in answer["findings"] for row in finding["rows"] if row not in known]
            if strange:
                raise AnswerError(f"Row {strange[0]} is none of those shown.")

        findings: list[Finding] = self._endpoint.answer(prompt, "answers/verify_prepared_data", check)["findings"]
        return findings

    def forget(self) -> None:
        self._endpoint.forget()

    def judged(self) -> str:
        return "samples of each split" if self._sees == "samples" else "the checks alone: it is shown no row"


def _check_target(named: str, given: str | None, columns: list[str]) -> None:
    if given is not None and named != given:
        raise AnswerError(f"The column to predict is {given!r}, as the table's owner says, and not {named!r}.")
    if named not in columns:
        raise AnswerError(f"{named!r} is not a column{nearest(named, columns)}.")


def _labels_text(task: dict[str, Any], sight: Sight) -> str:
    """The labels with their rows, or how many there are, where they may not be seen."""
    labels = task["labels"]
    if sight.level == "names" or task["target"] in sight.personal:
        return f"{len(labels)} labels"
    return "\n".join(f"{label['value']!r}: {label['rows']}" for label in labels[:_MOST_LABELS])


def _check_labels(named: list[str], occurring: list[str], may_see: bool) -> None:
    """The labels are those that occur, each once, or none are named; what is near is said where it may be seen."""
    strange = [label for label in named if label not in set(occurring)]
    if strange:
        near = nearest(strange[0], occurring) if may_see else ""
        raise AnswerError(f"The label {strange[0]!r} does not occur in the column{near}.")
    if named and len(set(named)) != len(occurring):
        raise AnswerError(f"The column has {len(occurring)} labels, and {len(set(named))} are named: name all or none.")


def _check_dropped(names: list[str], kept: list[str], wanted: list[str]) -> None:
    overruled = [name for name in names if name in wanted]
    if overruled:
        raise AnswerError(f"The table's owner wants {overruled[0]!r} to be read: do not drop it.")
    strange = [name for name in names if name not in kept]
    if strange:
        raise AnswerError(f"{strange[0]!r} is not one of the columns that may be read{nearest(strange[0], kept)}.")
    if len(set(names)) >= len(kept):
        raise AnswerError("Every column is dropped, so nothing is left to predict from: drop fewer.")


def _complaint(failure: Failure, sight: Sight | None) -> str:
    """What was wrong; where no row may be seen, an exception's kind and place, since its message may quote a cell.

    So it is where a table holds personal data: a message quotes a cell without saying whose.
    """
    if sight is not None and sight.sees_rows and not sight.personal:
        return sight.clean(failure["complaint"])
    if failure["check"]:
        return f"The check “{failure['check']}” failed."
    kinds = re.findall(r"^(?:\w+\.)*(\w+(?:Error|Exception|Exit|Interrupt))(?:: .*)?$", failure["output"], re.M)
    places = re.findall(r"line (\d+, in \w+)", failure["output"])
    return f"It failed with {kinds[-1] if kinds else 'an error'}" + (f" in line {places[-1]}." if places else ".")


def _printed(failure: Failure, sight: Sight | None) -> str:
    """The end of what the code printed, and the rows that show the failure; nothing where no row may be seen."""
    if sight is None or not sight.sees_rows or sight.personal:
        return ""
    return sight.clean("\n".join([failure["output"][-_OUTPUT_SHOWN:], *failure["rows"]]).strip())


def _samples_text(samples: dict[str, list[Sample]], sight: Sight) -> str:
    lines = []
    for split, part in samples.items():
        for sample in part:
            record = sample["record"]
            text = sight.clean(f"{record['instruction']}\n{record['input']}", sample["cells"])
            answer = sight.clean(record["output"], sample["cells"])
            lines.append(f"{split}, row {record['row']}:\n{shorten(text, _PROMPT_SHOWN)}\nanswer: {answer}")
    return "\n\n".join(lines)
