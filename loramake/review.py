"""The three reviews: a person looks at what was made and approves it, or stops the run.

An approval holds for the bytes that were approved: unchanged files are not asked about twice, whatever experiment they
are in (LlamaFactory's configuration names its experiment, so that one is asked about in each).
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import questionary
from rich.table import Table
from rich.text import Text

from loramake import artifacts
from loramake.console import console, log, say
from loramake.errors import ReviewError


def review_prep_data(
    mode: str,
    history: str | Path,
    verification: str | Path,
    plan: str | Path,
    all_data: str | Path,
    splits: str | Path,
    balance: str,
    out: str | Path,
) -> None:
    """Approve the prepared data and its balancing; writes review/data.json."""
    found = artifacts.read(verification, "verification")
    planned = artifacts.read(plan, "plan")
    strategy = planned["balance"]["proposal"] if balance == "auto" else balance
    console.print(_class_table("Prepared data", found["classes"]))
    console.print(f"{len(planned['features'])} features kept, {len(planned['dropped'])} dropped", markup=False)
    dropped = ", ".join(entry["name"] for entry in planned["dropped"])
    console.print(f"dropped: {dropped or 'none'}", markup=False, soft_wrap=True)
    why = planned["balance"]["reason"] if balance == "auto" else "set in the configuration"
    console.print(f"balancing: {strategy} ({why})", markup=False)
    _show_sandbox(found["sandbox"]["used"])
    for finding in found["critique"]:
        text = f"the agent finds ({finding['severity']}): {finding['issue']}: {finding['suggestion']}"
        console.print(text, markup=False, soft_wrap=True)
    console.print(f"the agent judged {found['judged']}", markup=False, soft_wrap=True)
    _decide("data", mode, history, [verification, plan, all_data, splits], out, balance=strategy)


def _show_sandbox(used: str) -> None:
    """Where the generated code ran; loud where nothing held it."""
    style = "bold red" if used.startswith("NONE") else None
    console.print(Text(f"the generated code ran in the sandbox: {used}", style=style or ""), soft_wrap=True)


def review_balanced_data(
    mode: str, history: str | Path, plan: str | Path, train: str | Path, balanced: str | Path, out: str | Path
) -> None:
    """Approve the balanced training split; writes review/balance.json."""
    from loramake.verification import count_labels

    planned = artifacts.read(plan, "plan")
    classes = {
        "before": count_labels(artifacts.read(train, "records"), planned),
        "after": count_labels(artifacts.read(balanced, "records"), planned),
    }
    console.print(_class_table("Training split before and after balancing", classes))
    _decide("balance", mode, history, [balanced], out)


def review_lmf_config(mode: str, history: str | Path, configs: Sequence[str | Path], out: str | Path) -> None:
    """Approve LlamaFactory's configuration; writes review/config.json."""
    settings = artifacts.read(configs[0], "lmf_config")
    table = Table(title="Training configuration", title_justify="left")
    table.add_column("key", style="bold")
    table.add_column("value")
    for key, value in settings.items():
        table.add_row(Text(key), Text(str(value)))
    console.print(table)
    _decide("config", mode, history, configs, out)


def _class_table(title: str, classes: dict[str, dict[str, int]]) -> Table:
    """Labels down, splits across; at most 20 labels are shown."""
    table = Table(title=title, title_justify="left")
    table.add_column("label", style="bold", max_width=40)
    for name in classes:
        table.add_column(name, justify="right")
    labels = list(next(iter(classes.values())))
    for label in labels[:20]:
        table.add_row(Text(label), *(f"{counts[label]:,}" for counts in classes.values()))
    if len(labels) > 20:
        table.add_row(f"… {len(labels) - 20} more", *("" for _ in classes))
    table.add_row("all", *(f"{sum(counts.values()):,}" for counts in classes.values()), style="dim")
    return table


def _decide(
    review: str, mode: str, history: str | Path, reviewed: Sequence[str | Path], out: str | Path, **decided: str
) -> None:
    """Take an earlier approval of the same bytes, the setting's, or ask; write the decision or raise ReviewError."""
    hashes = {str(path): artifacts.sha256(path) for path in reviewed}
    by = "setting" if mode == "approve" else "person"
    content = {"review": review, **decided, "sha256": sorted(hashes.values())}
    if by == "person" and content in _approvals(history):
        say(f"the {review} review was approved before, for these very files.")
    elif by == "person":
        _ask(review, out)
        _remember(history, content)
    artifacts.write(out, {"review": review, "decision": "approve", "by": by, **decided, "reviewed": hashes}, "review")


def _ask(review: str, out: str | Path) -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ReviewError(
            f"{out} needs a person: run the same command in a terminal, "
            f"or approve all reviews with --config review=approve."
        )
    answer = questionary.select(f"Approve the {review} review?", choices=["approve", "stop"]).ask(kbi_msg="")
    if answer != "approve":
        raise ReviewError(f"{out}: stopped by you; nothing is lost: run the same command to be asked again.")


def _approvals(history: str | Path) -> list[dict[str, Any]]:
    path = Path(history)
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _remember(history: str | Path, content: dict[str, Any]) -> None:
    path = Path(history)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(content, ensure_ascii=False) + "\n")
    log.info("remembered %s", content)
