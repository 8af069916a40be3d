"""What `loramake run` was told, kept for the commands that are told a name alone."""

from pathlib import Path

import pytest

from loramake.experiments import CommandLine, as_options, read_command_line, write_command_line


def test_what_a_run_was_told_is_read_back_and_nothing_where_it_never_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_command_line("exp") == CommandLine()
    said = CommandLine({"csv": "007.csv", "lora_rank": 4, "learning_rate": 1e-4}, ["lora_rank"])
    write_command_line("exp", said)
    assert read_command_line("exp") == said
    assert as_options(said.counting) == ["--config", 'csv="007.csv"', "learning_rate=0.0001"]
    Path("results/.cache/command_lines/exp.json").write_text("[]")
    assert read_command_line("exp") == CommandLine()


@pytest.mark.parametrize(
    ("again", "asked", "overruled"),
    [
        ({"lora_rank": 4}, {"lora_rank"}, ["lora_rank"]),
        ({"lora_rank": 8}, {"lora_rank"}, []),
        ({"lora_rank": 4}, set(), []),
        ({}, {"lora_rank"}, []),
    ],
)
def test_the_same_command_does_not_take_feedback_back_and_another_one_does(
    again: dict[str, int], asked: set[str], overruled: list[str]
) -> None:
    said = CommandLine({"csv": "x.csv", "lora_rank": 4}).overrule(["lora_rank", "never said"])
    assert said.counting == {"csv": "x.csv"}
    assert said.said_again({"csv": "x.csv", **again}, asked).overruled == overruled
