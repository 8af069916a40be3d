"""The table of failures, tested with errors that were really raised."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from loramake.console import redact, say, step
from loramake.llm.failures import explain, text_of


def sentence(error: BaseException) -> str | None:
    return explain(text_of(error), "acme/tiny", "results", "work elsewhere")


def raised(attempt: Callable[[], object]) -> BaseException:
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - the error is what is looked at
        attempt()
    return caught.value


def test_a_full_disk_is_known_whoever_writes_to_it() -> None:
    torch = pytest.importorskip("torch")
    for attempt in (
        lambda: Path("/dev/full").write_text("x" * 100_000, encoding="utf-8"),
        lambda: torch.save({"a": torch.zeros(100_000)}, "/dev/full"),
    ):
        said = sentence(raised(attempt))
        assert (
            said
            == "no space is left on the disk of results: free some, or work elsewhere, and run the same command again"
        )


def test_what_torch_cannot_get_is_said_to_be_memory() -> None:
    torch = pytest.importorskip("torch")
    said = sentence(raised(lambda: torch.empty(2**60)))
    assert said == "the machine's memory is too small: set quantization_bit: 4, or use a smaller model"


def test_an_error_that_the_table_does_not_know_has_no_sentence() -> None:
    assert sentence(ValueError("strange")) is None


def test_the_cause_of_an_error_counts() -> None:
    def chained() -> None:
        try:
            raise OSError(28, "No space left on device")
        except OSError as error:
            raise RuntimeError("Failed to load tokenizer.") from error

    assert "no space is left" in str(sentence(raised(chained)))


def test_a_secret_of_the_environment_is_taken_out_of_whatever_is_said_and_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_Canary\nCanary")
    monkeypatch.setenv("SOME_KEY", "1")

    def work() -> None:
        with step(tmp_path / "log"):
            say("the header 'Bearer hf_Canary\nCanary'")
            raise ValueError(f"Illegal header value {os.environ['HF_TOKEN'].encode()!r}")

    for text in (str(raised(work)), capfd.readouterr().err, (tmp_path / "log").read_text(encoding="utf-8")):
        assert "Canary" not in text
        assert "[HF_TOKEN]" in text
    assert redact("1 of 1") == "1 of 1"
