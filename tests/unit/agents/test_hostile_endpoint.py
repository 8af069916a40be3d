"""The agent client against a server that does what it can to it, at the level of sockets."""

import re
from pathlib import Path

import pytest

from loramake import artifacts
from loramake.agents.connection import Connection
from loramake.agents.endpoint import Endpoint
from loramake.errors import AgentError
from loramake.settings import defaults
from support import hostile_endpoint
from support.hostile_endpoint import ATTACKS, attack, attacked
from tests.endpoint import serve

SECONDS = 20
"""Far more than any attack takes, far less than one that has its way."""
MEMORY = 120
"""MiB: half of what the attacks send or unpack."""


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_ends_in_one_sentence_soon_and_takes_little_memory(name: str) -> None:
    with attack(name) as hostile:
        outcome = attacked(hostile, Path("results/exp"))
    wanted = ATTACKS[name][1]
    if wanted is None:
        assert outcome.sentence is None
    else:
        assert outcome.sentence is not None
        assert re.search(wanted, outcome.sentence)
        assert f"127.0.0.1:{hostile.port}" in outcome.sentence
        assert len(outcome.sentence) < 1_500
        assert "\x1b" not in outcome.sentence
    assert outcome.seconds < SECONDS
    assert outcome.mib < MEMORY
    artifacts.read("results/exp/agent/explore_data.jsonl", "transcript")


def test_the_deadline_is_one_of_every_try() -> None:
    with attack("drip") as hostile:
        outcome = attacked(hostile, Path("results/exp"), seconds=0.3, retries=2)
    assert len(hostile.requests) == 3
    assert outcome.sentence is not None
    assert "within agent_timeout (0.3 s), 3 times" in outcome.sentence
    assert outcome.seconds < SECONDS


def test_nothing_is_sent_on_to_where_a_redirect_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    for status in (301, 302, 303, 307, 308):
        with serve() as other:
            where = f"Location: {other.url}/chat/completions"
            response = hostile_endpoint.ok(b"", where, status=f"{status} Moved")
            monkeypatch.setitem(ATTACKS, "redirect", (hostile_endpoint.Whole(lambda response=response: response), None))
            with attack("redirect") as hostile:
                outcome = attacked(hostile, Path("results/exp"))
        assert not other.requests
        assert len(hostile.requests) == 1
        assert outcome.sentence is not None
        assert outcome.sentence.startswith(f"the endpoint redirects from http://127.0.0.1:{hostile.port} to ")
        assert f"127.0.0.1:{other.port}" in outcome.sentence


def test_a_long_wait_that_a_server_asks_for_is_not_waited_for() -> None:
    with attack("Retry-After: 10^9") as hostile:
        outcome = attacked(hostile, Path("results/exp"), retries=4)
    assert outcome.seconds < SECONDS
    assert len(hostile.requests) == 1


def test_the_key_goes_to_the_endpoint_and_into_no_file() -> None:
    with attack("HTML") as hostile:
        attacked(hostile, Path("results/exp"))
    assert b"Bearer sk-canary-0123456789" in hostile.requests[0]
    kept = [path.read_bytes() for path in Path("results").rglob("*") if path.is_file()]
    assert kept
    assert not [content for content in kept if b"sk-canary" in content]


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve() as server, attack("HTML") as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", "")
        settings = {**defaults(), "agent_cache": False, "agent_timeout": 5}
        connection = Connection(f"http://model.example:{server.port}/v1", "thinker", "coder", "key")
        with pytest.raises(AgentError):
            Endpoint(connection, "explore_data", Path("results"), settings, 0).answer(
                "?", "answers/explore_data", print
            )
    assert proxy.requests[0].startswith(b"POST http://model.example:")
