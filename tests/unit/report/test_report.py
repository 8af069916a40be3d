import copy
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loramake.console import printable
from loramake.prediction.predictions import Scored
from loramake.rendering import in_markdown, render
from loramake.report.model_card import front_matter, render_model_card
from loramake.report.report import (
    CONTENTS,
    SHOWN,
    add_cells,
    find_unset,
    pick_samples,
    read_history,
    read_table,
    spread,
)
from loramake.report.words import CALIBRATION_METHODS, SET_METHODS, describe_labels
from loramake.tables.source import sniff_source
from loramake.tasks import Classification
from loramake.trust import calibration, conformal
from loramake.trust.audit import audit, evaluate
from loramake.trust.group_measures import count_rows
from loramake.trust.label_noise import summarize
from tests.conftest import ROOT
from tests.pages import Facts, make_facts, write_page


def line(row: int, label: str, yes: float) -> dict[str, Any]:
    probabilities = {"no": 1 - yes, "yes": yes}
    predicted = "yes" if yes > 0.5 else "no"
    return {"row": row, "source": "csv", "label": label, "predicted": predicted, "probabilities": probabilities}


def test_samples_are_the_most_certain_correct_and_incorrect_rows_and_the_least_certain_ones() -> None:
    lines = [line(0, "yes", 0.9), line(1, "yes", 0.2), line(2, "no", 0.05), line(3, "no", 0.55), line(4, "no", 0.99)]
    records = [{"row": row, "source": "csv", "instruction": "ill:", "input": f"age {row}"} for row in range(5)]
    samples = pick_samples(lines, records)
    rows = {name: [sample["key"][1] for sample in part] for name, part in samples.items()}
    assert rows == {"correct": [2, 0], "incorrect": [4, 1, 3], "unsure": [3, 1, 0]}
    assert samples["incorrect"][0] == {
        "key": ("csv", 4),
        "name": "row 6 of csv",
        "label": "no",
        "predicted": "yes",
        "probability": 0.99,
        "prompt": "ill:\nage 4",
    }
    assert pick_samples([], []) == {"correct": [], "incorrect": [], "unsure": []}


def test_samples_show_the_cells_of_their_rows(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("age,sex,ill\n40,F,no\n,M,yes\n", encoding="utf-8")
    samples: dict[str, list[dict[str, Any]]] = {
        "correct": [{"key": ("csv", 1)}], "incorrect": [], "unsure": [{"key": ("csv", 0)}]
    }  # fmt: skip
    shown = add_cells(samples, sniff_source(tmp_path / "t.csv"), ["sex", "age"])
    assert shown["correct"][0]["cells"] == {"sex": "M", "age": None}
    assert shown["unsure"][0]["cells"] == {"sex": "F", "age": "40"}
    assert shown["incorrect"] == []
    assert add_cells({"correct": []}, sniff_source(tmp_path / "t.csv"), ["sex"]) == {"correct": []}


@pytest.mark.parametrize(
    "cell", ["a|b", "<script>", "[x](http://y)", "`rm`", "# head", "two\nlines", "\x1b[31m", "a_b*c"]
)
def test_no_cell_breaks_a_line_of_markdown(cell: str) -> None:
    written = in_markdown(cell)
    assert "\n" not in written
    assert "\x1b" not in written
    assert not re.search(r"(?<!\\)[|<>`\[\]#_*]", written)


def test_every_section_of_the_report_has_its_template() -> None:
    folder = ROOT / "templates/render_report"
    assert {path.name.removesuffix(".html.j2") for path in folder.glob("*.html.j2")} == {*CONTENTS, "macros"}


def test_a_history_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert read_history(tmp_path / "history.jsonl") == []
    (tmp_path / "noise.csv").write_text("row,label\n", encoding="utf-8")
    assert read_table(tmp_path / "noise.csv") == []


def test_the_front_matter_names_the_base() -> None:
    read = {"train_config": {"model_name_or_path": "models/tiny"}, "task": {"task_type": "binary"}}
    assert front_matter(read)["base_model"] == "models/tiny"


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    return make_facts(tmp_path_factory.mktemp("two"), ["no", "yes"], "temperature", 0.995, 0.125)


@pytest.fixture(scope="module")
def thirty(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    labels = [f"label {index}" for index in range(30)]
    return make_facts(tmp_path_factory.mktemp("thirty"), labels, "none", 0.9, 0.1)


def section(name: str, facts: Facts) -> str:
    """A section of the page without tags: each cell on a separate line."""
    page = render(f"render_report/{name}.html.j2", **facts)
    return "\n".join(text.strip() for text in re.split(r"<[^>]+>", page) if text.strip())


def tables(name: str, facts: Facts) -> dict[str, list[list[str]]]:
    """The tables of a section by their caption, cells as text, the head first."""
    page = render(f"render_report/{name}.html.j2", **facts)
    result = {}
    for caption, table in re.findall(
        r"(?:<figcaption>([^<]*)</figcaption>\s*<div[^>]*>)?(<table.*?</table>)", page, re.S
    ):
        assert "<th scope" in table
        rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S) for row in re.findall(r"<tr.*?</tr>", table, re.S)]
        result[caption] = [[re.sub(r"<[^>]+>", " ", cell) for cell in row] for row in rows]
    return result


def table_of(name: str, facts: Facts, opening: str) -> list[list[str]]:
    (table,) = [rows for caption, rows in tables(name, facts).items() if caption.startswith(opening)]
    return table


def test_settings_are_shown_as_they_were_set(two: Facts) -> None:
    assert "target: 99.5%;" in section("verdict", two)
    assert "All methods at 99.5%" in section("conformal", two)
    assert "each with 99.5% confidence" in section("risk", two)
    assert "12.5%" in [row[0].split()[0] for row in table_of("risk", two, "Thresholds")]


def test_a_threshold_near_1_is_distinguished_from_1(two: Facts) -> None:
    chosen = {**two["risk"]["chosen"], "achievable": True, "threshold": 0.99961}
    shown = section("risk", two | {"risk": {**two["risk"], "chosen": chosen}})
    assert "0.99961" in shown
    assert "1.000" not in shown


def test_the_confidence_of_intervals_is_the_one_of_the_artifact(two: Facts) -> None:
    for name, artifact in (("performance", "metrics"), ("calibration", "calibration_measures"), ("costs", "costs")):
        changed = two | {artifact: {**two[artifact], "confidence": 0.875}}
        assert "in small figures 87.5% bootstrap intervals" in section(name, changed)
        assert "in small figures 95% bootstrap intervals" in section(name, two)
    assert "Wilson's 87.5% intervals" in section("conformal", two | {"interval_confidence": 0.875})
    card = render_model_card(two | {"metrics": {**two["metrics"], "confidence": 0.875}})
    assert "87.5% bootstrap intervals in parentheses" in card


def test_the_confidence_of_the_groups_is_the_one_of_the_audit(two: Facts) -> None:
    scored = Scored([("csv", row) for row in range(60)], np.arange(60) % 2, np.full((60, 2), 0.5))
    rows = count_rows(
        scored,
        scored.probabilities.argmax(axis=1),
        np.ones((60, 2), dtype=bool),
        np.zeros(60, dtype=bool),
        Classification("y", ["no", "yes"]),
    )
    overall, columns = audit(rows, [pd.Series(["a", "b", "b"] * 20, name="group", dtype=object)], seed=0)
    result = evaluate(rows, overall, columns, []) | {"confidence": 0.875}
    assert "Rates of yes; 87.5% intervals;" in section("audit", two | {"audit": result})


@pytest.mark.parametrize(("max_selective_error", "rows"), [(0.125, 6), (0.1, 5)])
def test_the_configured_error_has_a_row_among_the_thresholds(two: Facts, max_selective_error: float, rows: int) -> None:
    risk = {**two["risk"], "chosen": {**two["risk"]["chosen"], "max_selective_error": max_selective_error}}
    levels = [row[0] for row in table_of("risk", two | {"risk": risk}, "Thresholds")[1:]]
    assert len(levels) == rows
    shares = [float(name.split("%")[0]) for name in levels]
    assert shares == sorted(shares)
    assert [name.split("%")[0] for name in levels if "configured" in name] == [f"{100 * max_selective_error:g}"]


def test_without_a_configured_error_no_row_is_marked(two: Facts) -> None:
    table = table_of("risk", two | {"risk": {**two["risk"], "chosen": None}}, "Thresholds")
    assert len(table) == 6
    assert not any("configured" in row[0] for row in table)


def test_lists_that_are_cut_say_how_many_more_there_are(thirty: Facts) -> None:
    data = section("data", thirty)
    assert "label 19 (1) and 10 more" in data
    assert "8 × label 19 and 10 more" in data
    assert data.count("and 10 more") == 4  # labels, leaks, left out, trained on
    assert "30 by 30 numbers, is in trust/costs.json. Asking a person costs 0.5." in section("costs", thirty)


def test_tables_of_labels_are_whole_and_folded_after_the_first_ones(two: Facts, thirty: Facts) -> None:
    for name in ("performance", "conformal"):
        page = render(f"render_report/{name}.html.j2", **thirty)
        rows = re.findall(r'<th scope="row">(label \d+)</th>', page)
        assert rows == thirty["metrics"]["labels"]
        assert page.index("<summary>10 more labels</summary>") > page.index("label 19<")
        few = section(name, thirty | {"shown": {**SHOWN, "table_rows": 25}})
        assert "label 24" in few
        assert "label 25" not in few
        assert "5 further labels are in" in few
        assert "more labels" not in section(name, two)


def test_complete_lists_do_not_mention_more(two: Facts) -> None:
    for name in ("conformal", "costs", "performance"):
        assert not re.search(r"\d more|numbers, is in", section(name, two))


def test_the_data_section_names_other_spellings_of_a_label_and_a_target_that_nobody_named(two: Facts) -> None:
    labels = [dict(label) for label in two["task"]["labels"]]
    labels[1]["spellings"] = [{"value": "YES", "rows": 3}, {"value": "Yes", "rows": 1}]
    page = section("data", {**two, "task": {**two["task"], "labels": labels, "is_target_set": False}})
    assert "yes (1; also written YES, Yes)" in page
    assert "y (not set; said so)" in page
    assert "also written" not in section("data", two)


def test_suspicious_labels_are_reported_as_they_were_measured(two: Facts) -> None:
    for result in (summarize(12, []), summarize(240, []), summarize(240, [("csv", 7)])):
        facts = two | {"label_noise": result}
        assert result["sentence"] in section("data", facts)
        assert f"**Labels to check**: {result['sentence']}" in render_model_card(facts)
    assert summarize(12, [])["sentence"].startswith("Too few rows")
    lines = [{f"column {index}": "x" for index in range(20)}] * 12
    shown = section("data", two | {"suspects": lines})
    assert "The first 10 of 12 rows, 16 of 20 columns" in shown
    assert shown.count("\nx") == 160


def test_the_rows_of_calibration_are_reported(two: Facts, thirty: Facts) -> None:
    assert "Calibrated on 120 rows of the calibration split; the other 120 are held out" in section("calibration", two)
    text = section("calibration", thirty)
    assert "Calibrated on" not in text
    assert "The probabilities are not calibrated; the 240 held-out rows of the calibration split" in text
    assert "before" not in text


def test_the_confusion_matrix_is_there_in_numbers(two: Facts, thirty: Facts) -> None:
    matrix = two["metrics"]["splits"]["test"]["models"]["loramake"]["confusion_matrix"]
    assert table_of("performance", two, "Test rows by true label") == [
        ["true label", "no", "yes"],
        ["no", *map(str, matrix[0])],
        ["yes", *map(str, matrix[1])],
    ]
    assert "confusion matrix in numbers is in evaluation/metrics.json" in section("performance", thirty)
    metrics = copy.deepcopy(thirty["metrics"])
    metrics["splits"]["test"]["models"]["loramake"]["confusion_matrix"] = None
    text = section("performance", thirty | {"metrics": metrics})
    assert "predictions/test.jsonl has the true and the predicted label" in text


def test_the_reliability_diagram_is_there_in_numbers(two: Facts, thirty: Facts) -> None:
    head, *rows = table_of("calibration", two, "Test rows by the probability")
    assert len(head) == 7
    for index, when in ((1, "before"), (4, "after")):
        counts = [bin["rows"] for bin in two["calibration_measures"][when]["reliability"] if bin["rows"]]
        assert [int(row[index]) for row in rows if int(row[index])] == counts
        assert sum(counts) == 240
    head, *rows = table_of("calibration", thirty, "Test rows by the probability")
    assert len(head) == 4
    assert sum(int(row[1]) for row in rows) == 240


def test_the_risk_coverage_curve_is_there_in_numbers(two: Facts) -> None:
    _, *rows = table_of("risk", two, "Test rows answered")
    assert len(rows) == SHOWN["points"]
    assert rows[-1][0] == "100.0%"
    assert rows[-1][2].split()[0] == f"{two['risk']['test']['curve'][-1]['error']:.1%}"
    assert len(table_of("conformal", two, "On the test rows")) == len(two["conformal"]["levels"]) + 1


def test_what_an_answer_is_and_what_max_selective_error_costs_are_reported_where_costs_decide(two: Facts) -> None:
    assert "an answer is the decision of least expected cost" in section("risk", two)
    assert "an answer is" not in section("risk", two | {"risk": {**two["risk"], "decided_by": "probability"}})
    shown = [row[0] for row in table_of("costs", two, "Cost on 240 test rows")]
    assert shown[1:3] == ["loramake, as it decides", "loramake, without max_selective_error"]
    unset = {**two["costs"], "test": {**two["costs"]["test"], "without_max_selective_error": None}}
    assert "loramake, without max_selective_error" not in section("costs", two | {"costs": unset})


def test_points_are_spread_evenly_with_both_ends() -> None:
    assert spread(range(3), 20) == [0, 1, 2]
    assert spread(range(101), 5) == [0, 25, 50, 75, 100]
    assert spread([], 5) == []


def test_no_cell_or_name_does_more_than_display_on_the_page_and_in_the_card(tmp_path: Path) -> None:
    evil = "y\u202e\u2028\x1b]0;t\x07\x9b\u200b"
    facts = make_facts(tmp_path, [f"no{evil}", f"yes{evil}"], "temperature", 0.9, 0.1)
    facts["task"] |= {"target": evil, "reason": evil}
    facts["profile"] |= {"csv": evil}
    facts["sample"] |= {"input": evil}
    facts["suspects"] = [{evil: evil}]
    facts["train_config"] = {"model_name_or_path": evil}
    whole = [render_model_card(facts)]
    for name in ("verdict", "performance", "calibration", "conformal", "risk", "costs", "data"):
        whole.append(render(f"render_report/{name}.html.j2", **facts))
    for page in whole:
        assert printable(page) == page
    assert sum("yesy��" in page for page in whole) >= 4


def test_a_name_opens_no_tag_on_the_page(tmp_path: Path) -> None:
    tag = "<img src=x onerror=alert(1)>"
    facts = make_facts(tmp_path, [f"no{tag}", f"yes{tag}"], "temperature", 0.9, 0.1)
    facts["task"] |= {"target": tag, "reason": tag}
    facts["profile"] |= {"csv": tag}
    facts["suspects"] = [{tag: tag}]
    names = ("verdict", "performance", "calibration", "conformal", "risk", "costs", "data")
    pages = [render(f"render_report/{name}.html.j2", **facts) for name in names]
    assert not [name for name, page in zip(names, pages, strict=True) if "<img src=x" in page]
    assert sum("&lt;img src=x" in page for page in pages) >= 4


def test_names_in_generated_code_are_kept_as_they_are() -> None:
    """Nothing is replaced there: the code looks up the column by its exact name."""
    evil = "y\u202e\x1b"
    code = render("write_balance_code.j2", strategy="none", functions=f"# {evil}")
    assert evil in code


def test_suspicious_rows_are_shown_as_they_are_and_not_as_a_spreadsheet_has_them(tmp_path: Path) -> None:
    (tmp_path / "noise.csv").write_text("row,'=x\n3,'@y\n", encoding="utf-8")
    assert read_table(tmp_path / "noise.csv") == [{"row": "3", "=x": "@y"}]


def test_the_verdict_says_which_label_roc_auc_is_of_and_admits_that_a_number_says_little(two: Facts) -> None:
    task = {**two["task"], "target": "ill", "rows": {**two["task"]["rows"], "with_target": 9}}
    assert describe_labels(task) == "ROC-AUC is of label yes of ill (1 of 9 rows)."
    numbers = {**task, "labels": [{"value": "0", "rows": 5}, {"value": "1", "rows": 4}], "positive_label": "1"}
    said = "ROC-AUC is of label 1 of ill (4 of 9 rows). The table does not say what 1 stands for."
    assert describe_labels(numbers) == said
    assert said in section("verdict", two | {"meaning_of_labels": describe_labels(numbers)})
    assert said in render_model_card(two | {"meaning_of_labels": describe_labels(numbers)})


def test_with_more_labels_roc_auc_is_a_mean(thirty: Facts) -> None:
    assert "ROC-AUC is the mean over the 30 labels of y, each against all others." in section("verdict", thirty)


def test_no_baseline_is_named_as_it_is_in_the_code(two: Facts) -> None:
    for text in (render("render_report.html.j2", **two), render_model_card(two)):
        assert not re.search(r"hist.gradient|logistic.{0,2}_regression", text)
    assert {"loramake", "the most frequent label", "logistic regression", "gradient boosting"} <= {
        row[0] for row in table_of("performance", two, "240 held-out test rows")
    }
    assert "gradient boosting, by least expected cost" in section("costs", two)
    assert "| the most frequent label |" in render_model_card(two)


def test_commands_are_there_to_be_copied_with_this_experiments_name(two: Facts) -> None:
    page = render("render_report/use.html.j2", **two | {"experiment": "heart"})
    commands = re.findall(r'<pre class="copied" tabindex="0">(.*?)</pre>', page, re.S)
    assert commands[0] == "loramake predict heart --csv new.csv --output predictions.csv"
    assert 'model = Predictor("heart")\nmodel.predict_proba(table)' in commands[1]
    assert "results/exp/adapter" in page
    assert "results/exp/model_card.md" in page


def test_the_page_says_when_it_was_made(two: Facts) -> None:
    head = render("render_report.html.j2", **two).split("<nav")[0]
    assert "made on 2026-02-28" in head


def test_the_method_of_the_sets_and_of_calibration_is_explained_and_no_other(two: Facts) -> None:
    assert list(SET_METHODS) == list(conformal.METHODS)
    assert {*CALIBRATION_METHODS, "none"} == set(calibration.METHODS)
    for method in conformal.METHODS:
        text = section("conformal", two | {"conformal": {**two["conformal"], "method": method}})
        assert [name for name, sentence in SET_METHODS.items() if sentence in text] == [method]
    for method in calibration.METHODS:
        text = section("calibration", two | {"calibrator": {**two["calibrator"], "method": method}})
        explained = [name for name, sentence in CALIBRATION_METHODS.items() if sentence in text]
        assert explained == [name for name in [method] if name != "none"]


def test_sections_whose_settings_are_unset_are_a_line(two: Facts) -> None:
    unset = two | {"costs": {"configured": False, "sentence": "No costs.", "test": None}}
    assert find_unset(unset) == ["costs", "audit"]
    assert find_unset(two) == ["audit"]
    page = render("render_report.html.j2", **unset | {"unset": find_unset(unset)})
    assert re.findall(r'<section id="(\w+)"[^>]* class="unset">', page) == ["costs", "audit"]
    assert section("costs", unset) == "No costs."
    assert section("audit", two) == "No requirements are set.\nNo groups are compared."
    assert section("decisions", two) == "No decision is recorded."


def test_no_caption_is_inside_of_what_scrolls(tmp_path: Path) -> None:
    page = write_page(tmp_path, ["no", "yes"], ["age", "sex"]).read_text(encoding="utf-8")
    scrolling = re.findall(r'<div class="scroll"[^>]*>(.*?)</div>', page, re.S)
    assert len(scrolling) > 20
    assert not [part for part in scrolling if "caption" in part]
    assert page.count("<figcaption>") > 20
