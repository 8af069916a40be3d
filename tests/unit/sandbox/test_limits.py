"""What a script may take, where nothing but the limits holds it back; and how its end is told."""

import json
import resource
from dataclasses import replace
from pathlib import Path

import pytest

from loramake.errors import CodeError
from loramake.sandbox import Limits, Sandbox, choose_sandbox

MIB = 1 << 20
SMALL = Limits(seconds=2, memory=512 * MIB, folder=4 * MIB, processes=32, files=64, text=MIB)


def run(folder: Path, code: str, limits: Limits = SMALL, outputs: tuple[str, ...] = ("out",)) -> None:
    """Run a script without a sandbox, under limits."""
    script = folder / "script.py"
    script.write_text(f"import os, subprocess, sys, time\n{code}", encoding="utf-8")
    sandbox: Sandbox = replace(choose_sandbox("none", lambda _: True), limits=limits)
    sandbox.run(script, {}, {name: folder / "made" / name for name in outputs})


def test_the_kernel_is_told_every_limit(tmp_path: Path) -> None:
    names = ["AS", "CPU", "FSIZE", "NPROC", "NOFILE", "CORE"]
    code = (
        "import json, resource\n"
        f"limits = {{name: resource.getrlimit(getattr(resource, 'RLIMIT_' + name)) for name in {names}}}\n"
        "json.dump(limits, open(sys.argv[sys.argv.index('--out') + 1], 'w'))\n"
    )
    run(tmp_path, code)
    told = json.loads((tmp_path / "made/out").read_text())
    wanted = {"AS": SMALL.memory, "CPU": 3, "FSIZE": SMALL.folder, "NPROC": 32, "NOFILE": 64, "CORE": 0}
    for name, most in wanted.items():
        hard = resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))[1]
        expected = most if hard == resource.RLIM_INFINITY else min(most, hard)
        assert told[name] == [expected, expected], name


def test_the_limits_are_those_of_the_documentation() -> None:
    assert Limits() == Limits(600, 4096 * MIB, 2048 * MIB, 32, 256, 4 * MIB)
    assert Limits().for_inputs(10) == replace(Limits(), memory=4096 * MIB + 240, folder=2048 * MIB + 240)


HELD = {
    "time.sleep(60)": "did not end within 2 s: check its loops",
    "while True: os.write(1, b'x' * 4096)": "printed more than 1 MiB",
    "block = bytearray(400 << 20)\n"
    "subprocess.run([sys.executable, '-c', 'import time; block = bytearray(400 << 20); time.sleep(60)'])": (
        "took more than 512 MiB of memory"
    ),
    "os.write(1, b'x')\nos.kill(os.getpid(), 9)": "failed: SIGKILL ended it after: x",
    "os.kill(os.getpid(), 15)": "failed: SIGTERM ended it",
    "sys.exit(1)": "failed: exit code 1",
    "sys.exit(3)": "failed: exit code 3",
    "print('so far')\nsys.exit(3)": "failed: so far",
}


@pytest.mark.parametrize("code", HELD)
def test_a_script_that_takes_too_much_or_fails_is_told_so(tmp_path: Path, code: str) -> None:
    with pytest.raises(CodeError) as caught:
        run(tmp_path, code, replace(SMALL, seconds=2 if "sleep(60)\n" in f"{code}\n" and "block" not in code else 60))
    assert HELD[code] in str(caught.value)
    assert not (tmp_path / "made/out").exists()
    assert list((tmp_path / "made").iterdir()) == []


def test_outputs_arrive_one_by_one(tmp_path: Path) -> None:
    code = "for name in ('--a', '--b'):\n    open(sys.argv[sys.argv.index(name) + 1], 'w').write(name * 500_000)\n"
    run(tmp_path, code, outputs=("b", "a"))
    assert (tmp_path / "made/a").read_text() == "--a" * 500_000
    assert (tmp_path / "made/b").read_text() == "--b" * 500_000


def test_an_output_that_is_missing_is_named(tmp_path: Path) -> None:
    code = "open(sys.argv[sys.argv.index('--a') + 1], 'w').close()\n"
    with pytest.raises(CodeError, match=r"script\.py wrote no plain file to its --b\."):
        run(tmp_path, code, outputs=("a", "b"))


def test_a_process_that_a_script_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    child = f"import time; time.sleep(3); open({str(mark)!r}, 'w')"
    code = (
        f"subprocess.Popen([sys.executable, '-c', {child!r}])\n"
        "open(sys.argv[sys.argv.index('--out') + 1], 'w').close()\n"
    )
    run(tmp_path, code, replace(SMALL, seconds=60))
    run(
        tmp_path,
        "time.sleep(4)\nopen(sys.argv[sys.argv.index('--out') + 1], 'w').close()\n",
        replace(SMALL, seconds=60),
    )
    assert not mark.exists()
