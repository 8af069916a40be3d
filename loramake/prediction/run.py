"""A probability for every label of every row of the experiment's splits."""

from pathlib import Path

import numpy as np

from loramake import artifacts, schemas
from loramake.console import progress, say
from loramake.errors import ArtifactError
from loramake.llm.extra import import_training
from loramake.llm.scorer import LabelScorer, load_scorer
from loramake.prediction.predictions import Scored, name_of, scored_lines
from loramake.tables.source import Key
from loramake.tasks.answers import read_answers
from loramake.threads import available_cpus


def run_prediction(
    config: str | Path,
    adapter: str | Path,
    plan: str | Path,
    label_shift: str | Path,
    data: dict[str, str | Path],
    trust_remote_code: bool,
    threads: int,
    outs: dict[str, str | Path],
) -> None:
    """Write predictions of each split in `data` (records by split) to `outs` (JSON lines by split).

    `config` is a predict YAML, which names base and template; `adapter` is a folder. Probabilities are those of the
    unbalanced rows: `label_shift` says how far balancing shifted the labels' frequencies.
    """
    labels, texts = read_answers(plan)
    import_training("torch").set_num_threads(min(threads, available_cpus()))
    arguments = artifacts.read(config, schemas.LMF_CONFIG)
    scorer = load_scorer(arguments, adapter, trust_remote_code, artifacts.read(label_shift, schemas.LABEL_SHIFT))
    for split, path in data.items():
        scored = _score(scorer, path, texts, f"scoring {split}, rows")
        artifacts.write(outs[split], scored_lines(scored, labels), schemas.PREDICTIONS)
        if scored.keys:
            accuracy = np.mean(scored.probabilities.argmax(axis=1) == scored.truth)
            say(f"{split}: {len(scored.keys):,} rows scored; the most probable label is correct for {accuracy:.1%}.")


def _score(scorer: LabelScorer, where: str | Path, texts: list[str], message: str) -> Scored:
    """The rows of a file of records with P(label | row), the labels those whose answers are `texts`."""
    records = artifacts.read(where, schemas.RECORDS)
    codes = {text: code for code, text in enumerate(texts)}
    keys: list[Key] = [(record.get("source", "csv"), record["row"]) for record in records]
    for key, record in zip(keys, records, strict=True):
        if record["output"] not in codes:
            raise ArtifactError(
                f"{where}: {name_of(key)} has the answer {record['output']!r}, which is not one of the plan's: delete "
                "the file and run the same command again."
            )
    truth = np.array([codes[record["output"]] for record in records], dtype=np.int64)
    if not records:
        return Scored(keys, truth, np.zeros((0, len(texts))))
    with progress(message) as advance:
        return Scored(keys, truth, scorer.probabilities(records, texts, advance))
