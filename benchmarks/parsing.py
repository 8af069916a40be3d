"""How long it takes, and how much memory, to read what generated code or a stranger wrote.

    python benchmarks/parsing.py

Each file is read by a process of its own: seconds of the reading alone, and the largest resident memory that the
reader and its child process took beyond what they had before. Against an older tree: PYTHONPATH=THAT python …
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

MOST_SECONDS = 150
RUNS, MOST_SECONDS_AGAIN = 5, 3
"""What took longer is not run again."""

READ = """
import re, resource, sys, time
from loramake import artifacts
from loramake.errors import LoramakeError
from pathlib import Path

def peak():
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) / 1024

path, reader, schema = sys.argv[1:]
artifacts.load_schema(schema)
read = getattr(artifacts, reader, artifacts.read)
before, started = peak(), time.perf_counter()
try:
    outcome = f"{len(read(path, schema)):,} values"
except LoramakeError as error:
    outcome = str(error).replace(path, Path(path).name)[:110]
seconds = time.perf_counter() - started
child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(f"{seconds:8.2f} {peak() - before:9.0f} {child:9.0f}  {outcome}")
"""


def record(row: int) -> dict[str, object]:
    """An ordinary one, of some 240 bytes."""
    return {
        "instruction": "Does the patient have a heart disease? Answer Yes or No.",
        "input": f"Age: {row % 90}\nSex: male\nChest pain: atypical angina\nResting BP: 130\nCholesterol: 250\nST: up",
        "output": "Yes" if row % 2 else "No",
        "row": row,
        "source": "csv",
    }


def files() -> Iterator[tuple[str, str, str]]:
    """Names, with the schema that each is read by and its text."""
    yield "30 MB of [[],[],…]", "records", "[" + "[]," * 10_000_000 + "[]]"
    yield "20,000 bad records", "records", json.dumps([{"row": str(row), "x": row} for row in range(20_000)])
    yield "9 MB of short texts", "records", "[" + '"aé",' * 1_500_000 + '""]'
    yield "9 MB of empty lists in a state", "prep_state", '{"a": [' + "[]," * 3_000_000 + "[]]}"
    yield "9 MB of texts in a state", "prep_state", '{"a": [' + '"aé",' * 1_500_000 + '""]}'
    yield "1 MB of [[[[…", "records", "[" * 1_000_000
    yield "100,000 good records", "records", json.dumps([record(row) for row in range(100_000)], indent=2)


def measure(path: Path, reader: str, schema: str) -> str:
    """A line of the table, the fastest of some runs."""
    lines = [_measure_once(path, reader, schema)]
    while len(lines) < RUNS and lines[0] < f"{MOST_SECONDS_AGAIN:8.2f}":
        lines.append(_measure_once(path, reader, schema))
    return min(lines)


def _measure_once(path: Path, reader: str, schema: str) -> str:
    try:
        command = [sys.executable, "-P", "-c", READ, str(path), reader, schema]
        done = subprocess.run(command, capture_output=True, text=True, timeout=MOST_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"{'>':>5}{MOST_SECONDS}         –         –  did not end"
    return done.stdout.rstrip() or f"       –         –         –  {done.stderr.splitlines()[-1]}"


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    print(f"{'file':<32} {'reader':<15}  seconds  MiB self MiB child  outcome")
    with tempfile.TemporaryDirectory() as folder:
        for name, schema, text in files():
            path = Path(folder, "records.json")
            path.write_text(text, encoding="utf-8")
            for reader in ("read", "read_untrusted"):
                print(f"{name:<32} {reader:<15} {measure(path, reader, schema)}", flush=True)


if __name__ == "__main__":
    main()
