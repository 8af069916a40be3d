"""The agent that queries a model behind an OpenAI-compatible endpoint; answers are checked before use."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from loramake import artifacts, schemas
from loramake.agents import Failure, Sample
from loramake.agents.answers import AnswerError, read_code
from loramake.agents.builtin import BuiltinAgent
from loramake.agents.complaints import CHECKS, complaint, may_show_rows, printed
from loramake.agents.connection import connect
from loramake.agents.disclosure import Disclosure
from loramake.agents.endpoint import Endpoint, start
from loramake.artifact_types.agents import Critique, Exploration, PlanAnswer
from loramake.artifact_types.explore import Profile, TaskDescription
from loramake.artifact_types.llm import Card
from loramake.artifact_types.prepare import ChosenFeatures, Finding, Plan
from loramake.artifact_types.shared import MadeBy
from loramake.console import say
from loramake.errors import ArtifactError, nearest
from loramake.rendering import render
from loramake.tables.source import row_number
from loramake.tasks import rows_by_label
from loramake.text import shorten

_MOST_LABELS = 20
_LONGEST_LABEL = 200
_LONGEST_REASON = 1_000
_LONGEST_TEXTS = {"instruction": 2_000, "advice": 4_000}
"""Characters: an instruction is repeated in every row's prompt, the advice in the coder's."""
_MOST_FINDINGS = 50
_PROMPT_SHOWN = 1_500


class OpenAIAgent:
    """A language model in place of rules."""

    reads_notes = True
    tries = 3

    def __init__(self, settings: Mapping[str, Any], step: str, results: Path) -> None:
        """`settings` contains AGENT_KEYS; the transcript goes under `results`."""
        connection = connect(settings)
        self._endpoint = Endpoint(connection, step, results, settings)
        self._sees = settings["agent_sees"]
        self._judged = "nothing yet"
        self.by = MadeBy(provider="openai", model=connection.model)

    def _disclose(self, profile: Profile, model: str, with_rows: bool, made_by_code: bool = False) -> Disclosure:
        """What may be shown, announced to the user; no rows made by generated code if a table has personal data."""
        disclosure = Disclosure(self._sees, profile)
        with_rows = with_rows and (may_show_rows(disclosure) or not made_by_code)
        say(f"{self._endpoint.step}: {model} at {self._endpoint.connection.host} is sent {disclosure.says(with_rows)}.")
        return disclosure

    def explore(self, profile: Profile, table: pd.DataFrame, target: str | None, notes: list[str]) -> Exploration:
        disclosure = self._disclose(profile, self._endpoint.connection.model, with_rows=True)
        prompt = render(
            "openai/explore_data.j2",
            columns=disclosure.columns(),
            rows=disclosure.rows(table),
            row_count=profile["rows"],
            target=target,
            notes=notes,
            most_labels=_MOST_LABELS,
        )

        def check(proposed: Exploration) -> None:
            _check_target(proposed["target"], target, list(map(str, table.columns)))
            occurring = list(table[proposed["target"]].dropna().unique())
            if disclosure.shows_cells_of(proposed["target"]) and len(occurring) <= _MOST_LABELS:
                _check_labels(proposed["labels"], occurring)

        answer = self._endpoint.answer(prompt, schemas.EXPLORE_DATA, check)
        occurring = list(table[answer["target"]].dropna().unique())
        ordered = answer["labels"] if sorted(answer["labels"]) == sorted(occurring) else []
        reason = shorten(" ".join(answer["reason"].split()), _LONGEST_REASON)
        return {"target": answer["target"], "labels": ordered, "reason": reason}

    def plan(
        self,
        profile: Profile,
        task: TaskDescription,
        selected: ChosenFeatures,
        card: Card,
        notes: list[str],
    ) -> Plan:
        disclosure = self._disclose(profile, self._endpoint.connection.model, with_rows=False)
        prompt = render(
            "openai/plan_preparation.j2",
            task=task,
            labels=_labels_text(task, disclosure),
            columns=disclosure.columns(selected["kept"]),
            notes=notes,
        )

        def to_plan(answer: PlanAnswer) -> Plan:
            _check_texts(answer)
            _check_dropped([entry["name"] for entry in answer["drop"]], selected["kept"], selected.get("wanted", []))
            return self._plan_of(answer, profile, task, selected, card)

        def check(answer: PlanAnswer) -> None:
            try:
                artifacts.validate(to_plan(answer), schemas.PLAN, "the plan")
            except ArtifactError as error:  # it quotes a value of the plan, which names the labels
                raise (
                    error if disclosure.sees_rows else AnswerError("The answer does not make a valid plan.")
                ) from error

        return to_plan(self._endpoint.answer(prompt, schemas.PLAN_PREPARATION, check))

    def _plan_of(
        self,
        answer: PlanAnswer,
        profile: Profile,
        task: TaskDescription,
        selected: ChosenFeatures,
        card: Card,
    ) -> Plan:
        """The builtin plan, which follows the base model's card, with the model's decisions put in."""
        dropped = {entry["name"]: entry for entry in answer["drop"]}
        chosen: ChosenFeatures = {
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

    def write_prep_code(self, plan: Plan, profile: Profile, failures: list[Failure]) -> str:
        disclosure = self._disclose(
            profile, self._endpoint.connection.coder, with_rows=bool(failures), made_by_code=True
        )
        names = [feature["name"] for feature in plan["features"]]
        prompt = render("openai/write_prep_code.j2", plan=plan, features=disclosure.columns(names))
        return self._write(prompt, ("fit", "transform"), failures, disclosure)

    def write_balance_code(self, strategy: str, failures: list[Failure]) -> str:
        if strategy == "none":  # nothing to decide, so no call
            return BuiltinAgent().write_balance_code(strategy, failures)
        connection = self._endpoint.connection
        say(f"{self._endpoint.step}: {connection.coder} at {connection.host} is sent nothing of the table.")
        return self._write(render("openai/write_balance_code.j2", strategy=strategy), ("balance",), failures, None)

    def _write(
        self, prompt: str, functions: tuple[str, ...], failures: list[Failure], disclosure: Disclosure | None
    ) -> str:
        messages = start(prompt)
        for failure in failures:
            shown = printed(failure, disclosure)
            request = render("openai/fix_code.j2", complaint=complaint(failure, disclosure), output=shown)
            fence = f"```python\n{failure['code']}```"
            messages += [{"role": "assistant", "content": fence}, {"role": "user", "content": request}]
        coder = self._endpoint.connection.coder
        return self._endpoint.converse(coder, messages, lambda text: read_code(text, functions))

    def verify(
        self, plan: Plan, profile: Profile, checks: list[str], samples: dict[str, list[Sample]]
    ) -> list[Finding]:
        disclosure = self._disclose(profile, self._endpoint.connection.model, with_rows=True, made_by_code=True)
        is_shown = may_show_rows(disclosure)
        self._judged = "samples of each split" if is_shown else "the checks alone, since it sees no rows"
        shown = _samples_text(samples, disclosure) if is_shown else None
        shown_samples = [sample for part in samples.values() for sample in part] if shown else []
        shown_rows = {row_number(sample["record"]["row"]) for sample in shown_samples}
        passed = checks if is_shown else [name for line in checks if (name := line.partition(": ")[0]) in CHECKS]
        prompt = render("openai/verify_prepared_data.j2", plan=plan, checks="\n".join(passed), samples=shown)

        def check(answer: Critique) -> None:
            if len(answer["findings"]) > _MOST_FINDINGS:
                raise AnswerError(f"There are more than {_MOST_FINDINGS} findings: give those that matter most.")
            unknown = [row for finding in answer["findings"] for row in finding["rows"] if row not in shown_rows]
            if unknown:
                raise AnswerError(f"Row {unknown[0]} is not one of those shown.")

        return self._endpoint.answer(prompt, schemas.VERIFY_PREPARED_DATA, check)["findings"]

    def forget(self) -> None:
        self._endpoint.forget()

    def judged(self) -> str:
        return self._judged


def _check_target(proposed: str, required: str | None, columns: list[str]) -> None:
    if required is not None and proposed != required:
        raise AnswerError(f"The column to predict is {required!r}, as the table's owner says, and not {proposed!r}.")
    if proposed not in columns:
        raise AnswerError(f"{proposed!r} is not a column{nearest(proposed, columns)}.")


def _labels_text(task: TaskDescription, disclosure: Disclosure) -> str:
    """The labels with their row counts; only their number if they may not be shown."""
    rows = rows_by_label(task)
    if not disclosure.shows_cells_of(task["target"]):
        return f"{len(rows)} labels"
    return "\n".join(f"{label!r}: {count}" for label, count in list(rows.items())[:_MOST_LABELS])


def _check_labels(proposed: list[str], occurring: list[str]) -> None:
    """Raise AnswerError unless the labels are those that occur, each once, or none.

    For labels that may be shown only: the message says whether a guess occurs.
    """
    labels = set(occurring)
    unknown = [label for label in proposed if label not in labels]
    if unknown:
        near = nearest(unknown[0][:_LONGEST_LABEL], occurring)
        raise AnswerError(f"The label {shorten(unknown[0], _LONGEST_LABEL)!r} does not occur in the column{near}.")
    if proposed and len(set(proposed)) != len(occurring):
        count = len(set(proposed))
        raise AnswerError(f"The column has {len(occurring)} labels, but the answer names {count}: name all or none.")


def _check_texts(answer: PlanAnswer) -> None:
    texts = {"instruction": answer["instruction"], "advice": answer["advice"]}
    for key, text in texts.items():
        if len(text) > (most := _LONGEST_TEXTS[key]):
            raise AnswerError(f"The {key} has {len(text):,} characters, at most {most:,} are allowed: be shorter.")


def _check_dropped(names: list[str], kept: list[str], wanted: list[str]) -> None:
    overruled = [name for name in names if name in wanted]
    if overruled:
        raise AnswerError(f"The table's owner wants {overruled[0]!r} to be read: do not drop it.")
    allowed = set(kept)
    unknown = [name for name in names if name not in allowed]
    if unknown:
        raise AnswerError(f"{unknown[0]!r} is not one of the columns that may be read{nearest(unknown[0], kept)}.")
    if len(set(names)) >= len(kept):
        raise AnswerError("Every column is dropped, so no feature is left: drop fewer.")


def _samples_text(samples: dict[str, list[Sample]], disclosure: Disclosure) -> str:
    lines = []
    for split, part in samples.items():
        for sample in part:
            record = sample["record"]
            text = disclosure.clean(f"{record['instruction']}\n{record['input']}", sample["cells"])
            answer = disclosure.clean(record["output"], sample["cells"])
            lines.append(f"{split}, row {row_number(record['row'])}:\n{shorten(text, _PROMPT_SHOWN)}\nanswer: {answer}")
    return "\n\n".join(lines)
