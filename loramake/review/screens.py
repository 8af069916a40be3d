"""The three reviews: what a person sees before approving, changing or stopping."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from loramake import artifacts, layout, schemas
from loramake.artifact_types.explore import Profile, TaskDescription
from loramake.artifact_types.prepare import Plan, TokenCounts
from loramake.artifact_types.review import Decided
from loramake.artifact_types.shared import BalanceSetting
from loramake.artifact_types.training import LlamaFactoryConfig
from loramake.config import REVIEWS, STRATEGIES
from loramake.console import console, printable, say
from loramake.explore.column_notes import describe_reading
from loramake.explore.task import describe_target
from loramake.layout import DECISIONS
from loramake.review.approval import Approval, Question
from loramake.review.changes import FeedbackContext
from loramake.review.code_summary import summarize_code
from loramake.tasks import rows_by_label, spellings_of
from loramake.tasks.answers import Answers
from loramake.tasks.counts import describe_rare, describe_undersampling
from loramake.tasks.label_shift import describe_shift
from loramake.tasks.labels import describe_merged
from loramake.terminal import held
from loramake.text import listed, shorten
from loramake.training.estimates import describe_batch, estimate_memory, estimate_training

_REASONS_SHOWN = 10
_LEAK = "suspected leak"
"""How select_features begins the reason of such a dropped column."""
_USES = {"train": "train on", "validation": "validate on", "calibration": "calibrate on", "test": "test on"}
"""What the rows of a split are for."""
_KEY_SETTINGS = (
    "template",
    "lora_rank",
    "lora_alpha",
    "lora_target",
    "use_dora",
    "num_train_epochs",
    "learning_rate",
    "lr_scheduler_type",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "cutoff_len",
    "quantization_bit",
    "seed",
)
"""The most important keys of LlamaFactory's configuration, after the model."""
_REVIEWED = (
    *(layout.PROFILE, layout.TASK, layout.PLAN, layout.VERIFICATION),
    *(layout.ALL_DATA, layout.SPLITS, layout.PREP_SCRIPT),
)
_BALANCING = (layout.TRAIN, layout.BALANCED, layout.BALANCE_SCRIPT)
_CONFIGS = (
    layout.TRAIN_CONFIG,
    layout.PREDICT_TRAIN_CONFIG,
    layout.PREDICT_TEST_CONFIG,
    layout.DATASET_INFO,
    layout.PROCESSES,
)


def review_prep_data(
    mode: str,
    history: str | Path,
    profile: str | Path,
    task: str | Path,
    verification: str | Path,
    plan: str | Path,
    all_data: str | Path,
    splits: str | Path,
    script: str | Path,
    balance: BalanceSetting,
    ratios: Mapping[str, float],
    out: str | Path,
) -> None:
    """Approve the prepared data, the code that made them, and the balancing; writes review/data.json."""
    with _exclusive(mode):
        with _for_readers(mode):
            question = show_prep_data(profile, task, verification, plan, all_data, splits, script, balance)
        Approval(question, Path(out), ratios, history).decide(mode)


def review_balanced_data(
    mode: str,
    history: str | Path,
    plan: str | Path,
    train: str | Path,
    balanced: str | Path,
    script: str | Path,
    ratios: Mapping[str, float],
    out: str | Path,
) -> None:
    """Approve the balanced training split and the code that balanced it; writes review/balance.json."""
    with _exclusive(mode):
        with _for_readers(mode):
            question = show_balanced_data(plan, train, balanced, script)
        Approval(question, Path(out), ratios, history).decide(mode)


def review_lmf_config(
    mode: str,
    history: str | Path,
    plan: str | Path,
    verification: str | Path,
    balanced: str | Path,
    configs: Sequence[str | Path],
    ratios: Mapping[str, float],
    out: str | Path,
) -> None:
    """Approve LlamaFactory's configuration; writes review/config.json."""
    with _exclusive(mode):
        with _for_readers(mode):
            question = show_lmf_config(plan, verification, balanced, configs)
        Approval(question, Path(out), ratios, history).decide(mode)


def _exclusive(mode: str) -> AbstractContextManager[None]:
    """Keep the terminal for the screen and its question together, without another job's lines between them."""
    return held() if mode == "ask" and console.is_terminal else nullcontext()


def _for_readers(mode: str) -> AbstractContextManager[Any]:
    """Print nothing where a setting approves: earlier steps print the warnings, and the report has the rest."""
    return console.capture() if mode == "approve" else nullcontext()


def review_next(results: Path, balance: BalanceSetting, ratios: Mapping[str, float]) -> None:
    """Decide, outside of a run, on the first open review of an experiment's folder."""
    experiment = results.name
    for name in REVIEWS:
        files = _files(results, name)
        if missing := next((path for path in files if not path.is_file()), None):
            say(f"nothing to decide: {missing} does not exist. Next: loramake run --name {experiment}.")
            return
        if _is_decided(results, name):
            continue
        with _exclusive("ask"):
            Approval(_question(results, name, balance), DECISIONS[name].within(results), ratios).decide_ahead()
        return
    say(f"all three reviews of {experiment} are decided; loramake run --start-from repeats them.")


def _is_decided(results: Path, name: str) -> bool:
    """Whether there is a decision on the files as they are."""
    path = DECISIONS[name].within(results)
    if not path.is_file():
        return False
    return all(
        Path(reviewed).is_file() and artifacts.sha256(reviewed) == sha256
        for reviewed, sha256 in artifacts.read(path, schemas.REVIEW)["reviewed"].items()
    )


def _files(results: Path, name: str) -> list[Path]:
    """The files that a review needs."""
    parts = dict(zip(REVIEWS, (_REVIEWED, _BALANCING, _CONFIGS), strict=True))
    reviews = REVIEWS[: REVIEWS.index(name) + 1]
    return [part.within(results) for review in reviews for part in parts[review]]


def _question(results: Path, name: str, balance: BalanceSetting) -> Question:
    """Show a review's screen."""
    profile, task, plan, verification, all_data, splits, script, *rest = _files(results, name)
    if name == "data":
        return show_prep_data(profile, task, verification, plan, all_data, splits, script, balance)
    train, balanced, balancing, *configs = rest
    if name == "balance":
        return show_balanced_data(plan, train, balanced, balancing)
    return show_lmf_config(plan, verification, balanced, configs)


def show_prep_data(
    profile: str | Path,
    task: str | Path,
    verification: str | Path,
    plan: str | Path,
    all_data: str | Path,
    splits: str | Path,
    script: str | Path,
    balance: BalanceSetting,
) -> Question:
    """The data review's screen: what is predicted, classes, columns, a record, the code, checks, the critique."""
    verified, described = artifacts.read(verification, schemas.VERIFICATION), artifacts.read(task, schemas.TASK)
    planned, records = artifacts.read(plan, schemas.PLAN), artifacts.read(all_data, schemas.RECORDS)
    strategy = planned["balance"]["proposal"] if balance == "auto" else balance
    reason = planned["balance"]["reason"] if balance == "auto" else "set in the configuration"
    _head(plan, "prepared data")
    _print(Text(printable(_summary(described, planned, verified["classes"])), "bold"))
    _show_target(described)
    console.print(_class_table(verified["classes"]))
    train_rows = verified["classes"]["train"]
    _warn("few rows", describe_rare(train_rows))
    _show("prompts", _lengths(verified["tokens"]))
    _show_columns(planned)
    _show_readings(planned, artifacts.read(profile, schemas.PROFILE))
    _show("balancing", f"{strategy} ({reason})")
    if dropped := describe_undersampling(train_rows):
        _show("undersampling", dropped, is_loud=strategy == "undersample")
    _show("a record", f"{records[0]['instruction']} {records[0]['input']} → {records[0]['output']}")
    _show_code(script, planned)
    _show("checks passed", "; ".join(check["name"] for check in verified["checks"]))
    _show("sandbox", verified["sandbox"]["used"], is_loud=verified["sandbox"]["used"].startswith("NONE"))
    for finding in verified["critique"]:
        _show(f"the agent's finding ({finding['severity']})", f"{finding['issue']}: {finding['suggestion']}")
    _show("the agent judged", verified["judged"])
    first: dict[str, Decided] = {f"approve, balancing: {strategy}": {"balance": strategy}}
    others: dict[str, Decided] = {
        f"approve, balancing: {other}": {"balance": other} for other in STRATEGIES if other != strategy
    }
    files = [verification, plan, all_data, splits, script]
    return Question("data", files, _feedback_context(planned), {**first, **others}, is_set=balance != "auto")


def show_balanced_data(plan: str | Path, train: str | Path, balanced: str | Path, script: str | Path) -> Question:
    """The balance review's screen: the classes of the training split before and after, and the code between."""

    planned = artifacts.read(plan, schemas.PLAN)
    answers = Answers.of(planned)
    classes = {
        "before": answers.count_outputs(record["output"] for record in artifacts.read(train, schemas.RECORDS)),
        "after": answers.count_outputs(record["output"] for record in artifacts.read(balanced, schemas.RECORDS)),
    }
    _head(plan, "training split before and after balancing")
    console.print(_class_table(classes))
    _warn("few rows", describe_rare(classes["before"]))
    if (shift := describe_shift(classes["before"], classes["after"])) is not None:
        _show("probabilities", shift)
    if sum(classes["after"].values()) < sum(classes["before"].values()):
        _warn("undersampling", describe_undersampling(classes["before"]))
    _show_code(script, planned)
    shortcuts = {f"use {other}": f"use {other}" for other in STRATEGIES}
    return Question("balance", [balanced, script], _feedback_context(planned), {"approve": {}}, shortcuts)


def show_lmf_config(
    plan: str | Path, verification: str | Path, balanced: str | Path, configs: Sequence[str | Path]
) -> Question:
    """The config review's screen: the cost of the training, where the files are, and what matters of them as a table.

    `configs` are train.yaml, others, and processes.json; the question shows them on request.
    """
    settings, processes = artifacts.read(configs[0], schemas.LMF_CONFIG), artifacts.read(configs[-1], schemas.PROCESSES)
    _head(plan, "training configuration")
    rows, verified = len(artifacts.read(balanced, schemas.RECORDS)), artifacts.read(verification, schemas.VERIFICATION)
    training = estimate_training(settings, processes, rows, verified["tokens"])
    _print(Text(printable(f"Trains {settings['model_name_or_path']}: {training}."), "bold"))
    _show("the effective batch", describe_batch(settings, processes))
    if memory := estimate_memory(settings):
        _show("GPU memory", memory)
    _show("the files", ", ".join(map(str, configs)))
    console.print(_key_table(settings))
    context = _feedback_context(artifacts.read(plan, schemas.PLAN))
    return Question("config", list(configs), context, {"approve": {}}, has_short_files=True)


def _key_table(settings: LlamaFactoryConfig) -> Table:
    table = Table()
    table.add_column("key", style="bold", no_wrap=True)
    table.add_column("value", style="bold cyan", overflow="fold")
    for key in _KEY_SETTINGS:
        if key in settings:
            table.add_row(Text(key), Text(printable(str(settings[key])).replace(",", ", ")))
    return table


def _summary(task: TaskDescription, plan: Plan, classes: Mapping[str, Mapping[str, int]]) -> str:
    """What is predicted, from what, and how many rows each split has."""
    labels = listed([shorten(label, 40) for label in rows_by_label(task)])
    rows = {split: sum(counts.values()) for split, counts in classes.items()}
    splits = ", ".join(f"{count:,} to {_USES[split]}" for split, count in rows.items() if count)
    features = f"{len(plan['features']):,} column{'' if len(plan['features']) == 1 else 's'}"
    return f"Predicts {task['target']} ({labels}) from {features} of {sum(rows.values()):,} rows: {splits}."


def _show_target(task: TaskDescription) -> None:
    """Show a target that nobody named, and the spellings that are merged into its labels."""
    if not task["is_target_set"]:
        _print(Text(printable(describe_target(task)), "bold red"))
    if merged := describe_merged(task["target"], spellings_of(task)):
        _show("labels", merged)


def _warn(heading: str, text: str | None) -> None:
    if text is not None:
        _show(heading, text, is_loud=True)


def _show_columns(plan: Plan) -> None:
    """Show the features by type, the dropped columns one after the other, and why they were dropped."""
    by_type: dict[str, list[str]] = {}
    for feature in plan["features"]:
        by_type.setdefault(feature["type"], []).append(feature["name"])
    _show("features", "; ".join(f"{kind}: {', '.join(names)}" for kind, names in by_type.items()))
    _show("dropped", ", ".join(entry["name"] for entry in plan["dropped"]) or "none")
    leaks = [entry for entry in plan["dropped"] if entry["reason"].startswith(_LEAK)]
    others = [entry for entry in plan["dropped"] if entry not in leaks]
    for entry in others[:_REASONS_SHOWN]:
        _show(f"  {entry['name']}", entry["reason"])
    if len(others) > _REASONS_SHOWN:
        _show(f"  … {len(others) - _REASONS_SHOWN} more", f"in {layout.PLAN.path}")
    _show("suspected leaks", "none" if not leaks else f"{len(leaks)}, among the dropped", is_loud=bool(leaks))
    for entry in leaks:
        _show(f"  {entry['name']}", entry["reason"].removeprefix(f"{_LEAK}: "))


def _show_readings(plan: Plan, profile: Profile) -> None:
    """Show how columns were read where that is not plain to see, and what may have been read wrongly."""
    used = {entry["name"] for entry in plan["features"]} | {entry["name"] for entry in plan["dropped"]}
    columns = [column for column in profile["columns"] if column["name"] in used]
    notes = [(column["name"], note) for column in columns for note in describe_reading(column)]
    warnings = [(column["name"], warning) for column in columns for warning in column["warnings"]]
    for heading, entries in (("how cells were read", notes), ("to check", warnings)):
        if entries:
            _show(heading, f"{len(entries)} notes" if len(entries) > 1 else "1 note")
        for name, text in entries[:_REASONS_SHOWN]:
            _show(f"  {name}", text)
        if len(entries) > _REASONS_SHOWN:
            _show(f"  … {len(entries) - _REASONS_SHOWN} more", f"in {layout.PROFILE.path}")


def _show_code(script: str | Path, plan: Plan) -> None:
    for heading, text, is_loud in summarize_code(script, plan["by"]["provider"]):
        _show(heading, text, is_loud)


def _show(heading: str, text: str, is_loud: bool = False) -> None:
    """Print a line of a review."""
    _print(Text.assemble((f"{printable(heading)}: ", "bold"), (printable(text), "bold red" if is_loud else "")))


def _print(text: Text) -> None:
    """Print a line, wrapped between words on a terminal, which would wrap it anywhere."""
    console.print(text, soft_wrap=not console.is_terminal)


def _head(plan: str | Path, title: str) -> None:
    """Print the screen's title with its experiment: a run may review several."""
    experiment = Path(plan).resolve().parent.name
    _print(Text(printable(f"{experiment}: {title}"), style="bold reverse"))


def _lengths(tokens: TokenCounts) -> str:
    about = "estimated: " if tokens["estimated"] else ""
    return f"{about}{tokens['mean']:.0f} tokens a row, {tokens['longest']:,} at most of {tokens['cutoff_len']:,}"


def _class_table(classes: dict[str, dict[str, int]]) -> Table:
    """Labels as rows, the splits that have rows as columns; at most 20 labels are shown."""
    table = Table()
    table.add_column("label", style="bold", max_width=40, overflow="ellipsis")
    labels = list(next(iter(classes.values())))
    classes = {name: counts for name, counts in classes.items() if any(counts.values())}
    for name in classes:
        table.add_column(name, justify="right", no_wrap=True)
    for label in labels[:20]:
        table.add_row(Text(printable(label)), *(f"{counts[label]:,}" for counts in classes.values()))
    if len(labels) > 20:
        table.add_row(f"… {len(labels) - 20} more", *("" for _ in classes))
    table.add_row("all", *(f"{sum(counts.values()):,}" for counts in classes.values()), style="dim")
    return table


def _feedback_context(plan: Plan) -> FeedbackContext:
    """What feedback may name."""
    kept = [feature["name"] for feature in plan["features"]]
    features = [*kept, *(entry["name"] for entry in plan["dropped"])]
    labels = Answers.of(plan).labels
    return FeedbackContext(features, labels, plan["by"]["provider"] != "builtin", kept)
