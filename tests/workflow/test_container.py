"""Steps in an image: Snakemake starts each through apptainer, here a program that notes what it is asked to run."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import yaml

from loramake.paths import ROOT
from tests.conftest import BIN, make_workplace

APPTAINER = """#!/bin/sh
[ "$1" = --version ] && echo "apptainer version 1.3.0" && exit
echo "$@" >> "$0.log"
while [ "$1" != -c ]; do shift; done
exec bash "$@"
"""


def make_folder(folder: Path, image: object) -> Path:
    make_workplace(folder, ROOT / "data/penguins.csv")
    with (folder / "config.yaml").open("a", encoding="utf-8") as config:
        yaml.safe_dump({"container": image}, config)
    return folder


def run(folder: Path, *options: str) -> str:
    """The steps to profile.json, and what apptainer was asked to run."""
    programs = folder / "programs"
    programs.mkdir()
    for name in ("apptainer", "singularity"):
        (programs / name).write_text(APPTAINER)
        (programs / name).chmod(0o755)
    environment = {**os.environ, "PATH": os.pathsep.join([str(programs), str(BIN), os.environ["PATH"]])}
    command = [BIN / "snakemake", "-s", ROOT / "Snakefile", "--cores", "1", *options, "--", "results/exp/profile.json"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (folder / "results/exp/profile.json").is_file()
    return "".join(log.read_text() for log in programs.glob("*.log"))


def test_steps_run_in_the_image_that_the_user_names_and_only_where_apptainer_is_asked_for(tmp_path: Path) -> None:
    for name, options in (("within", ("--software-deployment-method", "apptainer")), ("without", ())):
        folder = make_folder(tmp_path / name, "image.sif")
        (folder / "image.sif").touch()
        log = run(folder, *options)
        assert ("image.sif" in log and "profile_csv" in log) == (name == "within"), log


def test_the_image_gets_all_that_the_wheel_is_made_of(tmp_path: Path) -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    let_through = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for *sources, target in (line.split() for line in re.findall(r"^COPY (.+)$", dockerfile, re.M)):
        for source in sources:
            assert f"!{source}" in let_through
            copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
            place = tmp_path / "source" / ("" if target.endswith("/") else Path(target).name)
            (tmp_path / "source").mkdir(exist_ok=True)
            copy(ROOT / source, place)
    wheel = [BIN / "python", "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path]
    done = subprocess.run([*wheel, tmp_path / "source"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("loramake-*.whl"))
