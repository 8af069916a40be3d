"""Rows per second of packed label scoring beside one-by-one scoring, on models/tiny.

    python benchmarks/scoring.py [--rows 64] [--columns 10] [--threads 2]

Every time is the best of three, the two methods taking turns; the trial rows of packed scoring are counted in.
"""

import argparse
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM

from loramake.llm.encoding import load_encoder, quiet
from loramake.llm.log_probs import label_log_probs

TINY = Path(__file__).parents[1] / "models" / "tiny"
REPEATS = 3
NAMES = ["age", "sex", "chest pain", "resting pressure", "cholesterol", "heart rate", "angina", "slope", "vessels"]


def records(rows: int, columns: int) -> list[dict[str, str]]:
    """Rows like a serialised table's, of different lengths since some values are missing."""
    rng = random.Random(0)
    cells = [[f"{rng.choice(NAMES)} {rng.uniform(0, 200):.1f}" for _ in range(columns)] for _ in range(rows)]
    kept = [[cell for cell in row if rng.random() > 0.1] for row in cells]
    return [{"instruction": "Which class is it?", "input": ", ".join(row)} for row in kept]


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds and result of one call."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def compare(model: Any, prompts: list[list[int]], labels: list[list[int]]) -> tuple[float, float, float]:
    """Rows per second packed and one by one, and the largest difference of their log-probabilities."""
    packed, single = [], []
    for _ in range(REPEATS):
        packed.append(timed(lambda: label_log_probs(model, prompts, labels)))
        single.append(timed(lambda: label_log_probs(model, prompts, labels, together=False)))
    difference = float(np.abs(packed[0][1] - single[0][1]).max())
    return (
        len(prompts) / min(seconds for seconds, _ in packed),
        len(prompts) / min(seconds for seconds, _ in single),
        difference,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--columns", type=int, default=10)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    encoder = load_encoder(str(TINY), None)
    with quiet(str(TINY)):
        model = AutoModelForCausalLM.from_pretrained(TINY).eval()
    prompts = [encoder.prompt_ids(record) for record in records(options.rows, options.columns)]
    tokens = np.mean([len(prompt) for prompt in prompts])
    print(f"models/tiny, {options.rows} rows of {tokens:.0f} tokens on average, {options.threads} threads")
    print(f"{'labels':>6} {'packed rows/s':>14} {'one by one rows/s':>18} {'ratio':>6} {'difference':>11}")
    for count in (2, 20):
        labels = [encoder.label_ids(f"class {number}") for number in range(count)]
        packed, single, difference = compare(model, prompts, labels)
        print(f"{count:>6} {packed:>14.0f} {single:>18.0f} {packed / single:>6.1f} {difference:>11.1e}")


if __name__ == "__main__":
    main()
