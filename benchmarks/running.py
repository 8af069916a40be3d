"""What the benchmarks share: a folder in which the real workflow runs, what it says when it fails, and tables."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

ROOT = Path(__file__).parents[1]
QUICK = {"num_train_epochs": 1}
"""Settings that show whether everything runs, not how good it is."""


def make_workplace(folder: Path, name: str, table: pd.DataFrame, settings: dict[str, Any]) -> Path:
    """A folder with the base models, NAME.csv and a config.yaml of one experiment; what is there already stays."""
    return make_folder(folder, {f"{name}.csv": table}, {name: {"csv": f"{name}.csv", **settings}})


def make_folder(folder: Path, tables: dict[str, pd.DataFrame], experiments: dict[str, dict[str, Any]]) -> Path:
    """A folder with the base models, tables by file name, and a config.yaml whose experiments approve every review."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "models").exists():
        (folder / "models").symlink_to(ROOT / "models")
    for file, table in tables.items():
        write_if_other(folder / file, table.to_csv(index=False, lineterminator="\n"))
    entries = {name: {"review": "approve", **settings} for name, settings in experiments.items()}
    write_if_other(folder / "config.yaml", yaml.safe_dump({"experiments": entries}, allow_unicode=True))
    return folder


def write_if_other(path: Path, text: str) -> None:
    """Write a file unless it holds this text, so that Snakemake sees nothing new where nothing is."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def snakemake(folder: Path, *arguments: str, cores: int = 2) -> str | None:
    """Run the workflow there, its output in run.log; None where it went well, else the sentence it failed with."""
    program = str(Path(sys.executable).with_name("snakemake"))
    command = [program, "--snakefile", str(ROOT / "Snakefile"), "--cores", str(cores)]
    with (folder / "run.log").open("w", encoding="utf-8") as output:
        done = subprocess.run(
            [*command, *arguments],
            cwd=folder,
            env={**os.environ, "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    return None if done.returncode == 0 else failure(folder / "run.log")


def failure(output: Path) -> str:
    """The last sentence of loramake in a run's output, or the last line of it."""
    lines = [line.strip() for line in output.read_text(encoding="utf-8").splitlines() if line.strip()]
    ours = [line.removeprefix("loramake: ") for line in lines if line.startswith("loramake: ")]
    return ours[-1] if ours else lines[-1] if lines else "it said nothing"


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def three(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def markdown(header: tuple[str, ...], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in (header, ["---"] * len(header), *rows)]
    return "\n".join(lines)


def names_of(sets: Mapping[str, Any]) -> Callable[[str], list[str]]:
    """Reads names of sets, with commas between; argparse.ArgumentTypeError for one that is no set."""

    def read(text: str) -> list[str]:
        names = [name.strip() for name in text.split(",") if name.strip()]
        for name in names:
            if name not in sets:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(sets)}")
        return names

    return read
