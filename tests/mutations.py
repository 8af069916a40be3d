"""Mutants of the library that the unit tests should kill: how many of a sample they do.

    python tests/mutations.py                              # 200 mutants of six packages
    python tests/mutations.py --mutants 60 --packages dataset,trust
    python tests/mutations.py --again mutations.json       # the survivors of an earlier run only

cosmic-ray makes a mutant: one operator, number, condition, loop or handler of one module is changed. The tests run once
without a mutant, under coverage; a mutant then meets the tests that reach its statement, the fastest first, and the
first failure kills it. All happens in copies of the project, one for each of `--jobs` processes.

cosmic-ray's own runner starts Python for each mutant, which takes longer than most tests here, and runs one set of
tests for all; so each mutant is run in a fork of a process that has imported the large libraries, on its own tests.
At most one mutant is drawn for each position in the code, and none in an annotation, which no test can see.
"""

import argparse
import ast
import contextlib
import importlib
import itertools
import json
import multiprocessing
import os
import random
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import warnings
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

sys.path.pop(0)  # tests/, some of whose modules are called like libraries

import cosmic_ray.plugins
import pytest
from cosmic_ray.ast import ast_nodes, get_ast_from_path
from cosmic_ray.mutating import mutate_code, use_mutation
from coverage.numbits import numbits_to_nums

ROOT = Path(__file__).parent.parent
PACKAGES = ("tasks", "dataset", "evaluation", "trust", "sandbox", "prediction")
_IN_SANDBOX = ("loramake/sandbox/inside.py", "loramake/sandbox/keyring.py")
"""Runs in a process of the sandbox, where coverage does not see it."""
_UNSAFE = "test_an_attempt_that_works_in_a_plain_process_is_held"
"""Does harm where a mutant takes the sandbox away: a fork bomb, terabytes of files."""
_ALSO = {
    "sandbox": ("prepare/test_execution.py",),
    "prediction": ("evaluation",),
    "tasks": ("explore/test_task.py",),
}
"""Tests that meet a package beside its own."""
_LARGE = ("pandas", "scipy.stats", "sklearn.ensemble", "matplotlib.pyplot", "cleanlab", "openai", "mapie", "crepes")
"""Imported once, before the forks."""
_TIMES, _START = 2, 30
"""A mutant may take so many times the seconds that its tests took without it, and so many more: of the processor, so
that a busy machine kills no mutant; by the clock, four times that."""
_MEMORY = 8 << 30
"""Bytes of address space: a loop that does not end may fill a list."""
_SKIPPED = ("core/RemoveDecorator",)
"""Mostly caches, whose loss only time tells, and dataclasses, whose loss every test does."""

Mutant = dict[str, Any]
Position = tuple[int, int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutants", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--packages", default=",".join(PACKAGES))
    parser.add_argument("--again", type=Path, help="a file of --out: its survivors only")
    parser.add_argument("--baseline", type=Path, help="a folder to keep the run under coverage in, and to take it from")
    parser.add_argument("--out", type=Path, default=Path("mutations.json"))
    asked = parser.parse_args()
    mutants = draw(asked.packages.split(","), asked.mutants, asked.seed) if asked.again is None else left(asked.again)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # some tests run as another user
        copies = [copy_project(Path(folder, str(number))) for number in range(asked.jobs)]
        packages = sorted({mutant["module_path"].split("/")[1] for mutant in mutants})
        baseline = Baseline(copies[0], asked.baseline or Path(folder, "baseline"), packages, asked.jobs)
        lines = run_all(mutants, baseline, copies, asked.out)
    for line in lines:
        if line["outcome"] == "survived":
            print(f"\n{described(line)}\n{line['diff']}")
    print(table(lines))


def draw(packages: list[str], count: int, seed: int) -> list[Mutant]:
    """A sample of the mutants of these packages, one a position, in random order: its beginning is a sample, too."""
    mutants = [mutant for package in packages for mutant in mutants_of(ROOT / "loramake" / package)]
    random.Random(seed).shuffle(mutants)
    drawn = list(itertools.islice(filter(is_code, mutants), count))
    print(f"{len(drawn)} of {len(mutants):,} positions, seed {seed}", flush=True)
    return drawn


def is_code(mutant: Mutant) -> bool:
    """Whether a mutant can be compiled: cosmic-ray takes the stars of `**values` for an operator, too."""
    operator = cosmic_ray.plugins.get_operator(mutant["operator_name"])()
    code = mutate_code((ROOT / mutant["module_path"]).read_text(encoding="utf-8"), operator, mutant["occurrence"])
    with warnings.catch_warnings(), contextlib.suppress(SyntaxError):
        warnings.simplefilter("ignore", SyntaxWarning)  # of `is` with a literal
        compile(code or "", mutant["module_path"], "exec")
        return True
    return False


def left(path: Path) -> list[Mutant]:
    """What survived an earlier run."""
    lines = json.loads(path.read_text(encoding="utf-8"))
    return [line["mutant"] for line in lines if line["outcome"] == "survived"]


def mutants_of(package: Path) -> Iterator[Mutant]:
    """One mutant for each position: the position itself draws which of the changes that can be made there."""
    for path in sorted(package.rglob("*.py")):
        hidden = annotations(path)
        changes: dict[tuple[Position, Position], list[Mutant]] = defaultdict(list)
        for mutant in changes_of(path):
            if not any(start <= mutant["start_pos"] < end for start, end in hidden):
                changes[mutant["start_pos"], mutant["end_pos"]].append(mutant)
        for position in sorted(changes):
            yield random.Random(f"{path.name}{position}").choice(changes[position])


def changes_of(path: Path) -> Iterator[Mutant]:
    """What cosmic-ray can change in a module, as the arguments of its MutationSpec."""
    nodes = list(ast_nodes(get_ast_from_path(path)))
    for name in sorted(cosmic_ray.plugins.operator_names()):
        operator = cosmic_ray.plugins.get_operator(name)
        if operator.arguments() or name in _SKIPPED:
            continue
        positions = [position for node in nodes for position in operator().mutation_positions(node)]
        for occurrence, (start, end) in enumerate(positions):
            where = {"module_path": str(path.relative_to(ROOT)), "start_pos": start, "end_pos": end}
            yield {**where, "operator_name": name, "occurrence": occurrence}


def annotations(path: Path) -> list[tuple[Position, Position]]:
    """Where the annotations of a module begin and end."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    parts = [getattr(node, name, None) for node in nodes for name in ("annotation", "returns")]
    return [
        ((part.lineno, part.col_offset), (part.end_lineno or 0, part.end_col_offset or 0))
        for part in parts
        if isinstance(part, ast.expr)
    ]


def copy_project(folder: Path) -> Path:
    """The files of the working tree, as they are."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    for name in listed.stdout.decode().rstrip("\0").split("\0"):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


class Baseline:
    """Which tests reach which line, and how long they take: from one run under coverage."""

    def __init__(self, copy: Path, kept: Path, packages: list[str], jobs: int) -> None:
        self._copy = copy
        if not kept.exists():
            measure(copy, kept, packages, jobs)
        self._seconds = read_seconds(kept / "times.xml")
        self._tests = read_coverage(kept / ".coverage")

    def tests_of(self, mutant: Mutant) -> list[tuple[float, str]]:
        """Seconds and name of the tests that reach a mutant, the fastest first; none where no test does."""
        module = mutant["module_path"]
        lines = self._tests[module]
        first, last = statement(self._copy / module, mutant["start_pos"][0])
        names = set().union(*(lines[line] for line in range(first, last + 1)))
        if module in _IN_SANDBOX:
            names = {name for name in self._seconds if "/sandbox/" in name}
        elif "" in names:  # runs on import: any test of the module may see it
            names = set().union(*lines.values())
        return sorted((self._seconds[name], name) for name in names if name in self._seconds)


def measure(copy: Path, kept: Path, packages: list[str], jobs: int) -> None:
    """Run the unit tests of the packages under coverage, and keep its data and their times."""
    tests = [f"tests/unit/{name}" for package in packages for name in (package, *_ALSO.get(package, ()))]
    command = [
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "junit_family=xunit1"),
        *("--junitxml=times.xml", "--cov=loramake", "--cov-context=test", "--cov-report=", f"--numprocesses={jobs}"),
        *("-k", f"not {_UNSAFE}", *(test for test in tests if (copy / test).exists())),
    ]
    started = time.monotonic()
    done = subprocess.run(command, cwd=copy, env=environment(copy), stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"the tests do not run:\n{done.stdout[-3000:]}")
    print(*re.findall("^(?:FAILED|ERROR) .*", done.stdout, re.MULTILINE), sep="\n", flush=True)
    kept.mkdir(parents=True)
    for name in ("times.xml", ".coverage"):
        shutil.copy(copy / name, kept)
    print(f"the tests without a mutant: {time.monotonic() - started:.0f} s under coverage", flush=True)


def read_seconds(path: Path) -> dict[str, float]:
    """How long each test took, by its name; tests that fail without a mutant kill none and are left out."""
    cases = [case for case in ET.parse(path).getroot().iter("testcase") if case.find("failure") is None]
    return {f"{case.attrib['file']}::{case.attrib['name']}": float(case.attrib["time"]) for case in cases}


def read_coverage(path: Path) -> dict[str, dict[int, set[str]]]:
    """Names of tests by module and line; the empty name where a line runs on import."""
    tests: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    query = (
        "select file.path, context.context, line_bits.numbits from line_bits "
        "join file on file.id = file_id join context on context.id = context_id"
    )
    with sqlite3.connect(path) as data:
        for file, context, bits in data.execute(query):
            module = f"loramake/{file.rpartition('/loramake/')[2]}"
            for line in numbits_to_nums(bits):
                tests[module][line].add(context.rpartition("|")[0])
    return tests


def statement(path: Path, line: int) -> tuple[int, int]:
    """First and last line of the innermost statement around a line; of a compound one, those of its head."""
    spans = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            end = max(node.lineno, body[0].lineno - 1) if body else node.end_lineno or node.lineno
            spans.append((node.lineno, end))
    return max((span for span in spans if span[0] <= line <= span[1]), default=(line, line))


def environment(copy: Path) -> dict[str, str]:
    """The copy's own library, one thread, and no .pyc that would outlive a mutant."""
    path = os.pathsep.join(filter(None, [str(copy), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def run_all(mutants: list[Mutant], baseline: Baseline, copies: list[Path], out: Path) -> list[dict[str, Any]]:
    """Run every mutant, and write what became of those so far after each."""
    context = multiprocessing.get_context("spawn")
    free = context.Queue()
    for copy in copies:
        free.put(copy)
    os.environ["OMP_NUM_THREADS"] = "1"
    lines: list[dict[str, Any]] = []
    with ProcessPoolExecutor(len(copies), context, initializer=prepare, initargs=(free,)) as pool:
        for line in pool.map(run, mutants, map(baseline.tests_of, mutants)):
            lines.append(line)
            print(
                f"{len(lines)}/{len(mutants)} {line['outcome']:9}{line['seconds']:6.1f} s {described(line)}", flush=True
            )
            out.write_text(json.dumps(lines, indent=1), encoding="utf-8")
    return lines


def prepare(free: "multiprocessing.Queue[Path]") -> None:
    """Work in a copy of the project that no other process has, with the large libraries imported."""
    copy = free.get()
    os.chdir(copy)
    os.environ.update(environment(copy))
    sys.dont_write_bytecode = True
    sys.path = [str(copy), *(path for path in sys.path if Path(path).resolve() != ROOT)]
    for name in _LARGE:
        importlib.import_module(name)


def run(mutant: Mutant, tests: list[tuple[float, str]]) -> dict[str, Any]:
    """What becomes of one mutant: killed, timeout, survived, or error where pytest could not run its tests."""
    started = time.monotonic()
    operator = cosmic_ray.plugins.get_operator(mutant["operator_name"])()
    limit = int(_START + _TIMES * sum(seconds for seconds, _ in tests))
    with use_mutation(Path(mutant["module_path"]), operator, mutant["occurrence"]):
        diff = subprocess.run(["diff", "-u", ROOT / mutant["module_path"], mutant["module_path"]], capture_output=True)
        outcome, output = run_tests([name for _, name in tests], limit) if tests else ("survived", "")
    return {
        "mutant": mutant,
        "outcome": outcome,
        "tests": len(tests),
        "seconds": time.monotonic() - started,
        "diff": diff.stdout.decode(),
        "output": output[-1500:],
    }


def run_tests(names: list[str], limit: int) -> tuple[str, str]:
    """Outcome and output of these tests in a fork of this process, in a session of its own."""
    Path("output.txt").write_text("", encoding="utf-8")
    process = multiprocessing.get_context("fork").Process(target=_run_pytest, args=(names, limit))
    process.start()
    process.join(4 * limit)
    has_ended = process.exitcode is not None
    if not has_ended and process.pid is not None:
        os.killpg(process.pid, signal.SIGKILL)
        process.join()
    output = Path("output.txt").read_text(encoding="utf-8", errors="replace")
    if not has_ended or process.exitcode == -signal.SIGXCPU:
        return "timeout", output
    if process.exitcode == 0:
        return "survived", output
    failed = re.search("^(FAILED|ERROR) tests|^ImportError while loading conftest", output, re.MULTILINE)
    return ("killed" if failed else "error"), output


def _run_pytest(names: list[str], limit: int) -> None:
    os.setsid()
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    file = os.open("output.txt", os.O_WRONLY | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.exit(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:pytest_cov", *names]))


def described(line: dict[str, Any]) -> str:
    """Where a mutant is, what it changes, and how many tests reach it."""
    mutant = line["mutant"]
    name = mutant["operator_name"].removeprefix("core/")
    return f"{mutant['module_path']}:{mutant['start_pos'][0]} {name} ({line['tests']} tests)"


def table(lines: list[dict[str, Any]]) -> str:
    """Outcomes by package."""
    outcomes = ("killed", "timeout", "survived", "error")
    counts: dict[str, Counter[str]] = {name: Counter() for name in (*PACKAGES, "all")}
    for line in lines:
        for name in (line["mutant"]["module_path"].split("/")[1], "all"):
            counts[name][line["outcome"]] += 1
    rows = [["package", "mutants", "killed", "by the time limit", "survived", "not run", "caught"], ["---"] * 7]
    for name, tally in counts.items():
        caught, judged = (
            tally["killed"] + tally["timeout"],
            tally.total() - tally["error"],
        )
        share = f"{caught / judged:.0%}" if judged else "–"
        rows.append([name, str(tally.total()), *(str(tally[what]) for what in outcomes), share])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    main()
