"""What leaves the machine: hostile code, in the real loop, tries to get a cell into what a real HTTP server is sent."""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from loramake import artifacts
from loramake.agents import get_agent
from loramake.agents.complaints import CHECKS, KINDS, complaint
from loramake.agents.openai import OpenAIAgent
from loramake.dataset import balance as dataset
from loramake.explore import task as explore
from loramake.explore.profile import profile_csv
from loramake.prepare import checks, plan
from loramake.prepare import code as prep_code
from loramake.sandbox import bubblewrap
from loramake.settings import defaults
from support.escapes import closed_sandbox
from support.experiment import EXPLORE, TINY, Experiment
from tests import endpoint
from tests.conftest import ROOT
from tests.endpoint import FENCE, Server, serve

REASON = bubblewrap.why_not()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))

CELL, LABEL = "Qwzx71Vk", "Pmkt42Ys"
"""What some cells, and one of the labels, start with."""


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-0123456789")


def table(**more: list[str]) -> Path:
    """90 rows, of which 30 have a cell of their own in `town`."""
    towns = [f"{CELL}{row}" if row % 3 == 0 else f"common{row % 5}" for row in range(90)]
    labels = [f"{LABEL}" if row % 2 else "other" for row in range(90)]
    columns = {"age": [str(20 + row % 37) for row in range(90)], "town": towns, **more, "ill": labels}
    pd.DataFrame(columns).to_csv("table.csv", index=False)
    return Path("table.csv")


def agent_of(server: Server, step: str, **settings: Any) -> OpenAIAgent:
    wanted = {"agent": "openai", "agent_model": "thinker", "coder_model": "coder", "agent_api_base": server.url}
    agent = get_agent({**defaults(), **wanted, **settings}, step, "results/exp")
    assert isinstance(agent, OpenAIAgent)
    return agent


FIND = f"""cell = next(cell for cell in train["town"] if cell and cell.startswith("{CELL}"))"""
TAIL = "\n\ndef transform(rows, state):\n    return []\n"


def in_fit(*lines: str) -> str:
    """Code whose `fit` finds a cell and does something with it."""
    return "def fit(train):\n" + "".join(f"    {line}\n" for line in (FIND, *lines)) + TAIL


def in_transform(record: str) -> str:
    """Code whose `transform` gives such a record for every row."""
    return (
        f"def fit(train):\n    {FIND}\n    return {{'cell': cell}}\n\n\ndef transform(rows, state):\n"
        f"    cell = state['cell']\n    return [{record} for row in rows.index]\n"
    )


CHANNELS = {
    "message": in_fit("raise ValueError(cell)"),
    "class": in_fit('raise type(cell + "Error", (Exception,), {})()'),
    "class alone": in_fit("raise type(cell, (Exception,), {})(7)"),
    "class in hex": in_fit('raise type("X" + cell.encode().hex() + "Error", (Exception,), {})()'),
    "function": in_fit('exec(f"def {cell}():\\n int(1 / 0)")', "locals()[cell]()"),
    "file": in_fit('exec(compile("1 / 0", f"/inputs/{cell}/script", "exec"))'),
    "printed traceback": in_fit(
        """print(f'  File "/inputs/script", line 7, in {cell}\\n{cell}Error: {cell}\\nValueError: {cell}')""",
        "raise SystemExit(cell)",
    ),
    "line that is not there": in_fit('exec(compile("\\n" * 70_000 + "1 / 0", "/inputs/script", "exec"))'),
    "note": in_fit("error = ValueError()", "error.add_note(cell)", "raise error"),
    "group": in_fit("raise ExceptionGroup(cell, [ValueError(cell)])"),
    "value of a wrong type": in_transform("{'instruction': INSTRUCTION, 'input': [cell], 'row': int(row)}"),
    "key": in_transform("{'instruction': INSTRUCTION, 'input': 'x', 'row': int(row), cell: 1}"),
    "instruction": in_transform("{'instruction': cell, 'input': 'x', 'row': int(row)}"),
    "rows of a failed check": in_transform("{'instruction': INSTRUCTION, 'input': ' ', 'row': int(row)}").replace(
        "' '", "cell if row % 2 else ' '"
    ),
    "lone surrogate": in_fit('print("\\ud800" + cell)'),
    "state": in_fit("return [cell]"),
}
CLOSED = "|".join(
    [
        *(rf"The check “{re.escape(name)}” failed\." for name in CHECKS),
        rf"It failed with (an error|{'|'.join(KINDS)})( in line \d{{1,3}} of your code)?\.",
        r"Its output is not a list of records in the requested form\.",
        r"The return value of fit is not a dict that json.dump can write\.",
    ]
)
"""All that may be said."""


class Coder:
    """Gives one code after the other, then a good one."""

    def __init__(self, codes: list[str]) -> None:
        self.left, self.prompt = list(codes), ""

    def __call__(self, prompt: str) -> str:
        if "def fit(train)" in prompt or "def balance(records, seed)" in prompt:
            self.prompt = prompt
        return f"```python\n{self.left.pop(0)}```" if self.left else endpoint.good(self.prompt)


def sent(server: Server) -> str:
    return "".join(json.dumps(request, ensure_ascii=False) for request in server.requests)


def complaints(server: Server) -> list[str]:
    """What the last request says of each try."""
    messages = [message["content"] for message in server.requests[-1]["messages"][3::2]]
    return [FENCE.findall(message)[0][1] for message in messages]


def write(csv: Path, codes: list[str], sees: str) -> Server:
    """Run the loop that writes the preparation code; returns the server, with its requests."""
    experiment = Experiment(Path(), csv)
    with serve(answer=Coder(codes)) as server:
        agent = agent_of(server, "write_prep_code", agent_sees=sees)
        agent.tries = len(codes) + 1
        files = (experiment.plan, experiment.profile, experiment.source, experiment.splits)
        prep_code.write_prep_code(*files, agent, closed_sandbox(), "results/prepare.py")
        assert len(complaints(server)) == len(codes)
        return server


def test_no_channel_of_generated_code_reaches_the_endpoint_where_names_alone_are_sent() -> None:
    prompts = sent(server := write(table(), list(CHANNELS.values()), "names"))
    for form in (CELL, CELL[::-1], CELL.encode().hex(), LABEL, "common1"):
        assert form not in re.sub(r'"```python.*?```"', "", prompts).replace(f'startswith(\\"{CELL}\\")', "")
    said = dict(zip(CHANNELS, complaints(server), strict=True))
    assert not [sentence for sentence in said.values() if not re.fullmatch(CLOSED, sentence)]
    assert said["message"] == "It failed with ValueError in line 3 of your code."
    assert said["class"] == "It failed with an error in line 3 of your code."
    assert said["key"] == "Its output is not a list of records in the requested form."
    assert said["state"] == "The return value of fit is not a dict that json.dump can write."
    assert said["rows of a failed check"] == "The check “nothing empty” failed."


@pytest.mark.parametrize("sees", ["profile", "samples"])
def test_nor_where_a_profile_is_sent_or_the_table_holds_personal_data(sees: str) -> None:
    more = {"email": [f"a{row}@mail.example" for row in range(90)]} if sees == "samples" else {}
    names = ("class", "printed traceback", "value of a wrong type", "rows of a failed check")
    server = write(table(**more), [CHANNELS[name] for name in names], sees)
    assert not [sentence for sentence in complaints(server) if not re.fullmatch(CLOSED, sentence)]
    assert CELL not in re.sub(r'"```python.*?```"', "", sent(server)).replace(f'startswith(\\"{CELL}\\")', "")


def test_nor_does_balancing_code_say_anything_of_a_record() -> None:
    find = f"""cell = next(part for r in records for part in r["input"].split() if part.startswith("{CELL}"))"""
    codes = [
        f"def balance(records, seed):\n    {find}\n    raise type(cell + 'Error', (Exception,), {{}})()\n",
        f"def balance(records, seed):\n    {find}\n    return [{{**r, cell: 1}} for r in records]\n",
        f"def balance(records, seed):\n    {find}\n    return [{{**r, 'output': cell}} for r in records]\n",
    ]
    record = {"instruction": "?", "row": 0, "source": "csv"}
    train = [
        {**record, "row": row, "input": f"town {CELL}{row}", "output": LABEL if row < 3 else "other"}
        for row in range(9)
    ]
    artifacts.write("train.json", train, "records")
    with serve(answer=Coder(codes)) as server:
        agent, sandbox = agent_of(server, "write_balance_code"), closed_sandbox()
        agent.tries = len(codes) + 1
        dataset.write_balance_code("none.json", "oversample", "train.json", 1, agent, sandbox, "results/balance.py")
    prompts = re.sub(r'"```python.*?```"', "", sent(server))
    assert len(complaints(server)) == len(codes)
    assert not [sentence for sentence in complaints(server) if not re.fullmatch(CLOSED, sentence)]
    assert CELL not in prompts
    assert LABEL not in prompts


def test_a_whole_run_at_names_sends_no_cell_and_no_label() -> None:
    csv = table()
    experiment = Experiment(Path(), csv)
    described = artifacts.read(experiment.profile, "profile")
    with serve(answer=lambda prompt: endpoint.good(prompt).replace('"target": "town"', '"target": "ill"')) as server:
        explore.explore_data(
            experiment.source,
            experiment.profile,
            None,
            EXPLORE,
            agent_of(server, "explore_data", agent_sees="names"),
            "t.json",
        )
        planner = agent_of(server, "plan_preparation", agent_sees="names")
        plan.plan_preparation(experiment.profile, "t.json", experiment.selected, None, TINY, planner, "plan.yaml")
        experiment.execute()
        prepared = experiment.prepared()
        passed = [f"{check.name}: {check.detail} {CELL}" for check in checks.check_records(prepared)]
        samples: Any = {"train": [{"record": record, "cells": None} for record in prepared.records[:5]]}
        judge = agent_of(server, "verify_prepared_data", agent_sees="names")
        judge.verify(prepared.plan, described, [*passed, f"{CELL}: fine"], samples)
    assert len(server.requests) == 3
    assert "each row once" in sent(server)
    for form in (CELL, LABEL, "common1"):
        assert form not in sent(server)


def test_rows_that_code_made_of_a_table_with_personal_data_are_not_sent_to_be_judged() -> None:
    """Code can write a name backwards, in which no pattern finds it."""
    csv = table(email=[f"a{row}@mail.example" for row in range(90)])
    profile_csv(csv, None, "profile.json")
    described = artifacts.read("profile.json", "profile")
    record = {"instruction": "?", "input": "elpmaxe.liam@0a", "output": "other", "row": 0}
    samples: Any = {"train": [{"record": record, "cells": pd.read_csv(csv).loc[0]}]}
    with serve() as server:
        agent = agent_of(server, "verify_prepared_data")
        agent.verify({"target": "ill"}, described, ["each row once: 90 records"], samples)
    assert "elpmaxe" not in sent(server)
    assert agent.judged() == "the checks alone, since it sees no rows"


@pytest.mark.parametrize(("sees", "target"), [("names", "ill"), ("samples", "email"), ("profile", "town")])
def test_a_model_that_guesses_cells_is_not_told_which_occur(sees: str, target: str) -> None:
    csv = table(email=[f"a{row}@mail.example" for row in range(90)])
    profile_csv(csv, None, "profile.json")
    described, cells = artifacts.read("profile.json", "profile"), pd.read_csv(csv, dtype=str)
    requests = []
    for guess in (cells[target][0], "wrong"):
        answer = json.dumps({"target": target, "labels": [guess], "reason": ""})
        with serve(answer=lambda _, answer=answer: answer) as server:
            agent_of(server, "explore_data", agent_sees=sees, agent_cache=False).explore(described, cells, None, [])
        requests.append(server.requests)
    assert requests[0] == requests[1]
    assert len(requests[0]) == 1


@pytest.mark.parametrize(
    ("line", "code_lines", "sentence"),
    [
        (45, 10, "It failed with KeyError in line 5 of your code."),
        (40, 10, "It failed with KeyError."),
        (52, 10, "It failed with KeyError."),
        (1040, 5_000, "It failed with KeyError in line 1000 of your code."),
        (1041, 5_000, "It failed with KeyError."),
    ],
)
def test_a_line_is_named_where_it_is_one_of_the_code_and_of_its_first_thousand(
    line: int, code_lines: int, sentence: str
) -> None:
    output = f'Traceback (most recent call last):\n  File "/inputs/script", line {line}, in fit\nKeyError: 3\n'
    failure: Any = {"code": "x\n" * code_lines, "above": 40, "check": None, "output": output, "rows": []}
    assert complaint({**failure, "complaint": "s.py failed: KeyError: 3"}, None) == sentence


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("s.py did not end within 600 s: check its loops", "It did not finish in time: check its loops."),
        ("s.py took more than 4,096 MiB of memory", "It took too much memory."),
        ("s.py failed: took more than Qwzx MiB of memory", "It failed with an error."),
        (f"anything else {CELL}", "It failed with an error."),
    ],
)
def test_what_a_try_took_too_much_of_is_said_in_fixed_words(words: str, sentence: str) -> None:
    failure: Any = {"code": "x\n", "above": 40, "check": None, "output": CELL, "rows": [CELL]}
    assert complaint({**failure, "complaint": words}, None) == sentence


def test_a_check_that_is_not_ours_is_not_named() -> None:
    failure: Any = {"code": "", "complaint": CELL, "check": CELL, "output": "", "rows": []}
    assert complaint(failure, None) == "A check failed."


def test_every_check_of_the_project_is_one_that_may_be_named() -> None:
    """A check that is missing from the list would be reported to a coder as `a check`."""
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "loramake").rglob("*.py"))
    named = set(re.findall(r'\bCheck\(\s*"([^"]+)"', source)) | set(dataset.BALANCED.values())
    assert len(named) > 8
    assert named <= CHECKS
