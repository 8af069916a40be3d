"""What the command line says of what was typed, which may be the name of somebody else's file."""

import contextlib
import importlib.metadata
import json
import os
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from loramake.cli import app
from loramake.config import REVIEWS
from loramake.console import printable
from tests.conftest import BIN

EVIL = "a\x1b]0;title\x07b\u202ec\u2028d\x9be"


@pytest.mark.parametrize(
    "arguments",
    [
        [EVIL],
        [f"--{EVIL}"],
        ["predict", "exp", EVIL],
        ["predict", EVIL, "--json", "{}"],
        ["predict", "exp", "--csv", EVIL],
        ["predict", "exp", "--json", "{}", "--format", EVIL],
        ["run", "--cores", EVIL],
        ["run", "--csv", EVIL],
        ["run", "--name", EVIL],
        ["run", EVIL],
        ["review", EVIL],
        ["status", EVIL],
        ["report", EVIL],
        ["compare", EVIL, "b"],
        ["init", EVIL, "--yes"],
        ["init", b"\xff\xfe.csv", "--yes"],
        ["predict", "exp", b"\xff"],
    ],
)
def test_every_error_of_the_command_line_is_printable(arguments: list[str | bytes], tmp_path: Path) -> None:
    command = [str(BIN / "loramake"), *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120, check=False)
    assert done.returncode in (1, 2)
    shown = (done.stdout + done.stderr).decode()
    assert printable(shown) == shown
    assert "Traceback" not in shown


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["predict", "exp", "--json", "{}", "--confidence", "0.9"], "--conformal-confidence"),
        (["run", "--csv", "x.csv", "--max-error", "0.05"], "max_error is now called max_selective_error: set it in"),
        (["run", "--csv", "x.csv", "--features-to-keep=9"], "features_to_keep is now called max_features: set it in"),
    ],
)
def test_an_option_by_its_old_name_is_refused_with_the_new_one(
    arguments: list[str], sentence: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [str(BIN / "loramake"), *arguments], cwd=tmp_path, capture_output=True, env={**os.environ, "COLUMNS": "200"},
        text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert sentence in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("start", "kept"), [("review_prep", []), ("split", ["data"]), ("config", ["balance", "data"])])
def test_start_from_takes_back_the_decisions_from_its_review_on(start: str, kept: list[str], tmp_path: Path) -> None:
    feedback = tmp_path / "results/exp/feedback"
    feedback.mkdir(parents=True)
    for name in REVIEWS:
        (feedback / f"approve_{name}.yaml").write_text("sha256: x\n", encoding="utf-8")
    command = [str(BIN / "loramake"), "run", "--name", "exp", "--start-from", start]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120, check=False)
    assert done.returncode == 1  # there is no CSV
    assert sorted(path.stem.removeprefix("approve_") for path in feedback.iterdir()) == kept


def test_a_file_that_an_experiment_names_is_shown_printable(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(f"experiments: {{e: {{csv: {json.dumps(EVIL)}, target: x}}}}\n")
    done = subprocess.run(
        [str(BIN / "loramake"), "status"], cwd=tmp_path, capture_output=True, env={**os.environ, "COLUMNS": "200"},
        timeout=120, check=False,
    )  # fmt: skip
    shown = (done.stdout + done.stderr).decode()
    assert "a�]0;title" in shown
    assert printable(shown) == shown


def test_the_version_is_that_of_the_package_and_check_is_doctor(tmp_path: Path) -> None:
    def output(*arguments: str) -> str:
        command = [str(BIN / "loramake"), *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False).stdout

    assert output("--version") == f"loramake {importlib.metadata.version('loramake')}\n"
    assert output("--check").splitlines()[0] == output("doctor").splitlines()[0]
    assert output("--check").startswith("✓ Python: ")


def run_here(folder: Path, *options: str, code: int = 1) -> str:
    """What `loramake run` prints that is refused."""
    with contextlib.chdir(folder):
        done = CliRunner().invoke(app, ["run", "--csv", "x.csv", *options])
    assert done.exit_code == code
    return done.output


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--epochs", "-1"), "loramake: --epochs: -1.0 is not a number above 0"),
        (("--batch-size", "0"), "loramake: --batch-size: 0 is not a whole number of at least 1"),
        (("--precision", "fp8"), "loramake: --precision: 'fp8' is not one of auto, bf16, fp16 and fp32"),
        (("--column-type", "zip=foo"), "loramake: --column-type: zip: 'foo' is not one of numeric, category"),
        (("--agent-api-key", "sk-canary"), "loramake: --agent-api-key: name where the key is, env:NAME or file:PATH"),
        (("--agent-temperature", "3"), "loramake: --agent-temperature: 3.0 is not a number from 0 to 2"),
        (("--agent-api-base", "http://me:pw@host"), "loramake: --agent-api-base: the address contains a user name"),
    ],
)
def test_an_error_of_run_names_its_option_and_what_it_takes(
    options: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    printed = run_here(tmp_path, *options, code=2)
    assert sentence in printed
    assert "canary" not in printed
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", ["--output", "--directory"])
def test_results_and_configuration_are_in_the_output_folder(option: str, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there/config.yaml").write_text("lora_rnk: 8\n", encoding="utf-8")
    assert "config.yaml: lora_rnk is not a setting (did you mean lora_rank?)" in run_here(tmp_path, option, "there")


def test_the_output_folder_is_made_unless_it_cannot_be_one(tmp_path: Path) -> None:
    run_here(tmp_path, "--output", "new/there", "--name", "not/valid")
    assert (tmp_path / "new/there").is_dir()
    (tmp_path / "file").touch()
    assert "--output: file cannot be made a folder (File exists): name another" in run_here(
        tmp_path, "--output", "file"
    )


def test_ctrl_c_in_a_command_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def press_ctrl_c(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("loramake.experiments.find_run", press_ctrl_c)
    done = CliRunner().invoke(app, ["compare", "one", "other"])
    assert (done.exit_code, done.output.strip()) == (1, "loramake: stopped by you.")
