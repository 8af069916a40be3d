"""The sandbox against hostile scripts, as root and as an ordinary user."""

import os
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from loramake.errors import ArtifactError, CodeError, ConfigError
from loramake.prepare.execution import transform_rows
from loramake.sandbox import bubblewrap, choose_sandbox
from support.escapes import ATTEMPTS, OUTPUTS, attempt, closed_sandbox, ordinary_user

REASON = bubblewrap.why_not()


def anything(script: bytes) -> bool:
    """Every script counts as loramake's own."""
    return True


needs_bubblewrap = pytest.mark.skipif(REASON is not None, reason=str(REASON))


@needs_bubblewrap
@pytest.mark.parametrize("user", ["root", "ordinary"])
@pytest.mark.parametrize("name", ATTEMPTS)
def test_an_attempt_that_works_in_a_plain_process_is_held(name: str, user: str) -> None:
    if user == "root" and os.geteuid() != 0:
        pytest.skip("these tests do not run as root")
    result = attempt(name, ordinary_user() if user == "ordinary" else [])
    assert result["plain"], "nothing was tried: the attempt does not work where nothing stops it"
    assert not result["escaped"], result["sentence"]


@needs_bubblewrap
@pytest.mark.parametrize("name", OUTPUTS)
def test_an_output_that_is_no_plain_file_of_json_is_refused(name: str, tmp_path: Path) -> None:
    script, state = tmp_path / "script.py", tmp_path / "state.json"
    script.write_text(OUTPUTS[name])
    state.write_text("{}")
    with pytest.raises((ArtifactError, CodeError), match=r"did not write records|no plain file"):
        transform_rows(script, ["a"], pd.DataFrame({"a": ["1"]}), state, closed_sandbox())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["script.py", "state.json"]


def test_a_link_is_no_output_though_its_target_can_be_read(tmp_path: Path) -> None:
    private, script = tmp_path / "private.txt", tmp_path / "script.py"
    private.write_text("not for the results")
    script.write_text(f"import os, sys\nos.symlink({str(private)!r}, sys.argv[sys.argv.index('--out') + 1])\n")
    with pytest.raises(CodeError, match="wrote no plain file to its --out"):
        choose_sandbox("none", anything).run(script, {}, {"out": tmp_path / "out"})
    assert not (tmp_path / "out").exists()


def test_inputs_are_copies_and_outputs_arrive_whole(tmp_path: Path) -> None:
    script, table = tmp_path / "script.py", tmp_path / "private.csv"
    script.write_text(
        "import sys\na = dict(zip(sys.argv[1::2], sys.argv[2::2]))\n"
        "open(a['--out'], 'w').write(open(a['--csv']).read() * 100_000 + a['--seed'])\n"
        "open(a['--state'], 'w').write('{}')\n"
    )
    table.write_text("some,cells\n")
    table.chmod(0o600)
    out, state = tmp_path / "made/out", tmp_path / "made/state"
    choose_sandbox("auto", anything).run(script, {"csv": table}, {"out": out, "state": state}, {"seed": 7})
    assert out.read_text() == "some,cells\n" * 100_000 + "7"
    assert state.read_text() == "{}"
    assert sorted(path.name for path in out.parent.iterdir()) == ["out", "state"]


@needs_bubblewrap
def test_the_projects_own_modules_are_not_there(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import pandas, numpy, imblearn\nimport loramake.sandbox\n")
    with pytest.raises(CodeError, match="No module named 'loramake"):
        closed_sandbox().run(script, {}, {"out": tmp_path / "out"})


@needs_bubblewrap
def test_the_version_of_bubblewrap_is_named() -> None:
    assert re.fullmatch(r"bubblewrap \d+\.\d+\.\d+", bubblewrap.version())
    chosen = choose_sandbox("auto", anything)
    assert (chosen.name, chosen.setting, chosen.is_closed) == (bubblewrap.version(), "auto", True)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("echo no user namespaces >&2; exit 1", "bubblewrap is refused here (no user namespaces): install"),
        ("exit 7", "bubblewrap is refused here (exit code 7): install"),
    ],
)
def test_a_bubblewrap_that_does_not_work_is_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, reason: str
) -> None:
    bwrap = tmp_path / "bwrap"
    bwrap.write_text(f"#!/bin/sh\n{program}\n")
    bwrap.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    bubblewrap.why_not.cache_clear()
    try:
        assert str(bubblewrap.why_not()).startswith(reason)
    finally:
        bubblewrap.why_not.cache_clear()


def test_what_a_script_printed_is_kept_for_whoever_mends_it(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("print('looking at the rows')\nraise ValueError('row 3 is odd')\n")
    with pytest.raises(CodeError, match="failed: ValueError: row 3 is odd") as caught:
        choose_sandbox("auto", anything).run(script, {}, {"out": tmp_path / "out"})
    assert "looking at the rows" in caught.value.output


def test_without_bubblewrap_llm_code_is_refused_and_templates_run_with_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    bubblewrap.why_not.cache_clear()
    script, edited = tmp_path / "script.py", tmp_path / "own.py"
    script.write_text("import os, sys\nopen(sys.argv[2], 'w').write(repr(sorted(os.environ)))\n")
    edited.write_text(script.read_text() + "\n")

    def is_known(code: bytes) -> bool:
        return code == script.read_bytes()

    try:
        with pytest.raises(ConfigError, match=r"bubblewrap is not installed: install .* or set sandbox: none"):
            choose_sandbox("bubblewrap", anything)
        templates, chosen = choose_sandbox("auto", is_known), choose_sandbox("none", is_known)
        with pytest.raises(ConfigError, match=r"own\.py is not the output of .* bubblewrap is not installed"):
            templates.run(edited, {}, {"out": tmp_path / "out"})
    finally:
        bubblewrap.why_not.cache_clear()
    assert templates.name == "none, since bubblewrap is not installed; only loramake's own templates filled in run so"
    assert chosen.name == "NONE, as the configuration says: the code can do whatever you can"
    for sandbox, code in ((chosen, edited), (templates, script)):
        sandbox.run(code, {}, {"out": tmp_path / "out"})
        assert "HOME" in (tmp_path / "out").read_text()


def test_without_a_sandbox_a_script_runs_from_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("results").mkdir()
    Path("results/script.py").write_text(
        "import json, sys\nout = sys.argv[sys.argv.index('--out') + 1]\n"
        "open(out, 'w').write(json.dumps([{'instruction': '?', 'input': 'a 1', 'row': 0}]))\n"
    )
    Path("results/state.json").write_text("{}")
    rows = pd.DataFrame({"a": ["1"]})
    sandbox = choose_sandbox("none", anything)
    made = transform_rows(Path("results/script.py"), ["a"], rows, Path("results/state.json"), sandbox)
    assert made[0]["input"] == "a 1"


def test_a_script_of_megabytes_is_refused_and_makes_no_room_for_itself(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"# {'x' * (1 << 20)}\n")
    with pytest.raises(
        CodeError, match=r"script.py has 1,048,579 bytes, more than the 1,048,576 that a script may have"
    ):
        choose_sandbox("auto", anything).run(script, {}, {"out": tmp_path / "out"})
