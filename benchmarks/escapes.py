"""What hostile generated code gets done in a plain process and in the sandbox, as root and as an ordinary user.

    python benchmarks/escapes.py                 # every attempt of support/escapes.py, and what a start costs

In the column `plain`, an attempt runs where nothing stops it (on a scale that the machine bears); in the others, in the
sandbox, with limits of 3 s, 2 GiB of memory and 128 MiB of files.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from running import ROOT, markdown

sys.path.insert(0, str(ROOT))

from loramake.sandbox import Sandbox, choose_sandbox
from support.escapes import ATTEMPTS, OUTPUTS, attempt, closed_sandbox, ordinary_user

STARTS = 20


def milliseconds(run: Callable[[], None]) -> float:
    """Median of some runs."""
    milliseconds = []
    for _ in range(STARTS):
        started = time.perf_counter()
        run()
        milliseconds.append(1000 * (time.perf_counter() - started))
    return statistics.median(milliseconds)


def start_costs() -> str:
    """The same empty script in the sandbox and under the limits alone."""
    with tempfile.TemporaryDirectory() as temporary:
        script, out = Path(temporary, "script.py"), Path(temporary, "out")
        script.write_text("import sys\nopen(sys.argv[2], 'w').close()\n", encoding="utf-8")

        def of(sandbox: Sandbox) -> float:
            return milliseconds(lambda: sandbox.run(script, {}, {"out": out}))

        closed, plain = of(closed_sandbox()), of(choose_sandbox("none", lambda _: False))
    return f"an empty script: {closed:.0f} ms in the sandbox, {plain:.0f} ms without (median of {STARTS})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    users = {"root": [], "ordinary user": ordinary_user()} if os.geteuid() == 0 else {"ordinary user": []}
    lines = []
    for name in [*ATTEMPTS, *OUTPUTS]:
        outcomes = [attempt(name, prefix) for prefix in users.values()]
        plain = "–" if name in OUTPUTS else "works" if all(part["plain"] for part in outcomes) else "does not work"
        held = ["ESCAPED" if part["escaped"] else f"held: {part['sentence'].split(' (')[0][:70]}" for part in outcomes]
        lines.append([name, plain, *held])
        print("  ".join(lines[-1]), file=sys.stderr, flush=True)
    print(markdown(("attempt", "plain", *users), lines))
    print()
    print(start_costs())


if __name__ == "__main__":
    main()
