"""How a row becomes a prompt: the agent decides, and the plan is checked against the data."""

from pathlib import Path

from loramake import artifacts, schemas
from loramake.agents import Agent
from loramake.artifact_types.explore import TaskDescription
from loramake.artifact_types.prepare import ChosenFeatures, Plan, SelectedFeatures
from loramake.config import read_card
from loramake.console import say
from loramake.errors import AgentError, ConfigError, nearest
from loramake.feedback import Feedback, read_feedback
from loramake.tasks import task_of
from loramake.tasks.answers import Answers
from loramake.tasks.labels import match_label


def plan_preparation(
    profile: str | Path,
    task: str | Path,
    selected: str | Path,
    feedback: str | Path | None,
    model: str,
    agent: Agent,
    out: str | Path,
) -> None:
    """Write plan.yaml."""
    requested = read_feedback(feedback) if feedback else {}
    chosen = _apply_feedback(artifacts.read(selected, schemas.SELECTED_FEATURES), requested, str(feedback))
    described = artifacts.read(task, schemas.TASK)
    plan = agent.plan(
        artifacts.read(profile, schemas.PROFILE), described, chosen, read_card(model), requested.get("notes", [])
    )
    plan = _worded(plan, requested, str(feedback))
    check_plan(plan, described, chosen)
    artifacts.write(out, plan, schemas.PLAN)
    if plan["unread_notes"]:
        say("feedback/plan.yaml has notes, which the builtin agent does not read; it reads keep and drop.")


def _apply_feedback(selected: SelectedFeatures, requested: Feedback, where: str) -> ChosenFeatures:
    """The selection with the columns that feedback/plan.yaml drops or takes back in."""
    dropped = {entry["name"]: entry for entry in selected["dropped"]}
    features = [*selected["kept"], *dropped]
    for name in [*requested.get("keep", []), *requested.get("drop", []), *requested.get("only", [])]:
        if name not in features:
            raise ConfigError(f"{where}: {name!r} is not a feature{nearest(name, features)}.")
    initial = requested.get("only", selected["kept"])
    kept = [name for name in [*initial, *requested.get("keep", [])] if name not in requested.get("drop", [])]
    kept = list(dict.fromkeys(kept))
    if not kept:
        raise ConfigError(f"{where}: no feature is left: drop fewer columns.")
    for name in [*requested.get("drop", []), *selected["kept"]]:
        dropped.setdefault(name, {"name": name, "reason": "dropped by feedback"})
    wanted = [*requested.get("keep", []), *requested.get("only", [])]
    return {
        **selected,
        "wanted": wanted,
        "kept": kept,
        "dropped": [entry for name, entry in dropped.items() if name not in kept],
    }


def _worded(plan: Plan, requested: Feedback, where: str) -> Plan:
    """The plan with the instruction and the answers for labels that feedback/plan.yaml gives."""
    default, texts = Answers.of(plan), {}
    for value, text in requested.get("labels", {}).items():
        label = match_label(str(value), default.labels)
        if label is None:
            raise ConfigError(f"{where}: labels: {value!r} is not a label{nearest(str(value), default.labels)}.")
        texts[label] = str(text)
    answers = default._replace(texts=[texts.get(label, text) for label, text in default.by_label.items()])
    if len(set(answers.texts)) < len(answers.texts):
        raise ConfigError(f"{where}: labels: two labels would have the same text: give each its own.")
    worded = plan["instruction"].replace(", ".join(default.texts), ", ".join(answers.texts))
    return {**plan, "labels": answers.entries(), "instruction": requested.get("instruction", worded)}


def check_plan(plan: Plan, task: TaskDescription, selected: SelectedFeatures) -> None:
    """Raise AgentError if a plan names columns or labels that the data does not have."""
    names = [feature["name"] for feature in plan["features"]]
    unknown = [name for name in names if name not in selected["kept"]]
    if unknown or plan["target"] != task["target"] or len(set(names)) < len(names):
        raise AgentError(
            f"the plan's target or features are not the task's ({unknown or plan['target']}): run it again."
        )
    answers = Answers.of(plan)
    if answers.labels != task_of(task).labels:
        raise AgentError("the plan's labels are not the task's: run it again.")
    if len(set(answers.texts)) < len(answers.texts):
        raise AgentError("the plan gives two labels the same answer: run it again.")
