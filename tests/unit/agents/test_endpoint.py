"""The agent that asks a model, against a real HTTP server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from loramake import artifacts
from loramake.agents import get_agent
from loramake.agents.builtin import BuiltinAgent
from loramake.agents.openai import OpenAIAgent
from loramake.errors import AgentError
from loramake.explore.profile import profile_csv
from loramake.settings import defaults
from loramake.tables.reading import read_table
from tests import endpoint
from tests.conftest import ROOT
from tests.endpoint import Server, serve

HEART = ROOT / "data/heart.csv"
TASK = {
    "target": "HeartDisease",
    "task_type": "binary",
    "merge_labels": True,
    "labels": [{"value": "0", "rows": 410}, {"value": "1", "rows": 508}],
}
CARD = {"feature_format": "{name} {value}", "feature_separator": " "}


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-0123456789")
    return tmp_path


def agent_of(server: Server, step: str = "explore_data", **settings: Any) -> OpenAIAgent:
    wanted = {"agent": "openai", "agent_model": "thinker", "coder_model": "coder", "agent_api_base": server.url}
    agent = get_agent({**defaults(), **wanted, **settings}, step, "results/exp")
    assert isinstance(agent, OpenAIAgent)
    return agent


def heart(csv: Path = HEART) -> tuple[dict[str, Any], pd.DataFrame]:
    profile_csv(csv, None, "profile.json")
    return artifacts.read("profile.json", "profile"), read_table(csv)


def explore(server: Server, **settings: Any) -> Any:
    profile, table = heart()
    return agent_of(server, **settings).explore(profile, table, settings.get("target"), [])


def lines(step: str = "explore_data") -> list[dict[str, Any]]:
    return list(artifacts.read(f"results/exp/agent/{step}.jsonl", "transcript"))


@pytest.mark.parametrize(
    "how", [endpoint.good, endpoint.thoughtful, endpoint.talkative, endpoint.echoing, endpoint.loose]
)
def test_an_answer_is_found_however_it_is_wrapped(how: endpoint.Answer) -> None:
    with serve(answer=how) as server:
        assert explore(server)["target"] == "HeartDisease"
    assert len(server.requests) == 1
    assert server.requests[0]["temperature"] == 0.2
    assert server.keys == ["Bearer sk-canary-0123456789"]


@pytest.mark.parametrize(("refuses", "requests"), [((), 1), (("json_schema",), 2), (("json_schema", "json_object"), 3)])
def test_a_server_is_asked_as_strictly_as_it_can_be_and_that_is_remembered(
    refuses: tuple[str, ...], requests: int
) -> None:
    with serve(refuses=refuses) as server:
        explore(server, agent_cache=False)
        assert len(server.requests) == requests
        explore(server, agent_cache=False)
        assert len(server.requests) == requests + 1


@pytest.mark.parametrize(("refuses", "requests"), [((), 2), (("json_schema",), 4)])
def test_a_server_that_knows_max_completion_tokens_alone_is_asked_with_it_and_that_is_remembered(
    refuses: tuple[str, ...], requests: int
) -> None:
    with serve(unknown=("max_tokens",), refuses=refuses) as server:
        explore(server, agent_cache=False)
        assert len(server.requests) == requests
        explore(server, agent_cache=False)
        assert len(server.requests) == requests + 1
    assert server.requests[-1]["max_completion_tokens"] == 8192
    assert "max_tokens" not in server.requests[-1]


def test_every_request_has_a_limit_of_length_for_its_kind_or_the_users() -> None:
    profile, _ = heart()
    plan = BuiltinAgent().plan(profile, TASK, {"kept": ["Age"], "dropped": []}, {}, [])
    for setting, limits in ((None, [8192, 16384]), (500, [500, 500])):
        with serve() as server:
            explore(server, agent_max_tokens=setting)
            agent_of(server, "write_prep_code", agent_max_tokens=setting).write_prep_code(plan, profile, [])
        assert [request["max_tokens"] for request in server.requests] == limits


def test_a_limit_of_length_that_a_server_does_not_take_is_named() -> None:
    complaint = "max_tokens is too large: at most 4096"
    with serve(always=400, complaint=complaint) as server, pytest.raises(AgentError, match="lower agent_max_tokens"):
        explore(server)


GOOD_REPLY = {
    "text": '{"target": "Sex", "labels": [], "reason": ""}',
    "model": "m",
    "tokens_in": 1,
    "tokens_out": 1,
    "seconds": 1,
    "is_whole": True,
}


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"text": "x"}',
        b'{"text": 5, "model": [], "tokens_in": "many", "tokens_out": -1, "seconds": null, "is_whole": 3}',
        json.dumps(GOOD_REPLY).encode() + b" " * (9 << 20),
    ],
)
def test_what_is_remembered_but_cannot_be_read_is_asked_anew(damage: bytes) -> None:
    with serve(refuses=("json_schema",)) as server:
        explore(server)
        assert len(server.requests) == 2
        files = list(Path("results/.cache/agent").glob("*.json"))
        assert len(files) == 2
        for path in files:
            path.write_bytes(damage)
        explore(server)
        assert len(server.requests) == 4
        explore(server)
        assert len(server.requests) == 4


def test_a_transcript_is_not_written_through_a_link() -> None:
    Path("mine.txt").write_text("mine", encoding="utf-8")
    Path("results/exp/agent").mkdir(parents=True)
    Path("results/exp/agent/explore_data.jsonl").symlink_to(Path("mine.txt").resolve())
    with serve() as server:
        explore(server)
    assert Path("mine.txt").read_text(encoding="utf-8") == "mine"
    assert len(lines()) == 1


def test_transcripts_and_questions_stay_small_whatever_a_model_answers() -> None:
    with serve(answer=lambda _: "x" * 1_000_000) as server, pytest.raises(AgentError, match="at most 100,000"):
        explore(server)
    assert len(json.dumps(server.requests[-1])) < 100_000
    assert Path("results/exp/agent/explore_data.jsonl").stat().st_size < 2_000_000


@pytest.mark.parametrize(("key", "sentence"), [("instruction", "at most 2,000"), ("advice", "at most 4,000")])
def test_a_text_that_is_repeated_in_every_prompt_stays_short(key: str, sentence: str) -> None:
    balance = {"proposal": "none", "reason": ""}
    wrong = json.dumps({"instruction": "Ill?", "drop": [], "balance": balance, "advice": "", key: "x" * 5_000})
    with serve(answer=Stubborn(wrong, 1)) as server:
        plan_with(server)
    assert sentence in server.requests[1]["messages"][-1]["content"]


def test_the_temperature_is_sent_and_another_one_is_another_question() -> None:
    with serve() as server:
        for temperature in (0, 1.5, 0):
            explore(server, agent_temperature=temperature)
    assert [request["temperature"] for request in server.requests] == [0, 1.5]


def test_a_question_is_paid_for_once_and_again_where_the_cache_is_off() -> None:
    prices = {"input": 2.0, "output": 10.0}
    with serve() as server:
        explore(server, agent_prices=prices)
        assert lines()[0]["cost"] == pytest.approx(100 * 2e-6 + 10 * 10e-6)
        explore(server, agent_prices=prices)
        assert len(server.requests) == 1
        assert (lines()[0]["cached"], lines()[0]["cost"]) == (True, None)
        explore(server, agent_cache=False)
        explore(server, agent_model="another")
        assert len(server.requests) == 3


class Stubborn:
    """Wrong so many times, then right; keeps what it was told."""

    def __init__(self, wrong: str, times: int) -> None:
        self._wrong, self.left = wrong, times

    def __call__(self, prompt: str) -> str:
        self.left -= 1
        return self._wrong if self.left >= 0 else endpoint.good(prompt)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ("no idea", "The answer contains no JSON object"),
        ('{"target": "HeartDisease"}', "'labels' is a required property"),
        ('{"target": "heartdisease", "labels": [], "reason": "x"}', "did you mean HeartDisease"),
        ('{"target": "HeartDisease", "labels": ["ill", "1"], "reason": "x"}', "The label 'ill' does not occur"),
        ('{"target": "HeartDisease", "labels": ["1"], "reason": "x"}', "name all or none"),
    ],
)
def test_a_wrong_answer_is_sent_back_with_what_is_wrong(wrong: str, sentence: str) -> None:
    with serve(answer=Stubborn(wrong, 2)) as server:
        assert explore(server)["target"] == "HeartDisease"
    assert len(server.requests) == 3
    assert sentence in server.requests[1]["messages"][-1]["content"]
    assert any(sentence in line.get("refused", "") for line in lines())


def test_four_wrong_answers_are_an_error_that_names_the_transcript_and_the_next_run_asks_anew() -> None:
    stubborn = Stubborn("no idea", 4)
    with serve(answer=stubborn) as server:
        with pytest.raises(AgentError, match=r"in 4 attempts; .* results/exp/agent/explore_data.jsonl"):
            explore(server)
        assert len(lines()) == 8
        assert explore(server)["target"] == "HeartDisease"
    assert len(server.requests) == 5


def test_an_answer_that_was_cut_off_is_sent_back() -> None:
    with serve(finish="length") as server, pytest.raises(AgentError, match="cut off at the token limit"):
        explore(server)


def test_busy_and_broken_servers_are_tried_again() -> None:
    with serve(failures=[429, 500, 503]) as server:
        assert explore(server)["target"] == "HeartDisease"
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"always": 401}, "refuses the key: set OPENAI_API_KEY"),
        ({"always": 404}, "has no model thinker"),
        ({"always": 400}, r"answered with the error 400 \(.*not today.*\)"),
        ({"seconds": 2.0}, r"did not answer in full within agent_timeout \(0.2 s\), 5 times"),
    ],
)
def test_what_is_wrong_with_a_server_is_one_sentence(settings: dict[str, Any], sentence: str) -> None:
    with serve(**settings) as server, pytest.raises(AgentError, match=sentence):
        explore(server, agent_timeout=0.2 if "seconds" in settings else 60)


def test_a_server_that_is_not_there_is_named() -> None:
    with serve() as server:
        pass
    with pytest.raises(AgentError, match=r"127.0.0.1:\d+ cannot be reached .* set agent_api_base"):
        explore(server)


def test_labels_keep_the_order_that_the_model_gives_them() -> None:
    answer = json.dumps({"target": "HeartDisease", "labels": ["1", "0"], "reason": "healthy is of interest"})
    with serve(answer=lambda _: answer) as server:
        assert explore(server)["labels"] == ["1", "0"]


def test_a_target_that_the_user_set_is_not_the_models_to_change() -> None:
    profile, table = heart()
    answer = json.dumps({"target": "Sex", "labels": [], "reason": "more interesting"})
    with serve(answer=lambda _: answer) as server, pytest.raises(AgentError, match="as the table's owner"):
        agent_of(server).explore(profile, table, "HeartDisease", [])


def plan_with(server: Server, card: dict[str, Any] = CARD, **settings: Any) -> dict[str, Any]:
    profile, _ = heart()
    names = [column["name"] for column in profile["columns"] if column["name"] != "HeartDisease"]
    task = {**TASK, "target": "HeartDisease"}
    selected = {"kept": names, "dropped": []}
    return agent_of(server, "plan_preparation", **settings).plan(profile, task, selected, card, ["mind the ages"])


def test_a_plan_is_the_models_within_what_the_base_models_card_fixes() -> None:
    drop = [{"name": "ST_Slope", "reason": "measured afterwards"}]
    decided = {"instruction": "Ill?", "drop": drop, "advice": "Age is in years"}
    answer = json.dumps({**decided, "balance": {"proposal": "oversample", "reason": "few are ill"}})
    with serve(answer=lambda _: answer) as server:
        plan = plan_with(server)
        fixed = plan_with(server, {**CARD, "instruction": "{target}:"})
    assert plan["instruction"] == "Ill?"
    assert "ST_Slope" not in [feature["name"] for feature in plan["features"]]
    assert plan["dropped"] == drop
    assert plan["balance"]["proposal"] == "oversample"
    assert plan["by"] == {"provider": "openai", "model": "thinker"}
    assert fixed["instruction"] == "HeartDisease:"
    assert "mind the ages" in server.requests[0]["messages"][-1]["content"]


def test_a_plan_that_drops_what_is_not_there_or_everything_is_sent_back() -> None:
    profile, _ = heart()
    balance = {"proposal": "none", "reason": ""}
    every = [
        {"name": column["name"], "reason": ""} for column in profile["columns"] if column["name"] != "HeartDisease"
    ]
    for drop, sentence in (([{"name": "Agee", "reason": ""}], "did you mean Age"), (every, "Every column is dropped")):
        wrong = json.dumps({"instruction": "Ill?", "drop": drop, "balance": balance, "advice": ""})
        with serve(answer=Stubborn(wrong, 1)) as server:
            assert len(plan_with(server)["features"]) == 11
        assert sentence in server.requests[1]["messages"][-1]["content"]


def test_no_row_is_sent_where_the_user_does_not_allow_it() -> None:
    profile, table = heart()
    plan = BuiltinAgent().plan(profile, TASK, {"kept": ["Age"], "dropped": []}, {}, [])
    record = {"instruction": "?", "input": "Age: 4711", "output": "0", "row": 0}
    samples: Any = {"train": [{"record": record, "cells": table.loc[0]}]}
    for sees, shown in (("samples", True), ("profile", False), ("names", False)):
        with serve() as server:
            agent = agent_of(server, "verify_prepared_data", agent_sees=sees)
            findings = agent.verify(plan, profile, ["each row once: 1 record"], samples)
        prompt = server.requests[0]["messages"][-1]["content"]
        assert ("4711" in prompt) == shown
        assert ("No rows are shown" in prompt) == (not shown)
        assert agent.judged() == ("samples of each split" if shown else "the checks alone, since it sees no rows")
        assert findings[0]["severity"] == "low"


@pytest.mark.parametrize("sees", ["samples", "profile", "names"])
def test_a_coder_is_told_what_failed_and_cells_only_where_it_may_see_them(sees: str) -> None:
    profile, _ = heart()
    plan = BuiltinAgent().plan(profile, TASK, {"kept": ["Age"], "dropped": []}, {}, [])
    output = (
        'Traceback (most recent call last):\n  File "x.py", line 7, in transform\n    int(cell)\n'
        "ValueError: invalid literal for int(): '4711x'"
    )
    failure: Any = {
        "code": "def fit(train): pass\n",
        "complaint": "x.py failed: ValueError: invalid literal for int(): '4711x'",
        "check": None,
        "output": output,
        "rows": [],
    }
    with serve() as server:
        agent_of(server, "write_prep_code", agent_sees=sees).write_prep_code(plan, profile, [failure])
    request = server.requests[0]
    assert request["model"] == "coder"
    assert "def fit(train): pass" in request["messages"][2]["content"]
    complaint = request["messages"][-1]["content"]
    assert "ValueError" in complaint
    assert ("4711x" in complaint) == (sees == "samples")


def test_nothing_of_a_row_is_sent_when_balancing_fails_or_a_table_holds_personal_data() -> None:
    failure: Any = {
        "code": "x = 1\n",
        "complaint": "oversample must return these records of each label: {'HIV positive': 9}",
        "check": "each row once",
        "output": "{'input': 'customer_name: Jane Doe'}",
        "rows": ["row 3: customer_name: Jane Doe"],
    }
    with serve() as server:
        agent_of(server, "write_balance_code").write_balance_code("oversample", [failure])
        pd.DataFrame({"customer_name": ["Jane Doe", "Jon Doe"] * 9, "ill": ["0", "1"] * 9}).to_csv(
            "people.csv", index=False
        )
        profile, _ = heart(Path("people.csv"))
        plan = BuiltinAgent().plan(profile, TASK, {"kept": ["customer_name"], "dropped": []}, {}, [])
        agent_of(server, "write_prep_code").write_prep_code(plan, profile, [failure])
    for request in server.requests:
        sent = "".join(message["content"] for message in request["messages"])
        assert "Jane" not in sent
        assert "HIV" not in sent
        assert "The check “each row once” failed." in sent


def test_no_label_is_sent_where_names_alone_are_allowed() -> None:
    with serve() as server:
        plan_with(server, agent_sees="names")
    prompt = server.requests[0]["messages"][-1]["content"]
    assert "2 labels" in prompt
    assert "508" not in prompt


def test_a_page_that_is_no_endpoint_is_named() -> None:
    with serve(is_garbled=True) as server, pytest.raises(AgentError, match="not as an endpoint for chat completions"):
        explore(server)


def test_what_the_owner_wants_read_is_not_the_models_to_drop() -> None:
    profile, _ = heart()
    drop = [{"name": "Age", "reason": "old"}]
    balance = {"proposal": "none", "reason": ""}
    wrong = json.dumps({"instruction": "Ill?", "drop": drop, "balance": balance, "advice": ""})
    task = {**TASK, "target": "HeartDisease"}
    with serve(answer=Stubborn(wrong, 1)) as server:
        selected = {"kept": ["Age", "Sex"], "dropped": [], "wanted": ["Age"]}
        plan = agent_of(server, "plan_preparation").plan(profile, task, selected, CARD, [])
    assert [feature["name"] for feature in plan["features"]] == ["Age", "Sex"]
    assert "wants 'Age' to be read" in server.requests[1]["messages"][-1]["content"]


def test_a_wide_table_fits_into_8000_tokens() -> None:
    tokenizer = pytest.importorskip("transformers").AutoTokenizer.from_pretrained(ROOT / "models/tiny")
    wide = pd.DataFrame({f"measurement_{index}": ["a" * 300, "b" * 300] * 10 for index in range(2000)})
    wide.assign(ill=["yes", "no"] * 10).to_csv("wide.csv", index=False)
    profile, table = heart(Path("wide.csv"))
    with serve(answer=lambda _: '{"target": "ill", "labels": [], "reason": "x"}') as server:
        agent_of(server).explore(profile, table, None, [])
    text = "".join(message["content"] for message in server.requests[0]["messages"])
    assert len(tokenizer(text).input_ids) <= 8000


def test_prompts_are_what_they_were(workplace: Path) -> None:
    """Every prompt on penguins.csv; a change of a template is seen here."""
    profile, table = heart(ROOT / "data/penguins.csv")
    task = {
        "target": "species",
        "task_type": "binary",
        "merge_labels": True,
        "labels": [{"value": "Adelie", "rows": 152}, {"value": "Gentoo", "rows": 124}],
    }
    names = [column["name"] for column in profile["columns"] if column["name"] != "species"]
    card = {**CARD, "number_format": {"kind": "bins", "bins": 16, "token": "<b{}>"}}
    plan = BuiltinAgent().plan(profile, task, {"kept": names, "dropped": []}, card, [])
    record = {"instruction": "species:", "input": "island Dream", "output": "Adelie", "row": 7}
    samples: Any = {"train": [{"record": record, "cells": table.loc[7]}], "test": []}
    failure: Any = {"code": "x = 1\n", "complaint": "it failed", "check": None, "output": "Traceback", "rows": []}
    requests = []
    with serve(answer=lambda _: '{"target": "species", "labels": [], "reason": ""}') as server:
        agent_of(server).explore(profile, table, None, ["it is about birds"])
        requests += server.requests
    with serve() as server:
        agent_of(server, "plan_preparation").plan(profile, task, {"kept": names, "dropped": []}, card, [])
        agent_of(server, "write_prep_code").write_prep_code(plan, profile, [failure])
        agent_of(server, "verify_prepared_data").verify(plan, profile, ["each row once: 344 records"], samples)
        agent_of(server, "write_balance_code").write_balance_code("oversample", [])
        requests += server.requests
    text = "\n".join(
        f"######## {message['role']}\n{message['content']}" for request in requests for message in request["messages"]
    )
    assert text == (ROOT / "tests/unit/snapshots/prompts.txt").read_text(encoding="utf-8")
