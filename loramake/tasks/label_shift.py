"""Balanced training rows shift the labels' frequencies; probabilities are corrected back to the data's own."""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import log

from loramake import layout
from loramake.artifact_types.dataset import LabelShift
from loramake.artifact_types.prepare import Record
from loramake.errors import ArtifactError


def count_labels(train: Sequence[Record], balanced: Sequence[Record]) -> LabelShift:
    """data/label_shift.json: how often each answer occurs in the training split before and after balancing."""
    before, after = (Counter(record["output"] for record in records) for records in (train, balanced))
    return {"train": dict(sorted(before.items())), "balanced": {answer: after[answer] for answer in sorted(before)}}


def find_log_ratios(shift: LabelShift) -> dict[str, float]:
    """By answer, what to add to its log-probability so that it is that of the unbalanced rows.

    By Bayes' rule P(label | row) is proportional to P_balanced(label | row) · P(label) / P_balanced(label), since
    balancing changes how many rows a label has and not what they look like (Elkan 2001, theorem 2; Saerens, Latinne
    and Decaestecker 2002, equation 2.4). {} where balancing changed no frequency. ArtifactError for other answers after
    balancing than before.
    """
    train, balanced = shift["train"], shift["balanced"]
    if set(train) != set(balanced):
        raise ArtifactError(
            f"{layout.LABEL_SHIFT.path} has other answers before balancing than after it: delete it and run again."
        )
    if train == balanced:
        return {}
    rows, balanced_rows = sum(train.values()), sum(balanced.values())
    return {answer: log(train[answer] / rows) - log(balanced[answer] / balanced_rows) for answer in train}


def describe_shift(train: Mapping[str, int], balanced: Mapping[str, int]) -> str | None:
    """What balancing does to the rarest label and to probabilities; None where it changes no frequency."""
    if train == balanced or not train:
        return None
    rarest = min(train, key=lambda label: (train[label], label))
    before, after = (counts[rarest] / sum(counts.values()) for counts in (train, balanced))
    return (
        f"{rarest} has {before:.1%} of the training rows and {after:.1%} after balancing; probabilities are corrected "
        "back to the frequencies before it."
    )
