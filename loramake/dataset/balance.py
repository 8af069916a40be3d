"""Balances the training split as the review decided, by code whose result is checked."""

import json
import tempfile
from collections import Counter
from math import log, sqrt
from pathlib import Path

from scipy.special import bdtrc

from loramake import artifacts, schemas
from loramake.agents import Agent, Failure
from loramake.agents.builtin import BuiltinAgent
from loramake.agents.coding import check_functions, write_until_it_works
from loramake.agents.complaints import BALANCED
from loramake.artifact_types.prepare import Record, SandboxSetting
from loramake.config import STRATEGIES
from loramake.console import say
from loramake.errors import ArtifactError, CodeError
from loramake.rendering import render
from loramake.sandbox import Sandbox, choose_sandbox
from loramake.tables.source import Key
from loramake.tasks.counts import describe_undersampling
from loramake.tasks.label_shift import count_labels

_CHANCE = 1e-9
"""Probability of refusing code that draws with equal probability, for each label."""


def write_balance_code(
    review: str | Path,
    balance: str | None,
    train: str | Path,
    seed: int,
    agent: Agent,
    sandbox: Sandbox,
    out: str | Path,
) -> None:
    """Write balance_data.py for the strategy that the data review decided, or that feedback/balance.yaml sets.

    An LLM's code is run on the training split and checked first; CodeError after its last attempt.
    """
    strategy = read_strategy(review, balance)

    def complete(functions: str) -> str:
        script = _render_script(strategy, functions)
        check_functions(script, ("balance",), out)
        return script

    def try_out(script: Path) -> Failure | None:
        return _try_out(script, strategy, Path(train), seed, sandbox)

    def write(failures: list[Failure]) -> str:
        return agent.write_balance_code(strategy, failures)

    artifacts.write_text(out, write_until_it_works(agent, write, complete, try_out, out))
    say(f"balancing: {strategy}{'; the training records stay as they are' if strategy == 'none' else ''}.")


def read_strategy(review: str | Path, balance: str | None) -> str:
    """The strategy in force: that of feedback/balance.yaml, else that of the data review."""
    return balance or str(artifacts.read(review, schemas.REVIEW)["balance"])


def _try_out(script: Path, strategy: str, train: Path, seed: int, sandbox: Sandbox) -> Failure | None:
    """Run a balancing script on the training split; None if the result follows its strategy."""
    with tempfile.TemporaryDirectory(dir=script.parent, prefix=".rows-") as folder:
        try:
            execute_balance_code(
                script, train, strategy, seed, sandbox, Path(folder, "balanced_data.json"), Path(folder, "shift.json")
            )
        except (CodeError, ArtifactError) as error:
            output = error.output if isinstance(error, CodeError) else ""
            check = None if output else BALANCED[strategy]
            return {"code": "", "complaint": str(error), "check": check, "output": output, "rows": []}
    return None


def _render_script(strategy: str, functions: str) -> str:
    """The whole script around the function."""
    return render("write_balance_code.j2", strategy=strategy, functions=functions)


def choose_balance_sandbox(setting: SandboxSetting) -> Sandbox:
    """The sandbox of balance_data.py by the user's setting; ConfigError if one is needed and none works."""
    return choose_sandbox(setting, lambda script: script in map(_render_own_script, STRATEGIES))


def _render_own_script(strategy: str) -> bytes:
    """What the built-in agent writes for a strategy."""
    return _render_script(strategy, BuiltinAgent().write_balance_code(strategy, [])).encode()


def execute_balance_code(
    script: str | Path,
    train: str | Path,
    strategy: str,
    seed: int,
    sandbox: Sandbox,
    out: str | Path,
    shift_out: str | Path,
) -> None:
    """Run balance_data.py on the training split; write balanced_data.json (balanced by `strategy`), label_shift.json.

    CodeError if the records are not those of train.json, or not balanced so: scripts edited by hand are checked too.
    """
    original = artifacts.read(train, schemas.RECORDS)
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=Path(out).parent, prefix=".rows-") as folder:
        written = Path(folder, "balanced.json")
        sandbox.run(script, inputs={"records": Path(train)}, values={"seed": seed}, outputs={"out": written})
        balanced = _read_balanced(written, original, script)
    check_balanced(original, balanced, script)
    check_strategy(strategy, original, balanced, script)
    artifacts.write(out, balanced, schemas.RECORDS)
    artifacts.write(shift_out, count_labels(original, balanced), schemas.LABEL_SHIFT)
    say(f"{len(original):,} training records, {len(balanced):,} after balancing.")
    if strategy == "undersample" and (
        dropped := describe_undersampling(Counter(record["output"] for record in original))
    ):
        say(dropped)


def _read_balanced(path: Path, original: list[Record], script: str | Path) -> list[Record]:
    """The records that a script wrote, at most as many as oversampling makes."""
    counts = Counter(record["output"] for record in original)
    most = len(counts) * max(counts.values())
    longest = max(len(json.dumps(record)) for record in original)
    try:
        return artifacts.read_untrusted(path, schemas.RECORDS, 2 * most * (longest + 100), most)
    except ArtifactError as error:
        raise CodeError(f"{script} did not write records: {str(error).removeprefix(f'{path}: ')}") from error


def check_balanced(original: list[Record], balanced: list[Record], script: str | Path) -> None:
    """Raise CodeError if balancing invented a record, changed one, or lost every record of a label."""
    by_key = {_key(record): record for record in original}
    if any(by_key.get(_key(record)) != record for record in balanced):
        raise CodeError(f"{script} wrote records that are not in the training split.")
    lost = {record["output"] for record in original} - {record["output"] for record in balanced}
    if lost:
        raise CodeError(f"{script} lost every record of {sorted(lost)[0]!r}.")


def check_strategy(strategy: str, original: list[Record], balanced: list[Record], script: str | Path) -> None:
    """Raise CodeError if the records are not balanced as the strategy says."""
    if strategy == "none":
        if balanced != original:
            raise CodeError(
                f"{script} changed the list of records: the strategy none must return them as they are, in their order."
            )
        return
    before, after = (Counter(record["output"] for record in records) for records in (original, balanced))
    rows = max(before.values()) if strategy == "oversample" else min(before.values())
    wanted = dict.fromkeys(before, rows)
    if after != wanted:
        raise CodeError(
            f"{script}: {strategy} must return these records of each label: {wanted}. It returned {dict(after)}."
        )
    times = Counter(_key(record) for record in balanced)
    if strategy == "undersample":
        _check_once(times, script)
    else:
        _check_oversampled(original, times, rows, script)


def _key(record: Record) -> Key:
    return record["source"], record["row"]


def _check_once(times: Counter[Key], script: str | Path) -> None:
    repeated = sum(count > 1 for count in times.values())
    if repeated:
        raise CodeError(f"{script}: undersample must repeat no record, but repeated {repeated:,}.")


def _check_oversampled(original: list[Record], times: Counter[Key], rows: int, script: str | Path) -> None:
    """Raise CodeError if a record is left out, or if chance does not explain how often each is repeated."""
    left_out = sum(_key(record) not in times for record in original)
    if left_out:
        raise CodeError(f"{script}: oversample must keep every record, but left out {left_out:,}.")
    for label in dict.fromkeys(record["output"] for record in original):
        repeats = [times[_key(record)] - 1 for record in original if record["output"] == label]
        most, farthest = most_repeats(len(repeats), rows), farthest_repeats(len(repeats), rows)
        even = sum(repeats) / len(repeats)
        if max(repeats) > most or sum(abs(count - even) for count in repeats) > farthest:
            raise CodeError(
                f"{script}: oversample repeated some of {len(repeats):,} records of {label!r} up to {max(repeats):,} "
                f"times, others {min(repeats):,} times, which chance does not explain: draw with equal probability."
            )


def most_repeats(records: int, rows: int) -> int:
    """The most draws of any record of a label, exceeded for one in 10⁹ labels, to reach so many rows.

    Each record's number of draws is binomial; any of them exceeds k with at most `records` times the probability of
    one (union bound).
    """
    draws = rows - records
    low, high = 0, draws  # bisected for the least k whose tail is small enough
    while low < high:
        middle = (low + high) // 2
        if bdtrc(middle, draws, 1 / records) * records <= _CHANCE:
            high = middle
        else:
            low = middle + 1
    return low


def farthest_repeats(records: int, rows: int) -> float:
    """The largest sum of distances of a label's draw counts from their mean, exceeded for one in 10⁹ labels.

    The sum has a mean of at most sqrt(draws (records - 1)) (Jensen), and one draw changes it by at most 2, so
    McDiarmid's inequality bounds it (On the method of bounded differences, 1989).
    """
    draws = rows - records
    return sqrt(draws * (records - 1)) + sqrt(2 * draws * log(1 / _CHANCE))
