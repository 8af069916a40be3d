"""The pictures: drawn for every shape of result, with the same bytes each time and nothing hidden."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import auc, average_precision_score, roc_auc_score

from loramake import artifacts
from loramake.plots.evaluation import (
    average_precision_recall,
    average_roc,
    plot_confusion_matrix,
    plot_evaluation,
    plot_loss,
    plot_precision_recall,
    plot_roc,
)
from loramake.plots.features import plot_feature_rankings
from loramake.plots.figure import DARK, INK, ON_BLUE, PAPER
from loramake.prepare.ranking import unranked
from loramake.report.report import read_picture
from loramake.tasks import Classification
from tests.cases import four_models
from tests.conftest import ROOT
from tests.files import Files
from tests.pages import write_page, write_rankings
from tests.pictures import colours, letter_size, markers, texts

WORDS = {
    "loramake": "loramake",
    "majority": "the most frequent label",
    "logistic_regression": "logistic regression",
    "hist_gradient_boosting": "gradient boosting",
}
NO_YES = Classification("y", ["no", "yes"])


def scores(rows: int, labels: int) -> tuple[Any, dict[str, Any]]:
    generator = np.random.default_rng(0)
    truth = generator.integers(labels, size=rows)
    by_model = {}
    for name in WORDS:
        logits = generator.normal(size=(rows, labels))
        logits[np.arange(rows), truth] += 1.0
        by_model[name] = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return truth, by_model


def test_a_confusion_matrix_shows_rows_and_shares(tmp_path: Path) -> None:
    path = tmp_path / "matrix.svg"
    plot_confusion_matrix(np.array([[30, 10], [0, 5]]), ["no", "yes"], path)
    shown_texts = texts(path)
    assert {"30", "75%", "10", "25%", "no", "yes", "predicted label", "true label"} <= set(shown_texts)


def test_twenty_labels_have_numbers_and_more_have_colours_only(tmp_path: Path) -> None:
    for labels, cells in ((20, 400), (21, 0)):
        path = tmp_path / f"{labels}.svg"
        plot_confusion_matrix(np.full((labels, labels), 777), [f"l{i}" for i in range(labels)], path)
        assert texts(path).count("777") == cells
        assert "l0" in texts(path)


def test_a_label_without_rows_has_no_share(tmp_path: Path) -> None:
    plot_confusion_matrix(np.array([[3, 0], [0, 0]]), ["no", "yes"], tmp_path / "matrix.svg")
    assert texts(tmp_path / "matrix.svg").count("–") == 2


def test_labels_of_any_script_and_sign_are_drawn(tmp_path: Path) -> None:
    labels = ["$10k - $20k", "<b>&\x0b\n", "日本", "_hidden", "x" * 200]
    plot_confusion_matrix(np.eye(5, dtype=int), labels, tmp_path / "matrix.svg")
    shown_texts = texts(tmp_path / "matrix.svg")
    assert {"$10k - $20k", "<b>&", "日本", "_hidden", "x" * 23 + "…"} <= set(shown_texts)
    truth, found_scores = scores(60, 5)
    plot_roc(Classification("y", labels), truth, found_scores, tmp_path / "roc.svg")
    assert any(text.startswith("loramake, _hidden (AUC") for text in texts(tmp_path / "roc.svg"))


def test_roc_curves_name_every_model_with_its_area(tmp_path: Path) -> None:
    truth, by_model = scores(200, 2)
    plot_roc(NO_YES, truth, by_model, tmp_path / "roc.svg")
    drawn = texts(tmp_path / "roc.svg")
    for name, probabilities in by_model.items():
        assert f"{WORDS[name]} (AUC {roc_auc_score(truth, probabilities[:, 1]):.3f})" in drawn
    assert "of label yes of y" in drawn


def test_up_to_six_labels_have_curves_of_their_own(tmp_path: Path) -> None:
    for labels, curves in ((3, 3), (6, 6), (7, 0)):
        path = tmp_path / f"{labels}.svg"
        plot_roc(Classification("y", [f"l{i}" for i in range(labels)]), *scores(300, labels), path)
        assert sum(text.startswith("loramake, l") for text in texts(path)) == curves


@pytest.mark.parametrize("digits", [16, 1])
@pytest.mark.parametrize("labels", [2, 4])
def test_the_average_curve_has_the_mean_of_the_areas(labels: int, digits: int) -> None:
    truth, by_model = scores(100, labels)
    ranked = [1] if labels == 2 else list(range(labels))
    probabilities = by_model["loramake"].round(digits)
    expected = np.mean([roc_auc_score(truth == label, probabilities[:, label]) for label in ranked])
    assert auc(*average_roc(truth, probabilities, ranked)) == pytest.approx(expected)


@pytest.mark.parametrize("digits", [16, 1])
@pytest.mark.parametrize("labels", [2, 4])
def test_the_average_staircase_has_the_mean_of_the_average_precisions(labels: int, digits: int) -> None:
    truth, by_model = scores(100, labels)
    ranked = [1] if labels == 2 else list(range(labels))
    probabilities = by_model["loramake"].round(digits)
    expected = np.mean([average_precision_score(truth == label, probabilities[:, label]) for label in ranked])
    assert auc(*average_precision_recall(truth, probabilities, ranked)) == pytest.approx(expected)


def test_precision_and_recall_are_drawn_beside_what_chance_gives(tmp_path: Path) -> None:
    truth, by_model = scores(200, 2)
    plot_precision_recall(NO_YES, truth, by_model, tmp_path / "pr.svg")
    for name, probabilities in by_model.items():
        area = average_precision_score(truth, probabilities[:, 1])
        assert f"{WORDS[name]} (AP {area:.3f})" in texts(tmp_path / "pr.svg")


@pytest.mark.parametrize("rows", [0, 5])
def test_a_split_of_fewer_than_two_labels_says_so(tmp_path: Path, rows: int) -> None:
    empty = {"loramake": np.full((rows, 2), 0.5)}
    plot_roc(NO_YES, np.zeros(rows, dtype=int), empty, tmp_path / "roc.svg")
    plot_precision_recall(NO_YES, np.zeros(rows, dtype=int), empty, tmp_path / "pr.svg")
    for name in ("roc", "pr"):
        assert "no curve: the split has fewer than two labels" in texts(tmp_path / f"{name}.svg")


def test_the_loss_curve_skips_lines_without_a_loss(tmp_path: Path) -> None:
    lines = [{"current_steps": step, "total_steps": 20, "loss": 1.0 / step} for step in (5, 10, 15)]
    lines += [{"current_steps": 20, "total_steps": 20}, {"current_steps": 20, "total_steps": 20, "loss": float("nan")}]
    plot_loss(lines, tmp_path / "loss.svg")
    assert "no loss was logged" not in texts(tmp_path / "loss.svg")
    assert "validation" not in texts(tmp_path / "loss.svg")
    plot_loss([*lines, {"current_steps": 20, "total_steps": 20, "eval_loss": 0.4}], tmp_path / "both.svg")
    assert "validation" in texts(tmp_path / "both.svg")


def test_a_log_without_a_loss_says_so(tmp_path: Path) -> None:
    for lines in ([], [{"current_steps": 1, "total_steps": 1}]):
        plot_loss(lines, tmp_path / "loss.svg")
        assert "no loss was logged" in texts(tmp_path / "loss.svg")


def test_a_single_loss_is_a_marker(tmp_path: Path) -> None:
    plot_loss([{"current_steps": 5, "total_steps": 5, "loss": 0.7}], tmp_path / "loss.svg")
    assert markers(tmp_path / "loss.svg") == 1
    assert "no loss was logged" not in texts(tmp_path / "loss.svg")


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_pictures_have_the_same_bytes_each_time(tmp_path: Path, suffix: str) -> None:
    truth, by_model = scores(80, 3)
    for name in ("first", "second"):
        plot_roc(Classification("y", ["a", "b", "c"]), truth, by_model, tmp_path / f"{name}{suffix}")
    assert (tmp_path / f"first{suffix}").read_bytes() == (tmp_path / f"second{suffix}").read_bytes()


@pytest.mark.parametrize("rows", [0, 60])
def test_an_evaluation_has_four_pictures_of_its_artifacts(tmp_path: Path, rows: int) -> None:
    files = Files(tmp_path, ["a", "b", "c"])
    files.put("test", *four_models(rows, 3, (1.0, 1.0, 1.0)))
    paths = files.write()
    lines = [{"current_steps": 5, "total_steps": 10, "loss": 0.7, "lr": 1e-3, "epoch": 0.5}]
    artifacts.write(tmp_path / "trainer_log.jsonl", lines, "trainer_log")
    plot_evaluation(
        task=paths["task"],
        test=paths["test"],
        baselines=paths["baselines"],
        trainer_log=tmp_path / "trainer_log.jsonl",
        confusion_matrix_out=tmp_path / "confusion_matrix.svg",
        roc_out=tmp_path / "roc.svg",
        precision_recall_out=tmp_path / "precision_recall.svg",
        loss_out=tmp_path / "loss.svg",
    )
    assert "b" in texts(tmp_path / "confusion_matrix.svg")
    assert "true positive rate" in texts(tmp_path / "roc.svg")
    assert "recall" in texts(tmp_path / "precision_recall.svg")
    assert "step" in texts(tmp_path / "loss.svg")


def test_the_best_features_are_drawn_with_their_average_rank(tmp_path: Path) -> None:
    write_rankings(tmp_path / "rankings.csv", [f"f{index:03d}" for index in range(2000)])
    plot_feature_rankings(tmp_path / "rankings.csv", tmp_path / "rankings.svg")
    shown_texts = texts(tmp_path / "rankings.svg")
    assert [text for text in shown_texts if text.startswith("f0")] == [f"f{index:03d}" for index in range(40)]
    assert "The best 40 of 2,000 features" in shown_texts
    assert {"1.0", "40.0", "pearson", "mutual information", "random forest"} <= set(shown_texts)


def test_feature_names_of_any_length_and_sign_are_drawn(tmp_path: Path) -> None:
    write_rankings(tmp_path / "rankings.csv", ["x" * 300, "😀 mood", "NA", "$a$ & <b>", "two\nlines", "'=1", "last"])
    plot_feature_rankings(tmp_path / "rankings.csv", tmp_path / "rankings.svg")
    assert {"x" * 23 + "…", "😀 mood", "NA", "$a$ & <b>", "two lines", "=1"} <= set(texts(tmp_path / "rankings.svg"))


def test_a_table_that_is_not_ranked_says_so(tmp_path: Path) -> None:
    unranked(["a", "b"]).to_csv(tmp_path / "rankings.csv", index=False)
    plot_feature_rankings(tmp_path / "rankings.csv", tmp_path / "rankings.svg")
    assert "not ranked: there are few enough features to keep all" in texts(tmp_path / "rankings.svg")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Every picture of a page, with 2, 7 and 20 labels."""
    drawn = []
    for count in (2, 7, 20):
        folder = tmp_path_factory.mktemp(str(count))
        write_page(folder, [f"label {index}" for index in range(count)], [f"column {index}" for index in range(30)])
        drawn += folder.glob("*.svg")
    return drawn


def test_every_colour_of_every_picture_has_one_for_a_dark_page(pictures: list[Path]) -> None:
    known = {colour.lower() for colour in (*DARK, ON_BLUE)}
    assert {path.name: colours(path) - known for path in pictures if colours(path) - known} == {}
    for path in pictures:
        style = path.read_text(encoding="utf-8").split("</style>")[0]
        assert "@media (prefers-color-scheme: dark)" in style
        assert all(f'"fill: {light.lower()}"] {{ fill: {dark} !important }}' in style for light, dark in DARK.items())


def test_the_letters_of_every_picture_can_be_read_on_a_phone(pictures: list[Path]) -> None:
    """The page scales pictures of up to 480 pixels down to some 340, and lets wider ones scroll."""
    for path in pictures:
        width = read_picture(path)["width"]
        assert letter_size(path, 340 if width <= 480 else width) >= 8.5, path


def test_pictures_have_the_colours_of_the_page() -> None:
    light, dark = (ROOT / "templates/render_report/style.css").read_text(encoding="utf-8").split("@media", 2)[:2]
    assert (f"--ink: {INK};" in light, f"--paper: {PAPER};" in light) == (True, True)
    assert (f"--ink: {DARK[INK]};" in dark, f"--paper: {DARK[PAPER]};" in dark) == (True, True)
