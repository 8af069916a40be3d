"""Queries a model: structured output if the server supports it, answers checked, calls cached and logged.

Knows nothing of the questions. The client (retries with back-off, Retry-After) is openai's own; how long and how large
an answer may be is http_client's.
"""

import asyncio
import contextlib
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import openai

from loramake import artifacts, schemas
from loramake.agents.answers import AnswerError, read_json
from loramake.agents.completion import Completion, read_completion
from loramake.agents.connection import Connection
from loramake.agents.http_client import HEADERS, BoundedClient, timeout
from loramake.agents.memory import read_reply, read_way, remember_way, reply_path, write_reply
from loramake.artifact_types.agents import Call, Message, Refusal, Reply, Rung, TokenLimit
from loramake.console import printable, redact, say, working
from loramake.errors import AgentError, ArtifactError
from loramake.rendering import render
from loramake.schemas import Content, Schema
from loramake.settings import defaults
from loramake.text import shorten

TRIES = 4
"""Answers to one question: the first, and three more after an error message."""
_RUNGS: tuple[Rung, ...] = ("json_schema", "json_object", "text")
"""Ways to request JSON, strictest first: if a server refuses one, the next is used."""

_LIMITS: tuple[TokenLimit, ...] = ("max_tokens", "max_completion_tokens")
"""What servers call the limit of an answer's length; if one refuses the first name, the second is used."""
MAX_TOKENS = {"decision": 8_192, "code": 16_384}
"""That limit where agent_max_tokens is unset: room for a reasoning model's thoughts, which count."""
_COMPLAINT_SHOWN, _MESSAGE_SHOWN = 1_000, 300
_ANSWER_SENT_BACK, _ANSWER_KEPT = 20_000, 200_000
"""Characters of a refused answer in the next question, and of any answer in the transcript."""

Answer = TypeVar("Answer")


class Endpoint:
    """The models of one connection, queried for one step of one experiment."""

    def __init__(
        self, connection: Connection, step: str, results: Path, settings: Mapping[str, Any], retries: int = 4
    ) -> None:
        """Starts the step's transcript, agent/STEP.jsonl under `results`, anew.

        `settings` contains agent_cache, agent_timeout (seconds for a complete answer), agent_max_tokens,
        agent_temperature and agent_prices (per million tokens).
        """
        self.connection, self.step = connection, step
        self.transcript = results / "agent" / f"{step}.jsonl"
        self.transcript.parent.mkdir(parents=True, exist_ok=True)
        self.transcript.unlink(missing_ok=True)  # never through a link of somebody else's folder
        self.transcript.touch()
        self._prices: Mapping[str, float] | None = settings["agent_prices"]
        self._uses_cache, self._seconds = settings["agent_cache"], float(settings["agent_timeout"])
        self._most_tokens: int | None = settings["agent_max_tokens"]
        self._temperature: float = settings["agent_temperature"]
        self._retries = retries
        self._remembered: list[Path] = []

    def answer(self, prompt: str, schema: Schema[Content], check: Callable[[Content], None]) -> Content:
        """The JSON object that answers a prompt, by its schema and by `check`, which raises LoramakeErrors."""

        def read(text: str) -> Content:
            content = artifacts.checked(read_json(text), schema, "the answer")
            check(content)
            return content

        return self.converse(self.connection.model, start(prompt), read, schema)

    def converse(
        self, model: str, messages: list[Message], read: Callable[[str], Answer], schema: str | None = None
    ) -> Answer:
        """What `read` makes of a model's answer; an unusable one is sent back with the error message.

        AgentError after TRIES unusable ones.
        """
        for _ in range(TRIES):
            reply = self._ask(model, messages, schema)
            try:
                if not reply["is_whole"]:
                    most = f"{self._limit(schema):,} tokens, agent_max_tokens"
                    raise AnswerError(f"The answer was cut off at the token limit ({most}). Be shorter.")
                if not reply["text"].strip():
                    raise AnswerError("The answer contains no text. Answer in text, and call no tools.")
                return read(reply["text"])
            except (AgentError, ArtifactError) as error:
                complaint = shorten(error, _COMPLAINT_SHOWN)
                self._write({"refused": complaint})
                sent_back = shorten(reply["text"], _ANSWER_SENT_BACK)
                messages = [*messages, {"role": "assistant", "content": sent_back}, _complain(complaint)]
        self.forget()
        raise AgentError(
            f"{model} at {self.connection.host} gave no usable answer in {TRIES} attempts; the last: {complaint} "
            f"All are in {self.transcript}. Run the same command to ask again, or set another agent_model."
        )

    def forget(self) -> None:
        """Take this step's answers out of the cache: it failed, and the next run is to get new ones."""
        for path in self._remembered:
            path.unlink(missing_ok=True)

    def _ask(self, model: str, messages: list[Message], schema: str | None) -> Reply:
        """From the cache or from the server; logged either way."""
        request = {"url": self.connection.base_url, "model": model, "messages": messages, "schema": schema}
        path = reply_path({**request, "temperature": self._temperature, "max_tokens": self._limit(schema)})
        cached = read_reply(path) if self._uses_cache else None
        reply = cached or self._call(model, messages, schema)
        self._remembered.append(path)
        if self._uses_cache and cached is None:
            write_reply(path, reply)
        cost = None if cached else self._cost(reply)
        self._write(
            {
                "model": reply["model"],
                "messages": messages,
                "answer": shorten(reply["text"], _ANSWER_KEPT),
                "tokens_in": reply["tokens_in"],
                "tokens_out": reply["tokens_out"],
                "seconds": reply["seconds"],
                "cost": cost,
                "cached": cached is not None,
            }
        )
        return reply

    def _cost(self, reply: Reply) -> float | None:
        if self._prices is None:
            return None
        return (reply["tokens_in"] * self._prices["input"] + reply["tokens_out"] * self._prices["output"]) / 1e6

    def _write(self, line: Call | Refusal) -> None:
        with self.transcript.open("a", encoding="utf-8") as file:
            file.write(redact(json.dumps(line, ensure_ascii=False)) + "\n")

    def _call(self, model: str, messages: list[Message], schema: str | None) -> Reply:
        started = time.monotonic()
        rungs = _RUNGS[_RUNGS.index(self._known_rung(model)) :] if schema else _RUNGS[-1:]
        with working(f"{self.step}: waiting for {model} at {self.connection.host}"):
            try:
                completion, rung = self._climb_down(model, messages, schema, rungs)
            except openai.OpenAIError as error:
                raise AgentError(self._sentence(model, error)) from error
        if rung != rungs[0]:
            say(f"{self.connection.host} supports no stricter way to request JSON than {rung}.")
            remember_way(self._server(model), {"rung": rung})
        seconds = round(time.monotonic() - started, 2)
        return {
            "text": redact(completion.text),
            "model": model,
            "tokens_in": completion.tokens_in,
            "tokens_out": completion.tokens_out,
            "seconds": seconds,
            "is_whole": completion.is_whole,
        }

    def _climb_down(
        self, model: str, messages: list[Message], schema: str | None, rungs: Sequence[Rung]
    ) -> tuple[Completion, Rung]:
        """The server's completion on the first rung that it accepts, and that rung."""
        for rung in rungs[:-1]:
            with contextlib.suppress(openai.BadRequestError, openai.UnprocessableEntityError):
                return self._send(model, messages, rung, schema), rung
        return self._send(model, messages, rungs[-1], schema), rungs[-1]

    def find_rung(self, messages: list[Message]) -> tuple[Rung, float]:
        """The strictest rung that the server accepts, and the seconds it took; AgentError if it accepts none."""
        model, started = self.connection.model, time.monotonic()
        try:
            _, rung = self._climb_down(model, messages, schemas.VERIFY_PREPARED_DATA, _RUNGS)
        except openai.OpenAIError as error:
            raise AgentError(self._sentence(model, error)) from error
        return rung, time.monotonic() - started

    def _send(self, model: str, messages: list[Message], rung: str, schema: str | None) -> Completion:
        """The server's completion, requested with the name that this server has for the token limit.

        AgentError if the response is not one, such as a page of HTML.
        """
        settings, most = read_way(self._server(model)), self._limit(schema)
        request = {
            "model": model,
            "messages": messages,
            "temperature": self._temperature,
            **_response_format(rung, schema),
        }
        name = settings.get("limit", _LIMITS[0])
        try:
            return self._completed({**request, name: most})
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            if not any(limit in error.message for limit in _LIMITS):
                raise
            other = _LIMITS[1 - _LIMITS.index(name)]
            try:
                completion = self._completed({**request, other: most})
            except openai.APIStatusError:
                raise error from None
        remember_way(self._server(model), {"limit": other})
        return completion

    def _completed(self, request: dict[str, Any]) -> Completion:
        try:
            return read_completion(asyncio.run(self._post(request)))
        except ValueError as error:
            raise AgentError(
                f"{self.connection.base_url} answers, but not as an endpoint for chat completions: set agent_api_base, "
                f"which usually ends in /v1."
            ) from error

    async def _post(self, request: dict[str, Any]) -> bytes:
        """The body of the server's answer; asynchronous, since only that can be cancelled at any time."""
        async with openai.AsyncOpenAI(
            base_url=self.connection.base_url,
            api_key=self.connection.key,
            timeout=timeout(self._seconds),
            max_retries=self._retries,
            default_headers=HEADERS,
            http_client=BoundedClient(self._seconds),
        ) as client:
            body: bytes = (await client.chat.completions.with_raw_response.create(**request)).content
            return body

    def _limit(self, schema: str | None) -> int:
        """The token limit of an answer: a decision if there is a schema, else code."""
        return self._most_tokens or MAX_TOKENS["decision" if schema else "code"]

    def _server(self, model: str) -> str:
        return f"{self.connection.base_url} {model}"

    def _known_rung(self, model: str) -> Rung:
        return read_way(self._server(model)).get("rung", _RUNGS[0])

    def _sentence(self, model: str, error: openai.OpenAIError) -> str:
        """What went wrong at the endpoint, and what to do next."""
        host, again = self.connection.host, "run the same command to try again"
        if isinstance(error, openai.APITimeoutError):
            times = self._retries + 1
            waited = f"within agent_timeout ({self._seconds:g} s), {times} {'time' if times == 1 else 'times'}"
            return f"{model} at {host} did not answer in full {waited}: {again}, or raise agent_timeout."
        if isinstance(error, openai.APIConnectionError):
            cause = _server_message(error.__cause__ or error)
            if isinstance(error.__cause__, httpx2.ProtocolError | httpx2.ReadError | httpx2.DecodingError):
                return f"{host} does not answer in valid HTTP ({cause}): {again}, or set agent_api_base."
            return f"{host} cannot be reached ({cause}): start the server, or set agent_api_base."
        if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
            return f"{host} refuses the key: set OPENAI_API_KEY in the environment or in .env."
        if isinstance(error, openai.NotFoundError):
            return f"{host} has no model {model} at {self.connection.base_url}: set agent_model and agent_api_base."
        if isinstance(error, openai.RateLimitError):
            return f"{host} keeps answering “too many requests”: {again} later."
        if isinstance(error, openai.APIStatusError):
            todo = "lower agent_max_tokens" if _is_about_length(error) else f"{again}, or set another agent_model"
            return f"{host} answered with the error {error.status_code} ({_server_message(error.message)}): {todo}."
        return f"{host} gave an unreadable answer ({_server_message(error)}): {again}."


def find_rung(connection: Connection, seconds: float) -> tuple[Rung, float]:
    """The strictest way to request JSON from a connection's model, and how long it took to answer.

    AgentError if it does not answer.
    """
    settings = {**defaults(), "agent_cache": False, "agent_timeout": seconds}
    with tempfile.TemporaryDirectory() as folder:
        endpoint = Endpoint(connection, "doctor", Path(folder), settings, retries=0)
        return endpoint.find_rung(start('Answer with this JSON object: {"findings": []}'))


def start(prompt: str) -> list[Message]:
    """A conversation's first messages."""
    return [{"role": "system", "content": render("openai/system.j2")}, {"role": "user", "content": prompt}]


def _server_message(message: object) -> str:
    """A server's or a library's message: short, in one line, and without keys."""
    return shorten(printable(" ".join(redact(str(message)[: 1 << 16]).split())), _MESSAGE_SHOWN)


def _is_about_length(error: openai.APIStatusError) -> bool:
    return any(words in error.message for words in (*_LIMITS, "context length", "context_length"))


def _complain(sentence: str) -> Message:
    return {"role": "user", "content": render("openai/refuse_answer.j2", sentence=sentence)}


def _response_format(rung: str, schema: str | None) -> dict[str, Any]:
    if rung == "json_schema" and schema:
        described = {key: value for key, value in artifacts.load_schema(schema).items() if not key.startswith("$")}
        form = {"name": schema.rpartition("/")[2], "schema": described, "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": form}}
    return {"response_format": {"type": "json_object"}} if rung == "json_object" else {}
