import json
from pathlib import Path
from typing import Any

import pytest

from loramake import artifacts
from loramake.errors import ReviewError
from loramake.review import review_lmf_config, show_prep_data

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
        with pytest.raises(
            ReviewError, match=r"needs a person: run .* in a terminal, .*review: approve .*review: file"
        ):
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


def test_a_remembered_approval_is_told_apart_from_a_decision(tmp_path: Path) -> None:
    review(tmp_path, "approve")
    content = {"review": "config", "sha256": [artifacts.sha256(tmp_path / "train.yaml")]}
    (tmp_path / "approvals.jsonl").write_text(json.dumps(content) + "\n")
    assert review(tmp_path, "ask")["by"] == "person"
    history = (tmp_path / "review/history.jsonl").read_text().splitlines()
    assert [json.loads(line).get("remembered", False) for line in history] == [False, True]


def test_what_is_shown_of_the_data_names_experiment_sizes_leaks_and_all_that_is_dropped_on_a_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    names = [f"c{number}" for number in range(12)]
    dropped = [{"name": name, "reason": "constant: one value"} for name in names]
    leak = {"name": "told", "reason": "suspected leak: it is the target in other words"}
    artifacts.write(tmp_path / "exp/plan.yaml", {**PLAN, "dropped": [*dropped, leak]}, "plan")
    classes = {"train": {"0": 20, "1": 0}, "validation": {"0": 0, "1": 0}}
    artifacts.write(tmp_path / "exp/verification.json", {**VERIFICATION, "classes": classes}, "verification")
    artifacts.write(tmp_path / "exp/all_data.json", RECORDS, "records")
    paths = [tmp_path / "exp" / name for name in ("verification.json", "plan.yaml", "all_data.json")]
    question = show_prep_data(*paths, tmp_path / "splits.csv", "auto")
    shown = capfd.readouterr().err.splitlines()
    assert shown[0] == "exp: prepared data"
    assert "sizes: 20 records of 1 feature; 8 tokens a row, 9 at most of 9" in shown
    assert f"dropped: {', '.join(names)}, told" in shown
    assert "  … 2 more: in plan.yaml" in shown
    assert shown[shown.index("suspected leaks: 1, among the dropped") + 1] == "  told: it is the target in other words"
    assert not question.known.has_validation
