"""A probability for every label of every row: of the experiment's own splits, and of new rows."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loramake import artifacts
from loramake.console import progress, say
from loramake.errors import DataError, nearest
from loramake.preparation import transform_rows
from loramake.profile import shorten
from loramake.sandbox import choose_sandbox
from loramake.scorer import LabelScorer, load_scorer
from loramake.tables import align_names
from loramake.training_extra import import_training

Line = dict[str, Any]


def run_prediction(
    config: str | Path, plan: str | Path, data: dict[str, str | Path], threads: int, outs: dict[str, str | Path]
) -> None:
    """Write predictions of each split in `data` (records by split) to `outs` (JSON lines by split).

    `config` is a predict YAML, which names base, adapter and template.
    """
    labels = artifacts.read(plan, "plan")["labels"]
    value_of = {label["text"]: label["value"] for label in labels}
    import_training("torch").set_num_threads(threads)
    scorer = load_scorer(artifacts.read(config, "lmf_config"))
    for split, path in data.items():
        records = artifacts.read(path, "records")
        lines = predict_records(scorer, records, labels, f"scoring {split}, rows")
        truths = [value_of.get(record["output"]) for record in records]
        lines = [{**line, "label": truth} for line, truth in zip(lines, truths, strict=True)]
        artifacts.write(outs[split], lines, "predictions")
        if lines:
            right = np.mean([line["label"] == line["predicted"] for line in lines])
            say(f"{split}: {len(lines):,} rows scored, {right:.1%} of the most probable labels are right.")


def predict_records(
    scorer: LabelScorer, records: list[dict[str, Any]], labels: list[dict[str, str]], what: str
) -> list[Line]:
    """One line a record, in their order: row, source, label (None), predicted, probabilities by label value."""
    values = [label["value"] for label in labels]
    if not records:
        return []
    with progress(what) as advance:
        probabilities = scorer.probabilities(records, [label["text"] for label in labels], advance)
    return [_line(record, values, row) for record, row in zip(records, probabilities, strict=True)]


def _line(record: dict[str, Any], values: list[str], probabilities: NDArray[np.float64]) -> Line:
    return {
        "row": record["row"],
        "source": record.get("source", "csv"),
        "label": None,
        "predicted": values[int(probabilities.argmax())],
        "probabilities": dict(zip(values, probabilities.tolist(), strict=True)),
    }


def predict_rows(results: str | Path, table: pd.DataFrame, where: str | Path) -> pd.DataFrame:
    """Predict new rows (text cells, missing ones None) with a finished experiment.

    Gives one line a row: row, prediction, and P(label) in a column `p_<label>` for every label, in the task's order.
    DataError names a column that the experiment needs and the table lacks; further columns are passed over with a word.
    """
    results = Path(results)
    plan = artifacts.read(results / "plan.yaml", "plan")
    table = table.set_axis(align_names(list(table.columns), [feature["name"] for feature in plan["features"]]), axis=1)
    check_columns(table.columns, plan, where)
    ran_in = artifacts.read(results / "data/verification.json", "verification")["sandbox"]
    sandbox = choose_sandbox(ran_in["setting"], plan["by"]["provider"])
    records = transform_rows(results / "scripts/prepare_data.py", table, results / "data/prep_state.json", sandbox)
    scorer = load_scorer(_config_from_anywhere(results))
    lines = predict_records(scorer, records, plan["labels"], "scoring, rows")
    return pd.DataFrame(
        [
            {"row": line["row"], "prediction": line["predicted"]}
            | {f"p_{label}": probability for label, probability in line["probabilities"].items()}
            for line in lines
        ]
    )


def _config_from_anywhere(results: Path) -> dict[str, Any]:
    """The predict configuration with this very experiment's adapter, and a base beside results/, from any folder."""
    config: dict[str, Any] = artifacts.read(results / "configs/predict_test.yaml", "lmf_config")
    beside = results.resolve().parent.parent / config["model_name_or_path"]
    model = str(beside) if beside.is_dir() else config["model_name_or_path"]
    return {**config, "model_name_or_path": model, "adapter_name_or_path": str(results / "adapter")}


def check_columns(columns: Iterable[str], plan: dict[str, Any], where: str | Path) -> None:
    """Raise DataError where a feature is missing; say which columns are not used because training never saw them."""
    there = list(columns)
    features = [feature["name"] for feature in plan["features"]]
    for name in features:
        if name not in there:
            raise DataError(f"{where} lacks the column {name!r}{nearest(name, there)}, which the model was trained on.")
    known = {*features, plan["target"], *(entry["name"] for entry in plan["dropped"])}
    extra = [name for name in there if name not in known]
    if extra:
        say(f"{where}: not used, since training never saw them: {_listed(extra)}.")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(shorten(name, 40) for name in names[:5])
    return shown + (f" and {len(names) - 5} more" if len(names) > 5 else "")
