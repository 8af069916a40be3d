"""An approval is of the bytes that were approved, and of no others."""

import hashlib
import json
from pathlib import Path

import pytest

from loramake import artifacts
from loramake.errors import FeedbackSavedError, ReviewError
from loramake.review import approval
from loramake.review.approval import Approval, Question, forget_reviews
from loramake.review.changes import Change, FeedbackContext

EXPERIMENT = Path("results/exp")
FILE, DECISION = EXPERIMENT / "data.json", EXPERIMENT / "review/data.json"


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An experiment with one file to approve."""
    monkeypatch.chdir(tmp_path)
    EXPERIMENT.mkdir(parents=True)
    FILE.write_text("what a person looked at", encoding="utf-8")


def asked() -> Approval:
    context = FeedbackContext(["a"], [], reads_notes=False)
    return Approval(Question("data", [FILE], context, {"approve": {"balance": "none"}}), DECISION, {})


def decide(mode: str) -> dict[str, object]:
    """The decision on the file as it is now."""
    asked().decide(mode)
    made: dict[str, object] = artifacts.read(DECISION, "review")
    return made


def approve_in_history(*digests: str) -> None:
    """What a person at the terminal leaves behind."""
    history = Path(approval.APPROVALS)
    history.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"review": "data", "balance": "none", "sha256": [digest]}) + "\n" for digest in digests]
    history.write_text("".join(lines), encoding="utf-8")


def test_what_was_approved_before_is_not_asked_again_and_anything_else_is() -> None:
    approve_in_history(artifacts.sha256(FILE))
    assert decide("ask")["by"] == "person"
    FILE.write_text("what nobody looked at", encoding="utf-8")
    with pytest.raises(ReviewError, match="needs a person"):
        decide("ask")


def test_a_file_approves_the_bytes_it_names_and_no_others() -> None:
    with pytest.raises(ReviewError, match=r"approve_data\.yaml is missing"):
        decide("file")
    digest = hashlib.sha256(artifacts.sha256(FILE).encode()).hexdigest()
    (EXPERIMENT / "feedback").mkdir()
    (EXPERIMENT / "feedback/approve_data.yaml").write_text(f"sha256: {digest}\nbalance: oversample\n")
    made = decide("file")
    assert (made["by"], made["balance"], made["reviewed"]) == (
        "file",
        "oversample",
        {str(FILE): artifacts.sha256(FILE)},
    )
    FILE.write_text("what nobody looked at", encoding="utf-8")
    with pytest.raises(ReviewError, match=r"approve_data\.yaml approves other files"):
        decide("file")


def test_an_approval_that_is_taken_back_is_the_one_of_these_bytes() -> None:
    approve_in_history("0" * 64, artifacts.sha256(FILE))
    decide("ask")
    forget_reviews(EXPERIMENT, "data")
    assert "0" * 64 in Path(approval.APPROVALS).read_text(encoding="utf-8")
    with pytest.raises(ReviewError, match="needs a person"):
        decide("ask")


def test_feedback_outside_of_a_run_is_a_success_and_stops_a_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def revise(approval: Approval) -> None:
        approval._revise([Change("plan", "drop", ["a"])])

    monkeypatch.setattr(Approval, "_ask", revise)
    asked().decide_ahead()
    assert "feedback is saved in results/exp/feedback/plan.yaml" in " ".join(capsys.readouterr().err.split())
    assert not (EXPERIMENT / "feedback/approve_data.yaml").exists()
    with pytest.raises(FeedbackSavedError, match="feedback is saved in"):
        decide("ask")
