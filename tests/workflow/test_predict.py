"""loramake predict on a finished experiment: the real command, killed and interrupted, too."""

import contextlib
import functools
import io
import json
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loramake import artifacts
from loramake.serving.resumable import resumable_file
from loramake.trust.calibration import apply_calibrator
from tests.conftest import BIN

ROW = {
    "island": "Torgersen",
    "bill_length_mm": 39.1,
    "bill_depth_mm": 18.7,
    "flipper_length_mm": 181,
    "body_mass_g": 3750,
    "sex": "MALE",
}
LABELS = ["Adelie", "Chinstrap", "Gentoo"]
BATCH = 250


def start(folder: Path, *arguments: str, stdin: Any = subprocess.DEVNULL) -> subprocess.Popen[str]:
    """The command on one thread: two would starve each other where two tests run at once."""
    command = [str(BIN / "loramake"), "predict", *arguments]
    environment = {**os.environ, "NO_COLOR": "1", "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": stdin}
    # A shell has what it starts in the background ignore SIGINT, and so would this process, as its child.
    heeds_ctrl_c = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(command, cwd=folder, env=environment, text=True, preexec_fn=heeds_ctrl_c, **pipes)


def predict(folder: Path, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    process = start(folder, *arguments, stdin=subprocess.DEVNULL if given is None else subprocess.PIPE)
    out, err = process.communicate(given, timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def many_rows(finished: Path, rows: int) -> pd.DataFrame:
    """Rows like those of the training, no two alike."""
    generator = np.random.default_rng(0)
    table = pd.read_csv(finished / "penguins.csv").drop(columns="species")
    table = table.iloc[generator.integers(len(table), size=rows)].reset_index(drop=True)
    for name in table.select_dtypes("float").columns:
        table[name] = (table[name] * generator.uniform(0.97, 1.03, size=rows)).round(2)
    return table


@pytest.fixture(scope="module")
def two_thousand(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A CSV of 2,000 new rows, and what an unbroken run makes of it."""
    folder = tmp_path_factory.mktemp("two_thousand")
    many_rows(finished, 2000).to_csv(folder / "new.csv", index=False)
    done = predict(finished, "exp", "--csv", str(folder / "new.csv"), "--output", str(folder / "out.csv"), *batches())
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["new.csv", "out.csv"]
    return folder / "new.csv", (folder / "out.csv").read_text(encoding="utf-8")


def batches() -> tuple[str, str]:
    return "--batch-size", str(BATCH)


def test_two_thousand_rows_are_one_line_each_with_probabilities_sets_and_decisions(
    two_thousand: tuple[Path, str],
) -> None:
    table = pd.read_csv(io.StringIO(two_thousand[1]), keep_default_na=False, dtype={"set": str})
    names = [f"p_{label}" for label in LABELS]
    assert list(table.columns) == ["row", "decision", "abstain", "reason", *names, "set", "expected_cost"]
    assert table["row"].tolist() == list(range(2000))
    probabilities = table[names].to_numpy()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-9)
    assert table["decision"].tolist() == [LABELS[code] for code in probabilities.argmax(axis=1)]
    assert set(table["abstain"].astype(str).str.lower()) == {"false"}
    assert {label for cell in table["set"] for label in cell.split(" | ")} - {""} == set(LABELS)


def rows_kept(output: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        return int(json.loads(Path(f"{output}.progress.json").read_text(encoding="utf-8"))["rows"])
    return 0


@contextlib.contextmanager
def stopped_in_the_middle(folder: Path, arguments: list[str], csv: Path, how: int) -> Iterator[tuple[int, str]]:
    """A run that gets a signal once two batches are written; its exit code and what it said."""
    with csv.open() as given:
        process = start(folder, *arguments, stdin=given)
    output = arguments[arguments.index("--output") + 1]
    try:
        deadline = time.monotonic() + 200
        while rows_kept(Path(output)) < 2 * BATCH and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(how)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    yield process.returncode, said


@pytest.mark.parametrize(
    ("how", "is_piped"),
    [(signal.SIGKILL, True), (signal.SIGINT, False), (signal.SIGTERM, True)],
    ids=["killed", "interrupted", "terminated"],
)
def test_a_stopped_run_goes_on_to_the_file_of_an_unbroken_one(
    copy_of_finished: Callable[[], Path], two_thousand: tuple[Path, str], tmp_path: Path, how: int, is_piped: bool
) -> None:
    folder, (csv, unbroken), output = copy_of_finished(), two_thousand, tmp_path / "out.csv"
    source = ["-"] if is_piped else ["--csv", str(csv)]
    arguments = ["exp", *source, "--output", str(output), *batches()]
    with stopped_in_the_middle(folder, arguments, csv, how) as (code, said):
        assert code == (-signal.SIGKILL if how == signal.SIGKILL else 1)
        if how != signal.SIGKILL:
            assert f"loramake: stopped by you; {shlex.join(['loramake', 'predict', *arguments])} continues." in said
    left = list(folder.glob("results/exp/data/.rows-*"))
    assert bool(left) == (how == signal.SIGKILL)
    assert not output.exists()
    kept = rows_kept(output)
    assert 2 * BATCH <= kept < 2000
    done = predict(folder, *arguments, given=csv.read_text(encoding="utf-8"))
    assert done.returncode == 0, done.stderr
    assert f"continuing: {kept:,} rows are in {output}.partial." in done.stderr
    assert output.read_text(encoding="utf-8") == unbroken
    assert list(tmp_path.glob("out.csv*")) == [output]
    assert not list(folder.glob("results/exp/data/.rows-*"))


def test_two_runs_at_once_are_refused_and_what_other_rows_began_is_not_gone_on_with(
    finished: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.jsonl"
    arguments = ("exp", "--json", json.dumps(ROW), "--output", str(output))
    usual = predict(finished, *arguments[:3]).stdout
    with resumable_file(output, {"input": "other rows"}) as file:
        file.append("something else\n", 1)
        refused = predict(finished, *arguments)
        assert refused.returncode == 1
        assert refused.stderr == (
            f"loramake: another run is writing {output}: wait for it, or give another --output.\n"
        )
        kept = {path: path.read_bytes() for path in tmp_path.iterdir()}
    output.unlink()
    for path, content in kept.items():
        path.write_bytes(content)
    done = predict(finished, *arguments)
    assert "was made with another input and another experiment and another set of options: starting over" in (
        " ".join(done.stderr.split())
    )
    assert output.read_text(encoding="utf-8") == usual
    assert list(tmp_path.iterdir()) == [output]


def test_new_rows_get_the_probabilities_that_the_pipeline_gave_them(finished: Path, tmp_path: Path) -> None:
    results = finished / "results/exp"
    lines = artifacts.read(results / "predictions/test.jsonl", "predictions")
    table = pd.read_csv(finished / "penguins.csv", dtype=str, keep_default_na=False)
    new = tmp_path / "new.csv"
    table.loc[[line["row"] for line in lines]].to_csv(new, index=False, sep=";")
    done = predict(tmp_path, str(results), "--csv", "new.csv", "--format", "jsonl", "--conformal-confidence", "0.99")
    assert done.returncode == 0, done.stderr
    assert "not used" not in done.stderr
    decisions = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["row"] for line in decisions] == list(range(len(lines)))
    raw = np.array([[line["probabilities"][label] for label in LABELS] for line in lines])
    expected = apply_calibrator(artifacts.read(results / "trust/calibrator.json", "calibrator"), raw)
    np.testing.assert_allclose([list(line["probabilities"].values()) for line in decisions], expected, atol=1e-5)
    assert list(decisions[0]) == ["row", "decision", "abstain", "reason", "probabilities", "set", "expected_cost"]
    assert {len(line["set"]) for line in decisions} <= {1, 2, 3}


def test_one_object_and_standard_input_give_the_same_line(finished: Path) -> None:
    one = predict(finished, "exp", "--json", json.dumps(ROW))
    assert one.returncode == 0, one.stderr
    line = json.loads(one.stdout)
    assert (line["row"], line["abstain"], line["expected_cost"]) == (0, False, None)
    assert line["decision"] in LABELS
    lines = predict(finished, "exp", "-", given=json.dumps(ROW) + "\n\n")
    assert lines.stdout == one.stdout
    header, cells = ",".join(ROW), ",".join(map(str, ROW.values()))
    table = predict(finished, "exp", "-", "--format", "jsonl", given=f"{header}\n{cells}\n")
    assert table.stdout == one.stdout
    as_csv = predict(finished, "exp", "-", given=f"{header}\n{cells}\n")
    assert as_csv.stdout.startswith("row,decision,abstain,reason,p_Adelie,p_Chinstrap,p_Gentoo,set,expected_cost\n0,")


def test_columns_that_are_missing_or_unknown_are_named(finished: Path) -> None:
    lacking = {name: value for name, value in ROW.items() if name != "island"} | {"iland": "Torgersen"}
    refused = predict(finished, "exp", "--json", json.dumps(lacking))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == (
        "loramake: --json, object 1 lacks the column 'island' (did you mean iland?), which the model was trained on: "
        "add it, empty where unknown.\n"
    )
    header = ",".join(name for name in ROW if name != "sex")
    refused = predict(finished, "exp", "-", given=f"{header}\n{'1,' * 4}1\n")
    assert refused.stderr.startswith(
        "loramake: standard input lacks the column 'sex', which the model was trained on: add it"
    )
    warned = predict(finished, "exp", "--json", json.dumps([{**ROW, "mood": "good"}, {**ROW, "mood": "bad"}]))
    assert warned.returncode == 0
    assert warned.stderr.count("--json: ignored, since training never saw them: mood.") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["ex", "--json", "{}"], 1, "loramake: results/ex does not exist (did you mean exp?)"),
        (["exp", "--csv", "nowhere.csv"], 1, "loramake: nowhere.csv does not exist: give --csv the path of a table"),
        (["exp", "--json", "{"], 1, "loramake: --json is not valid JSON"),
        (
            ["exp", "--csv", "penguins.csv", "--output", "penguins.csv", "--force"],
            1,
            "penguins.csv would replace the input rows",
        ),
        (
            ["exp", "--csv", "penguins.csv", "--output", "config.yaml"],
            1,
            "config.yaml exists and contains no predictions",
        ),
        (["exp", "--csv", "penguins.csv", "--output", "results"], 1, "is not an ordinary file: give --output the path"),
        (["exp"], 2, "give one of --csv PATH, --json OBJECT and - (standard input)"),
        (["exp", "penguins.csv"], 2, "'penguins.csv' is not understood: give --csv penguins.csv"),
        (["exp", "-", "--json", "{}"], 2, "give one of --csv PATH"),
        (["exp", "--json", "{}", "--conformal-confidence", "2"], 2, "--conformal-confidence"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(finished: Path, arguments: list[str], code: int, sentence: str) -> None:
    done = predict(finished, *arguments)
    assert done.returncode == code
    assert sentence in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr


def test_an_experiment_that_may_only_be_read_predicts_the_same(finished: Path, tmp_path: Path) -> None:
    """As on a share that belongs to somebody else; root may write whatever the rights say, so it is a mount."""
    results = str(finished / "results")
    mounted = ["bwrap", "--dev-bind", "/", "/", "--ro-bind", results, results, "--"]
    if shutil.which("bwrap") is None or subprocess.run([*mounted, "true"], check=False).returncode:
        pytest.skip("needs bubblewrap")
    kept = tmp_path / "temporary"
    kept.mkdir()
    header, cells = ",".join(ROW), ",".join(map(str, ROW.values()))
    command = [*mounted, str(BIN / "loramake"), "predict", "exp", "-"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(kept)}
    done = subprocess.run(
        command,
        cwd=finished,
        env=environment,
        input=f"{header}\n{cells}\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == predict(finished, "exp", "-", given=f"{header}\n{cells}\n").stdout
    assert list(kept.glob("loramake-*")) == []


def test_a_row_that_cannot_be_prepared_is_left_to_a_person(copy_of_finished: Callable[[], Path]) -> None:
    folder = copy_of_finished()
    script = folder / "results/exp/scripts/prepare_data.py"
    code = script.read_text(encoding="utf-8")
    line = "    records = []\n"
    spoilt = code.replace(line, f"{line}    if (rows['sex'] == 'X').any(): raise KeyError('sex')\n")
    assert spoilt != code
    script.write_text(spoilt, encoding="utf-8")
    done = predict(folder, "exp", "--json", json.dumps([ROW, {**ROW, "sex": "X"}]))
    assert done.returncode == 0, done.stderr
    fine, broken = map(json.loads, done.stdout.splitlines())
    assert (fine["abstain"], broken["abstain"]) == (False, True)
    assert broken["reason"] == "The row cannot be prepared (KeyError: 'sex'); sex 'X' was never seen in training"
    assert (broken["decision"], broken["probabilities"], broken["set"]) == (None, None, LABELS)
    assert "1 of them could not be predicted" in done.stderr
