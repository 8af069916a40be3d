import json
from pathlib import Path
from typing import Any

import pytest

from loramake import artifacts
from loramake.errors import ReviewError
from loramake.review import review_lmf_config

CONFIG = {
    "model_name_or_path": "m", "stage": "sft", "finetuning_type": "lora", "dataset_dir": "d", "cutoff_len": 9,
    "output_dir": "o", "report_to": "none", "lora_rank": 4, "num_train_epochs": 3.0,
    "per_device_train_batch_size": 2, "gradient_accumulation_steps": 8,
}  # fmt: skip


PLAN = {
    "target": "y", "instruction": "?", "feature_format": "{name} {value}", "feature_separator": " ",
    "number_format": {"kind": "plain", "significant_digits": 4}, "cell_tokens": None, "longest_cell": 9,
    "missing": {"token": "-", "reason": ""}, "features": [{"name": "a", "type": "text", "number_style": None}],
    "dropped": [], "labels": [{"value": "0", "text": "0"}, {"value": "1", "text": "1"}],
    "balance": {"proposal": "none", "reason": ""}, "advice": "", "unread_notes": 0,
    "by": {"provider": "builtin", "model": None},
}  # fmt: skip


VERIFICATION = {
    "checks": [{"name": "c", "passed": True, "detail": ""}], "classes": {}, "critique": [], "judged": "",
    "by": PLAN["by"],
    "tokens": {"longest": 9, "mean": 7.5, "cutoff_len": 9, "estimated": False},
    "sandbox": {"setting": "auto", "used": "bubblewrap"},
}  # fmt: skip
RECORDS = [{"row": row, "source": "csv", "instruction": "?", "input": "a 1", "output": "0"} for row in range(20)]


def review(folder: Path, mode: str, config: dict[str, Any] | None = None) -> Any:
    artifacts.write(folder / "train.yaml", config or CONFIG, "lmf_config")
    artifacts.write(folder / "plan.yaml", PLAN, "plan")
    artifacts.write(folder / "verification.json", VERIFICATION, "verification")
    artifacts.write(folder / "balanced_data.json", RECORDS, "records")
    review_lmf_config(
        mode,
        folder / "approvals.jsonl",
        folder / "plan.yaml",
        folder / "verification.json",
        folder / "balanced_data.json",
        [folder / "train.yaml"],
        folder / "review/config.json",
    )
    return artifacts.read(folder / "review/config.json", "review")


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
    assert not (tmp_path / "review/config.json").exists()


def test_a_file_approves_the_very_bytes_that_it_names(tmp_path: Path) -> None:
    decision = tmp_path / "feedback/approve_config.yaml"
    with pytest.raises(ReviewError, match=r"approve_config.yaml is awaited: look at .*train.yaml") as caught:
        review(tmp_path, "file")
    decision.parent.mkdir(exist_ok=True)
    decision.write_text(str(caught.value).split("`")[1] + "\n")
    assert review(tmp_path, "file")["by"] == "file"
    with pytest.raises(ReviewError, match="is of other files"):
        review(tmp_path, "file", {**CONFIG, "lora_rank": 8})
    history = (tmp_path / "review/history.jsonl").read_text().splitlines()
    assert [json.loads(line)["by"] for line in history] == ["file"]
