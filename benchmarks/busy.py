"""Training and scoring on models/tiny alone and beside a busy process: OpenMP's threads spinning, and asleep.

    python benchmarks/busy.py [--rows 512] [--steps 30]    # a few minutes on two cores

Each line runs in processes of its own, one thread a CPU: forward and backward passes of a batch of 16, and packed
scoring of two labels; the busy process counts on one CPU meanwhile. The last column is the slowdown beside it.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

from loramake.threads import available_cpus

TINY = Path(__file__).parents[1] / "models" / "tiny"
POLICIES = {"spinning": {"GOMP_SPINCOUNT": "300000"}, "asleep": {}}
"""Variables of the process: as many turns as libgomp takes by itself, and what loramake sets."""


def measure(rows: int, steps: int) -> tuple[float, float]:
    """Training steps and scored rows per second of this process."""
    from loramake.llm.extra import import_training

    torch = import_training("torch")
    torch.set_num_threads(available_cpus())
    from transformers import AutoModelForCausalLM

    from loramake.llm.log_probs import label_log_probs

    model = AutoModelForCausalLM.from_pretrained(TINY)
    batch = torch.randint(5, 500, (16, 48), generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
    started = time.perf_counter()
    for _ in range(steps):
        model(input_ids=batch, labels=batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    trained = steps / (time.perf_counter() - started)
    prompts = [batch[row % 16].tolist() for row in range(rows)]
    started = time.perf_counter()
    label_log_probs(model.eval(), prompts, [[7], [9]])
    return trained, rows / (time.perf_counter() - started)


def count_forever() -> None:
    number = 0
    while True:
        number += 1


def run(policy: str, is_busy: bool, options: argparse.Namespace) -> tuple[float, float]:
    """`measure` in a process with the policy's variables, beside a busy one or alone."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    command = [sys.executable, __file__, "--measure", "--rows", str(options.rows), "--steps", str(options.steps)]
    busy = multiprocessing.Process(target=count_forever, daemon=True)
    if is_busy:
        busy.start()
    try:
        done = subprocess.run(command, env=mine | POLICIES[policy], capture_output=True, text=True, check=True)
    finally:
        if is_busy:
            busy.kill()
            busy.join()
    trained, scored = json.loads(done.stdout.splitlines()[-1])
    return trained, scored


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=512)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.rows, options.steps)))
        return
    print(f"models/tiny, {available_cpus()} threads; alone / beside a busy process")
    print(f"{'threads':<9} {'training steps/s':>20} {'ratio':>6} {'scored rows/s':>20} {'ratio':>6}")
    for policy in POLICIES:
        alone, beside = (run(policy, is_busy, options) for is_busy in (False, True))
        pairs = [f"{f'{a:,.1f} / {b:,.1f}':>20} {a / b:>6.1f}" for a, b in zip(alone, beside, strict=True)]
        print(f"{policy:<9} {' '.join(pairs)}", flush=True)


if __name__ == "__main__":
    main()
