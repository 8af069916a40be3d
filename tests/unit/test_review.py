from pathlib import Path
from typing import Any

import pytest

from loramake import artifacts
from loramake.errors import ReviewError
from loramake.review import review_lmf_config

CONFIG = {
    "model_name_or_path": "m", "stage": "sft", "finetuning_type": "lora", "dataset_dir": "d", "cutoff_len": 9,
    "output_dir": "o", "report_to": "none", "lora_rank": 4,
}  # fmt: skip


def review(folder: Path, mode: str, config: dict[str, Any] | None = None) -> Any:
    artifacts.write(folder / "train.yaml", config or CONFIG, "lmf_config")
    review_lmf_config(mode, folder / "approvals.jsonl", [folder / "train.yaml"], folder / "config.json")
    return artifacts.read(folder / "config.json", "review")


def test_the_setting_approves_and_the_approval_names_the_very_bytes(tmp_path: Path) -> None:
    approved = review(tmp_path, "approve")
    assert approved["by"] == "setting"
    assert approved["reviewed"] == {str(tmp_path / "train.yaml"): artifacts.sha256(tmp_path / "train.yaml")}


def test_without_a_terminal_a_person_cannot_be_asked_and_the_way_on_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "nothing").open("w+", encoding="utf-8") as file:
        monkeypatch.setattr("sys.stdin", file)
        with pytest.raises(ReviewError, match=r"needs a person: run the same command in a terminal, .*review=approve"):
            review(tmp_path, "ask")
    assert not (tmp_path / "config.json").exists()
