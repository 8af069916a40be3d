"""What the agent client makes of a hostile endpoint: the sentence, the seconds, the memory.

    python benchmarks/hostile_endpoint.py                 # every attack of support/hostile_endpoint.py

Each is asked one question with `agent_timeout: 3` and no second try of a request that failed; the workflow tries 4 more
times, each with a deadline of its own. An answer that cannot be used is refused 4 times here as there. The memory is
how much this process, which is the server, too, grew at most; the time includes what the server does.
"""

import argparse
import contextlib
import os
import re
import sys
import tempfile
from pathlib import Path

from running import ROOT, markdown

sys.path.insert(0, str(ROOT))

from support.hostile_endpoint import ATTACKS, attack, attacked

SHOWN = 110


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for name, (_, wanted) in ATTACKS.items():
            with attack(name) as hostile:
                outcome = attacked(hostile, Path(folder, "results"), seconds=3.0)
            sentence = outcome.sentence or "the answer is used"
            fits = outcome.sentence is None if wanted is None else bool(re.search(wanted, sentence))
            shown = re.sub(r"127\.0\.0\.1:\d+", "HOST", sentence)
            shown = re.sub(r".* in 4 attempts; the last: ", "refused 4 times: ", shown)[:SHOWN]
            lines.append([name, shown, f"{outcome.seconds:.1f}", f"{max(0, outcome.mib)}", "yes" if fits else "NO"])
            print("  ".join(lines[-1]), file=sys.stderr, flush=True)
    print(markdown(("attack", "what came of it", "seconds", "MiB", "as expected"), lines))
    print(f"\n{len(lines)} attacks on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
