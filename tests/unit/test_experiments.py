"""What `loramake run` was told, kept for the commands that are told a name alone."""

from pathlib import Path

import pytest

from loramake.artifacts import append_text
from loramake.errors import ConfigError
from loramake.experiments import CommandLine, as_options, find_experiment, read_command_line, write_command_line
from loramake.training.finetuning import locked


def test_what_a_run_was_told_is_read_back_and_nothing_where_it_never_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_command_line("exp") == CommandLine()
    said = CommandLine({"csv": "007.csv", "lora_rank": 4, "learning_rate": 1e-4}, ["lora_rank"])
    write_command_line("exp", said)
    assert read_command_line("exp") == said
    assert as_options(said.counting) == ["--config", 'csv= "007.csv" ', "learning_rate=0.0001"]
    Path("results/.cache/command_lines/exp.json").write_text("[]")
    assert read_command_line("exp") == CommandLine()


@pytest.mark.parametrize("name", ["007", "1e3", "true", "null", "a: b", "[x]", "it's", 'a "b"', "Größe", "# no", "' '"])
def test_snakemake_reads_a_text_as_the_same_text(name: str) -> None:
    from snakemake.cli import parse_config

    assert parse_config(as_options({"target": name})[1:]) == {"target": name}


@pytest.mark.parametrize(
    ("again", "feedback", "overruled"),
    [
        ({"lora_rank": 4}, {"lora_rank"}, ["lora_rank"]),
        ({"lora_rank": 8}, {"lora_rank"}, []),
        ({"lora_rank": 4}, set(), []),
        ({}, {"lora_rank"}, []),
    ],
)
def test_the_same_command_does_not_take_feedback_back_and_another_one_does(
    again: dict[str, int], feedback: set[str], overruled: list[str]
) -> None:
    said = CommandLine({"csv": "x.csv", "lora_rank": 4}).overrule(["lora_rank", "never said"])
    assert said.counting == {"csv": "x.csv"}
    assert said.repeated({"csv": "x.csv", **again}, feedback).overruled == overruled


def test_a_link_out_of_an_experiments_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    disk = tmp_path / "disk/exp"
    (disk / "review").mkdir(parents=True)
    (disk / "notes").write_text("mine", encoding="utf-8")
    (tmp_path / "results").mkdir()
    (tmp_path / "results/exp").symlink_to(disk)
    (disk / "inside").symlink_to("notes")
    assert find_experiment("exp") == Path("results/exp")
    for link, leads in (("review/history.jsonl", tmp_path / "victim"), ("configs", tmp_path), ("logs", "../..")):
        (disk / link).symlink_to(leads)
        with pytest.raises(ConfigError, match=rf"results/exp/{link} is a link out of results/exp: delete it"):
            find_experiment("exp")
        (disk / link).unlink()


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious", encoding="utf-8")
    (tmp_path / "history.jsonl").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic link"):
        append_text(tmp_path / "history.jsonl", "{}\n")
    (tmp_path / "key.lock").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic link"), locked(tmp_path / "key"):
        pass
    assert victim.read_text(encoding="utf-8") == "precious"


def test_a_kept_run_is_not_an_experiment() -> None:
    with pytest.raises(ConfigError, match=r"exp/runs/2026-01-01T00-00-00Z is a kept run: compare, report and predict"):
        find_experiment("exp/runs/2026-01-01T00-00-00Z")
