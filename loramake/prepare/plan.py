"""How a row becomes a prompt: decided by the agent, checked against the data."""

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
    asked = read_feedback(feedback) if feedback else {}
    chosen = _apply_feedback(artifacts.read(selected, schemas.SELECTED_FEATURES), asked, str(feedback))
    found = artifacts.read(task, schemas.TASK)
    plan = agent.plan(artifacts.read(profile, schemas.PROFILE), found, chosen, read_card(model), asked.get("notes", []))
    plan = _worded(plan, asked, str(feedback))
    check_plan(plan, found, chosen)
    artifacts.write(out, plan, schemas.PLAN)
    if plan["unread_notes"]:
        say("feedback/plan.yaml holds notes, which the builtin agent does not read; it reads keep and drop.")


def _apply_feedback(selected: SelectedFeatures, asked: Feedback, where: str) -> ChosenFeatures:
    """The selection with the columns that feedback/plan.yaml drops or takes back in."""
    dropped = {entry["name"]: entry for entry in selected["dropped"]}
    known = [*selected["kept"], *dropped]
    for name in [*asked.get("keep", []), *asked.get("drop", []), *asked.get("only", [])]:
        if name not in known:
            raise ConfigError(f"{where}: {name!r} is not a feature{nearest(name, known)}.")
    usual = asked.get("only", selected["kept"])
    kept = [name for name in [*usual, *asked.get("keep", [])] if name not in asked.get("drop", [])]
    kept = list(dict.fromkeys(kept))
    if not kept:
        raise ConfigError(f"{where}: nothing is left to predict from: drop fewer columns.")
    for name in [*asked.get("drop", []), *selected["kept"]]:
        dropped.setdefault(name, {"name": name, "reason": "dropped by feedback"})
    wanted = [*asked.get("keep", []), *asked.get("only", [])]
    return {
        **selected,
        "wanted": wanted,
        "kept": kept,
        "dropped": [entry for name, entry in dropped.items() if name not in kept],
    }


def _worded(plan: Plan, asked: Feedback, where: str) -> Plan:
    """The plan with the instruction and the answers for labels that feedback/plan.yaml gives."""
    texts = {str(value): str(text) for value, text in asked.get("labels", {}).items()}
    usual = Answers.of(plan)
    for value in texts:
        if value not in usual.labels:
            raise ConfigError(f"{where}: labels: {value!r} is not a label{nearest(value, usual.labels)}.")
    answers = usual._replace(texts=[texts.get(label, text) for label, text in usual.by_label.items()])
    worded = plan["instruction"].replace(", ".join(usual.texts), ", ".join(answers.texts))
    return {**plan, "labels": answers.entries(), "instruction": asked.get("instruction", worded)}


def check_plan(plan: Plan, task: TaskDescription, selected: SelectedFeatures) -> None:
    """Raise AgentError where a plan speaks of columns or labels that the data does not have."""
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
