from pathlib import Path

import pytest

from loramake.addresses import read_url
from loramake.agents.connection import connect, read_key
from loramake.errors import ConfigError

UNSET = {"agent_api_base": None, "agent_model": None, "coder_model": None}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
        ("gpu7:8000", "http://gpu7:8000/v1"),
        ("https://host/api/v2/", "https://host/api/v2"),
        ("[::1]:8000", "http://[::1]:8000/v1"),
    ],
)
def test_an_address_gets_a_scheme_and_a_path(written: str, read: str) -> None:
    assert read_url(written) == read


@pytest.mark.parametrize(
    "written",
    [
        "http://me:secret@host/v1",
        "me:secret@host:1",
        "http://secret@host/v1",
        "http:me:secret@host",
        "http://me:secret\\@host",
        "ftp://me:secret@host",
        "https://host/v1?api_key=secret",
        "https://host/v1#secret",
        "https://host/v1;key=secret",
        "https://host/v1/api_key=secret",
        "https://host/sk-secret0123456789/v1",
        "http://host:secret/v1",
        "http://host:99999999/v1/secret",
        "http://[secret/v1",
        "http:///secret",
        "ftp://host/secret",
        "http://ho%73t/secret",
        "http://ho st/secret",
        "http://",
        "",
    ],
)
def test_an_address_that_is_none_or_may_contain_a_key_is_refused_and_not_repeated(written: str) -> None:
    with pytest.raises(ConfigError, match="agent_api_base") as caught:
        read_url(written)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("variable", ["OPENAI_BASE_URL", "openAI_endpoint"])
def test_an_address_of_the_environment_is_held_to_the_same(variable: str) -> None:
    with pytest.raises(ConfigError, match=variable) as caught:
        connect(UNSET, {variable: "http://me:secret@host/v1", "agent_LLM": "m"})
    assert "secret" not in str(caught.value)


def test_the_configuration_wins_over_the_environment_and_new_names_over_old_ones() -> None:
    known = {
        "openAI_endpoint": "old:1",
        "OPENAI_BASE_URL": "http://new:2/v1",
        "auth_key": "old-key",
        "OPENAI_API_KEY": "new-key",
        "agent_LLM": "thinker",
        "coder_LLM": "coder",
    }
    connection = connect(UNSET, known)
    assert (connection.base_url, connection.key, connection.model, connection.coder) == (
        "http://new:2/v1",
        "new-key",
        "thinker",
        "coder",
    )
    connection = connect({"agent_api_base": "mine:3", "agent_model": "m", "coder_model": "c"}, known)
    assert (connection.base_url, connection.model, connection.coder) == ("http://mine:3/v1", "m", "c")
    connection = connect(UNSET, {"openAI_endpoint": "old:1", "auth_key": "old-key", "agent_LLM": "thinker"})
    assert (connection.base_url, connection.key, connection.coder) == ("http://old:1/v1", "old-key", "thinker")
    assert "old-key" not in repr(connection)


def test_the_dotenv_file_is_read_and_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("OPENAI_BASE_URL=file:1\nagent_LLM=from-file\nauth_key=key-in-file\n")
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "coder_LLM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("agent_LLM", "from-environment")
    connection = connect(UNSET)
    assert (connection.base_url, connection.model, connection.key) == (
        "http://file:1/v1",
        "from-environment",
        "key-in-file",
    )


@pytest.mark.parametrize(
    ("known", "sentence"),
    [({"agent_LLM": "x"}, "OPENAI_API_KEY"), ({"OPENAI_BASE_URL": "host:1"}, "set agent_model")],
)
def test_what_is_missing_is_named(known: dict[str, str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        connect(UNSET, known)


def test_a_key_is_read_from_the_variable_or_the_file_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", " in-variable ")
    (tmp_path / "key").write_text("in-file\n")
    assert read_key("env:MY_KEY", "--agent-api-key") == "in-variable"
    assert read_key(f"file:{tmp_path / 'key'}", "--agent-api-key") == "in-file"


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("sk-canary", "--agent-api-key: name where the key is, env:NAME or file:PATH"),
        ("env:sk-canary", "the variable it names contains no key"),
        ("file:sk-canary", "the file it names cannot be read"),
        ("file:/dev/null", "not an ordinary file"),
    ],
)
def test_what_may_be_the_key_itself_is_refused_and_not_repeated(source: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as caught:
        read_key(source, "--agent-api-key")
    assert "canary" not in str(caught.value)
