"""How long the report of many test rows takes to make and to open, beside that of few.

    python benchmarks/report.py results/demo data/heart.csv    # 200 and 100,000 test rows; minutes; needs chromium

Takes a finished experiment, puts synthetic test rows in place of its own (probabilities of loramake and of the
baselines drawn, labels drawn from them), makes all that grows with the test rows again by the workflow's own
functions, and renders the page. What the page holds of groups, importance and label noise stays the experiment's own.
Opening is from the start of the navigation to the load event, all pictures decoded, in a fresh headless Chromium; the
median of five.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from playwright.sync_api import sync_playwright
from running import markdown

from loramake import artifacts, layout
from loramake.evaluation.run import run_evaluation
from loramake.plots.calibration import plot_reliability
from loramake.plots.conformal import plot_conformal
from loramake.plots.evaluation import plot_evaluation
from loramake.plots.risk import plot_risk_coverage
from loramake.prediction.predictions import Scored, scored_lines
from loramake.report.report import FILES, render_report
from loramake.tables.source import sniff_source
from loramake.tasks import read_task
from loramake.trust.calibration_measures import evaluate_calibration
from loramake.trust.conformal import fit_conformal
from loramake.trust.risk import control_risk


def grow(results: Path, rows: int) -> None:
    """Put synthetic test rows in place of the experiment's, and make again what follows from them."""
    rng = np.random.default_rng(0)
    labels = read_task(results / "task.json").labels
    strong = rng.dirichlet(np.full(len(labels), 0.5), size=rows)
    truth = (strong.cumsum(axis=1) > rng.random(rows)[:, None]).argmax(axis=1)
    keys = [("csv", row) for row in range(rows)]
    lines = scored_lines(Scored(keys, truth, strong), labels)
    for path in ("predictions/test.jsonl", "trust/test.jsonl"):
        artifacts.write(results / path, lines, "predictions")
    grow_baselines(results / "evaluation/baselines.json", strong, rng)
    grow_records(results / "data/all_data.json", rows)
    measure(results)


def grow_baselines(path: Path, strong: np.ndarray, rng: np.random.Generator) -> None:
    baselines = artifacts.read(path, "baselines")
    for model in baselines["models"].values():
        noisy = 0.7 * strong + 0.3 * rng.dirichlet(np.ones(strong.shape[1]), size=len(strong))
        made = {"rows": list(range(len(strong))), "sources": ["csv"] * len(strong), "probabilities": noisy.tolist()}
        model["splits"]["test"] = made
    artifacts.write(path, baselines, "baselines", indent=None)


def grow_records(path: Path, rows: int) -> None:
    records = artifacts.read(path, "records")
    grown = [{**records[row % len(records)], "row": row, "source": "csv"} for row in range(rows)]
    artifacts.write(path, grown, "records")


def measure(results: Path) -> None:
    """The steps of the workflow that read the test rows and whose pictures the page shows."""
    task, trust, evaluation = results / "task.json", results / "trust", results / "evaluation"
    test = results / "predictions/test.jsonl"
    run_evaluation(
        task, results / "predictions/train.jsonl", test, evaluation / "baselines.json", 42, evaluation / "metrics.json"
    )
    pictures = [evaluation / f"{name}.svg" for name in ("confusion_matrix", "roc", "precision_recall", "loss")]
    plot_evaluation(task, test, evaluation / "baselines.json", results / "adapter/trainer_log.jsonl", *pictures)
    after, held_out = trust / "test.jsonl", trust / "held_out.jsonl"
    evaluate_calibration(task, test, after, trust / "calibrator.json", 42, trust / "calibration_measures.json")
    plot_reliability(trust / "calibration_measures.json", trust / "reliability.svg")
    fit_conformal(task, held_out, after, "lac", 0.9, 42, trust / "conformal.json")
    plot_conformal(trust / "conformal.json", trust / "conformal.svg")
    control_risk(task, held_out, after, 0.1, 0.9, None, None, 42, trust / "risk.json")
    plot_risk_coverage(trust / "risk.json", trust / "risk_coverage.svg")


def render(results: Path, table: Path) -> float:
    """Seconds to make the page from its artifacts."""
    files = {word: layout.FILES[word].within(results) for word in FILES}
    started = time.perf_counter()
    render_report(
        "grown",
        sniff_source(table),
        files,
        sorted(
            [
                *(results / "evaluation").glob("*.svg"),
                *(results / "trust").glob("*.svg"),
                *results.glob("*/*rankings.svg"),
            ]
        ),
        {},
        results / "benchmarks",
        results / "agent",
        results / "review/history.jsonl",
        results / "report.html",
        results / "model_card.md",
    )
    return time.perf_counter() - started


def open_in_chromium(page: Path) -> float:
    """Seconds until the page is loaded and its pictures are decoded, the median of five."""
    seconds = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for _ in range(5):
            tab = browser.new_context().new_page()
            started = time.perf_counter()
            tab.goto(page.resolve().as_uri(), wait_until="load")
            tab.evaluate("Promise.all([...document.images].map((image) => image.decode()))")
            seconds.append(time.perf_counter() - started)
            tab.context.close()
        browser.close()
    return statistics.median(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="the folder of a finished experiment")
    parser.add_argument("table", type=Path, help="the CSV it was made from")
    parser.add_argument("--rows", type=int, nargs="+", default=[200, 100_000])
    options = parser.parse_args()
    table = []
    for rows in options.rows:
        with tempfile.TemporaryDirectory(prefix="report-") as temporary:
            results = Path(shutil.copytree(options.results, Path(temporary) / "results"))
            grow(results, rows)
            grown = Path(temporary) / "grown.csv"
            rows_of = pd.read_csv(options.table, dtype=str, keep_default_na=False)
            rows_of.sample(rows, replace=True, random_state=0).to_csv(grown, index=False)
            made = render(results, grown)
            size = (results / "report.html").stat().st_size / 1e6
            opened = open_in_chromium(results / "report.html")
        table.append([f"{rows:,}", f"{made:.1f}", f"{size:.2f}", f"{opened:.2f}"])
    print(markdown(("test rows", "seconds to make", "MB", "seconds to open"), table))


if __name__ == "__main__":
    main()
