"""Asking a model: structured output as far as the server knows it, answers checked, calls remembered and written down.

Knows nothing of what is asked. The client (timeouts, retries with back-off, Retry-After) is openai's own.
"""

import contextlib
import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import openai

from loramake import artifacts
from loramake.agents.answers import AnswerError, read_json
from loramake.agents.connection import Connection
from loramake.console import say, without_secrets, working
from loramake.errors import AgentError, ArtifactError
from loramake.rendering import render

CACHE = Path("results/.cache/agent")
TRIES = 4
"""Answers to one question: the first, and three more after being told what was wrong."""
TEMPERATURE = 0.2
_RUNGS = ("json_schema", "json_object", "text")
"""Ways to ask for JSON, from the strictest: a server that refuses one is asked with the next."""

Message = dict[str, str]
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Reply:
    """One answer of a model."""

    text: str
    model: str
    tokens_in: int
    tokens_out: int
    seconds: float
    is_whole: bool
    """Whether it ended by itself, not at the limit of its length."""


class Endpoint:
    """The models of one connection, asked for one step of one experiment."""

    def __init__(
        self, connection: Connection, step: str, results: Path, settings: Mapping[str, Any], retries: int = 4
    ) -> None:
        """Starts the step's transcript, agent/STEP.jsonl under `results`, anew.

        `settings` holds agent_cache, agent_timeout (seconds) and agent_prices (of a million tokens).
        """
        self.connection, self.step = connection, step
        self.transcript = results / "agent" / f"{step}.jsonl"
        self.transcript.parent.mkdir(parents=True, exist_ok=True)
        self.transcript.write_text("", encoding="utf-8")
        self._prices: Mapping[str, float] | None = settings["agent_prices"]
        self._uses_cache, self._seconds = settings["agent_cache"], float(settings["agent_timeout"])
        self._client = openai.OpenAI(
            base_url=connection.base_url,
            api_key=connection.key,
            timeout=openai.Timeout(self._seconds, connect=min(10.0, self._seconds)),
            max_retries=retries,
        )
        self._retries = retries
        self._remembered: list[Path] = []

    def answer(self, prompt: str, schema: str, check: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        """The JSON object that answers a prompt, by its schema and by `check`, which raises LoramakeErrors."""

        def read(text: str) -> dict[str, Any]:
            value = read_json(text)
            artifacts.validate(value, schema, "the answer")
            check(value)
            return value

        return self.converse(self.connection.model, start(prompt), read, schema)

    def converse(
        self, model: str, messages: list[Message], read: Callable[[str], Answer], schema: str | None = None
    ) -> Answer:
        """What `read` makes of a model's answer; a wrong one is sent back with the sentence of the error.

        AgentError after TRIES wrong ones.
        """
        for _ in range(TRIES):
            reply = self._ask(model, messages, schema)
            try:
                if not reply.is_whole:
                    raise AnswerError("The answer was cut off at the limit of its length. Be shorter.")
                return read(reply.text)
            except (AgentError, ArtifactError) as error:
                complaint = str(error)
                self._write({"refused": complaint})
                messages = [*messages, {"role": "assistant", "content": reply.text}, _complain(complaint)]
        self.forget()
        raise AgentError(
            f"{model} at {self.connection.host} gave no usable answer in {TRIES} tries, the last: {complaint} "
            f"All are in {self.transcript}; run the same command to ask again, or set another agent_model."
        )

    def forget(self) -> None:
        """Take this step's answers out of the cache: it failed, and the next run is to get new ones."""
        for path in self._remembered:
            path.unlink(missing_ok=True)

    def _ask(self, model: str, messages: list[Message], schema: str | None) -> Reply:
        """From the cache or from the server; written down either way."""
        asked = {"url": self.connection.base_url, "model": model, "messages": messages, "schema": schema}
        text = json.dumps({**asked, "temperature": TEMPERATURE}, sort_keys=True)
        path = CACHE / f"{hashlib.sha256(text.encode()).hexdigest()}.json"
        is_known = self._uses_cache and path.is_file()
        reply = (
            Reply(**json.loads(path.read_text(encoding="utf-8"))) if is_known else self._call(model, messages, schema)
        )
        self._remembered.append(path)
        if self._uses_cache and not is_known:
            artifacts.write_text(path, json.dumps(asdict(reply), ensure_ascii=False))
        spent = {"tokens_in": reply.tokens_in, "tokens_out": reply.tokens_out, "seconds": reply.seconds}
        cost = None if is_known else self._cost(reply)
        self._write(
            {
                "model": reply.model,
                "messages": messages,
                "answer": reply.text,
                **spent,
                "cost": cost,
                "cached": is_known,
            }
        )
        return reply

    def _cost(self, reply: Reply) -> float | None:
        if self._prices is None:
            return None
        return (reply.tokens_in * self._prices["input"] + reply.tokens_out * self._prices["output"]) / 1e6

    def _write(self, line: dict[str, Any]) -> None:
        with self.transcript.open("a", encoding="utf-8") as file:
            file.write(without_secrets(json.dumps(line, ensure_ascii=False)) + "\n")

    def _call(self, model: str, messages: list[Message], schema: str | None) -> Reply:
        started = time.monotonic()
        rungs = _RUNGS[_RUNGS.index(self._known_rung(model)) :] if schema else _RUNGS[-1:]
        with working(f"{self.step}: waiting for {model} at {self.connection.host}"):
            try:
                made, rung = self._climb_down(model, messages, schema, rungs)
            except openai.OpenAIError as error:
                raise AgentError(self._sentence(model, error)) from error
        if rung != rungs[0]:
            self._remember_rung(model, rung)
        choice = made.choices[0]
        text = (choice.message.content or "").encode("utf-8", errors="replace").decode()
        seconds, usage = round(time.monotonic() - started, 2), made.usage
        return Reply(
            without_secrets(text),
            model,
            usage.prompt_tokens if usage else 0,
            usage.completion_tokens if usage else 0,
            seconds,
            is_whole=choice.finish_reason != "length",
        )

    def _climb_down(
        self, model: str, messages: list[Message], schema: str | None, rungs: Sequence[str]
    ) -> tuple[Any, str]:
        """The server's completion on the first of the rungs that it takes, and that rung."""
        for rung in rungs[:-1]:
            with contextlib.suppress(openai.BadRequestError, openai.UnprocessableEntityError):
                return self._send(model, messages, rung, schema), rung
        return self._send(model, messages, rungs[-1], schema), rungs[-1]

    def _rungs(self) -> dict[str, str]:
        path = CACHE / "rungs.json"
        known: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return known

    def find_rung(self, messages: list[Message]) -> tuple[str, float]:
        """The strictest rung that the server takes, and the seconds of its answer; AgentError where it takes none."""
        model, started = self.connection.model, time.monotonic()
        try:
            _, rung = self._climb_down(model, messages, "answers/verify_prepared_data", _RUNGS)
        except openai.OpenAIError as error:
            raise AgentError(self._sentence(model, error)) from error
        return rung, time.monotonic() - started

    def _send(self, model: str, messages: list[Message], rung: str, schema: str | None) -> Any:
        """The server's completion; AgentError where what came is none, such as a page of HTML."""
        try:
            made = self._client.chat.completions.create(
                model=model,
                messages=messages,  # type: ignore[arg-type]
                temperature=TEMPERATURE,
                **_response_format(rung, schema),
            )
            if made.choices[0].message.role:
                return made
        except (AttributeError, IndexError, TypeError, ValueError) as error:
            raise self._no_completion() from error
        raise self._no_completion()

    def _no_completion(self) -> AgentError:
        return AgentError(
            f"{self.connection.base_url} answers, but not as an endpoint for chat completions: set agent_api_base, "
            f"which mostly ends in /v1."
        )

    def _known_rung(self, model: str) -> str:
        return self._rungs().get(f"{self.connection.base_url} {model}", _RUNGS[0])

    def _remember_rung(self, model: str, rung: str) -> None:
        say(f"{self.connection.host} knows no stricter way to ask for JSON than {rung}.")
        known = {**self._rungs(), f"{self.connection.base_url} {model}": rung}
        artifacts.write_text(CACHE / "rungs.json", json.dumps(known))

    def _sentence(self, model: str, error: openai.OpenAIError) -> str:
        """What went wrong at the endpoint, and the way on."""
        host, again = self.connection.host, "run the same command to try again"
        if isinstance(error, openai.APITimeoutError):
            waited = f"within agent_timeout ({self._seconds:g} s), {self._retries + 1} times"
            return f"{model} at {host} did not answer {waited}: {again}."
        if isinstance(error, openai.APIConnectionError):
            return f"{host} cannot be reached ({error.__cause__ or error}): start the server, or set agent_api_base."
        if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
            return f"{host} refuses the key: set OPENAI_API_KEY in the environment or in .env."
        if isinstance(error, openai.NotFoundError):
            return f"{host} has no model {model} at {self.connection.base_url}: set agent_model and agent_api_base."
        if isinstance(error, openai.RateLimitError):
            return (
                f"{host} still says that there are too many requests after {self._retries + 1} of them: {again} later."
            )
        if isinstance(error, openai.APIStatusError):
            said = " ".join(without_secrets(error.message).split())[:300]
            return f"{host} answered with the error {error.status_code} ({said}): {again}, or set another agent_model."
        return f"{host} gave no answer that can be read ({error}): {again}."


def find_rung(connection: Connection, seconds: float) -> tuple[str, float]:
    """The strictest way in which a connection's model can be asked for JSON, and how long it took to answer.

    AgentError where it does not answer.
    """
    settings = {"agent_cache": False, "agent_timeout": seconds, "agent_prices": None}
    with tempfile.TemporaryDirectory() as folder:
        endpoint = Endpoint(connection, "doctor", Path(folder), settings, retries=0)
        return endpoint.find_rung(start('Answer with this JSON object: {"findings": []}'))


def start(prompt: str) -> list[Message]:
    """A conversation's first messages."""
    return [{"role": "system", "content": render("openai/system.j2")}, {"role": "user", "content": prompt}]


def _complain(sentence: str) -> Message:
    return {"role": "user", "content": render("openai/refuse_answer.j2", sentence=sentence)}


def _response_format(rung: str, schema: str | None) -> dict[str, Any]:
    if rung == "json_schema" and schema:
        described = {key: value for key, value in artifacts.load_schema(schema).items() if not key.startswith("$")}
        form = {"name": schema.rpartition("/")[2], "schema": described, "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": form}}
    return {"response_format": {"type": "json_object"}} if rung == "json_object" else {}
