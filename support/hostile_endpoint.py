"""A server on 127.0.0.1, at the level of sockets, that does to its client what a hostile or broken endpoint might.

Each attack is a function that writes to the socket after a request was read. What came of one is `attacked`.
"""

import contextlib
import gzip
import json
import socketserver
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import brotli

from loramake.agents.connection import Connection
from loramake.agents.endpoint import Endpoint
from loramake.errors import AgentError
from loramake.settings import defaults

MIB = 1 << 20
ANSWER = '{"target": "y", "labels": [], "reason": "r"}'
Send = Callable[[bytes], None]
PAUSE = 0.05
"""Seconds between two bytes of a drip: a timeout per read never ends it."""


@dataclass(frozen=True)
class Whole:
    """An attack that sends one response, made before it is asked for."""

    make: Callable[[], bytes]


def ok(body: bytes, *headers: str, status: str = "200 OK", length: object = None) -> bytes:
    """A whole response."""
    size = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {size}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def completion(message: object, **changes: object) -> bytes:
    """A chat completion with this message."""
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1, "completion_tokens": 1}
    return json.dumps({"id": "1", "choices": [choice], "usage": usage, **changes}).encode()


def says(text: object, **more: object) -> bytes:
    """A whole response with this answer."""
    return ok(completion({"role": "assistant", "content": text, **more}))


def forever(send: Send, what: bytes, pause: float = 0) -> None:
    while True:
        send(what)
        time.sleep(pause)


def drip(send: Send) -> None:
    send(ok(b"", length=10**6))
    forever(send, b" ", PAUSE)


def drip_of_headers(send: Send) -> None:
    send(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    forever(send, b"a", PAUSE)


def silence(_: Send) -> None:
    time.sleep(30)


def endless_headers(send: Send) -> None:
    send(b"HTTP/1.1 200 OK\r\n")
    forever(send, b"X-Header: " + b"a" * 1000 + b"\r\n")


def endless_early_hints(send: Send) -> None:
    forever(send, b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 100)


def endless_body(send: Send) -> None:
    send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    forever(send, b"10000\r\n" + b" " * 0x10000 + b"\r\n")


def body_of_200_mb(send: Send) -> None:
    send(ok(b"", length=200 * MIB))
    for _ in range(200):
        send(b" " * MIB)


def error_of_200_mb(send: Send) -> None:
    send(ok(b"", length=200 * MIB, status="400 Bad Request"))
    for _ in range(200):
        send(b" " * MIB)


def compressed(encoding: str) -> bytes:
    """200 MiB of spaces, a few KiB on the wire."""
    text = b" " * (200 * MIB)
    made = {"gzip": gzip.compress, "deflate": zlib.compress, "br": lambda text: brotli.compress(text, quality=3)}
    return ok(made[encoding](text), f"Content-Encoding: {encoding}")


def bomb_as_charset() -> bytes:
    body = zlib.compress(b" " * (200 * MIB))
    head = f"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=zlib\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def wrong_types(send: Send) -> None:
    choice = {"index": [], "message": [{"content": 5}], "finish_reason": {}}
    send(ok(json.dumps({"id": 7, "choices": [choice], "usage": "much", "model": [None]}).encode()))


LOOSE = "```\n" * 10_000 + "<think>" * 10_000 + "{" * 10_000

ATTACKS: dict[str, tuple[Callable[[Send], None] | Whole, str | None]] = {
    "drip": (drip, "did not answer in full within agent_timeout"),
    "drip of headers": (drip_of_headers, "did not answer in full within agent_timeout"),
    "silence": (silence, "did not answer in full within agent_timeout"),
    "endless headers": (endless_headers, "does not answer in valid HTTP"),
    "endless 1xx": (endless_early_hints, "did not answer in full within agent_timeout"),
    "endless body": (endless_body, "answers with more than 4 MiB"),
    "200 MB": (body_of_200_mb, "answers with more than 4 MiB"),
    "200 MB with an error": (error_of_200_mb, "answers with more than 4 MiB"),
    "gzip bomb": (Whole(lambda: compressed("gzip")), "compresses its answers"),
    "deflate bomb": (Whole(lambda: compressed("deflate")), "compresses its answers"),
    "brotli bomb": (Whole(lambda: compressed("br")), "compresses its answers"),
    "bomb as charset": (Whole(bomb_as_charset), "answered with the error 400"),
    "redirect elsewhere": (
        Whole(lambda: ok(b"", "Location: http://127.0.0.2:9/v1", status="307 Temporary Redirect")),
        r"redirects from http://127.0.0.1:\d+ to http://127.0.0.2:9",
    ),
    "redirect within": (
        Whole(lambda: ok(b"", "Location: /other", status="308 Permanent Redirect")),
        "redirects within",
    ),
    "redirect to nonsense": (
        Whole(lambda: ok(b"", "Location: http://[::1", status="307 Temporary Redirect")),
        "that cannot be read",
    ),
    "100,000 tool calls": (
        Whole(lambda: says(None, tool_calls=[{"id": str(index)} for index in range(100_000)])),
        "The answer contains no text",
    ),
    "100,000 choices": (
        Whole(lambda: ok(completion(None, choices=[{"message": {"content": ANSWER}}, *[{"index": 0}] * 100_000]))),
        None,
    ),
    "deep JSON": (Whole(lambda: ok(b"[" * MIB)), "not as an endpoint for chat completions"),
    "a million lists": (Whole(lambda: ok(b"[" + b"[]," * MIB + b"[]]")), "not as an endpoint for chat completions"),
    "an answer of lists": (
        Whole(lambda: says('{"target": [' + "[]," * 30_000 + "[]]}")),
        "gave no usable answer in 4 attempts",
    ),
    "an integer of 5,000 digits": (Whole(lambda: ok(b"9" * 5000)), "not as an endpoint for chat completions"),
    "HTML": (Whole(lambda: ok(b"<!doctype html><h1>Welcome</h1>")), "not as an endpoint for chat completions"),
    "nothing at all": (Whole(lambda: ok(b"")), "not as an endpoint for chat completions"),
    "lone surrogates": (Whole(lambda: says("\ud800 {\ud800: \udfff}")), "gave no usable answer in 4 attempts"),
    "null content": (Whole(lambda: says(None)), "The answer contains no text"),
    "content of parts": (
        Whole(lambda: says([{"type": "text", "text": ANSWER}])),
        "not as an endpoint for chat completions",
    ),
    "wrong types": (wrong_types, "not as an endpoint for chat completions"),
    "tokens by the googol": (
        Whole(lambda: ok(completion({"content": ANSWER}, usage={"prompt_tokens": 10**100, "completion_tokens": -1}))),
        None,
    ),
    "fences, thoughts, braces": (Whole(lambda: says(LOOSE)), "contains too many braces"),
    "Retry-After: 10^9": (
        Whole(lambda: ok(b"{}", "Retry-After: 1000000000", status="429 Slow Down")),
        "too many requests”: ",
    ),
    "too short": (Whole(lambda: ok(b"{", length=100)), "does not answer in valid HTTP"),
    "length of -1": (Whole(lambda: ok(b"{}", length=-1)), "does not answer in valid HTTP"),
    "not HTTP": (Whole(lambda: b"\x00\xff" * 1000 + b"\r\n\r\n"), "does not answer in valid HTTP"),
    "closes at once": (Whole(lambda: b""), "does not answer in valid HTTP"),
    "an error that moves the cursor": (
        Whole(lambda: ok(b'{"error": {"message": "\\u001b[2J\\u009bsecret"}}', status="400 Bad Request")),
        "answered with the error 400",
    ),
}
"""By name: what is sent, and the words of the sentence that is to come of it; None where the answer is good."""


@dataclass
class Hostile:
    """The server and what it was asked."""

    port: int = 0
    requests: list[bytes] = field(default_factory=list)

    @property
    def connection(self) -> Connection:
        return Connection(f"http://127.0.0.1:{self.port}/v1", "thinker", "coder", "sk-canary-0123456789")


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    block_on_close = False


@contextlib.contextmanager
def attack(name: str) -> Iterator[Hostile]:
    """A server that answers every request with one attack."""
    hostile, made = Hostile(), ATTACKS[name][0]
    response = made.make() if isinstance(made, Whole) else b""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                hostile.requests.append(_read_request(self.request))
                if isinstance(made, Whole):
                    self.request.sendall(response)
                else:
                    made(self.request.sendall)

    with _Server(("127.0.0.1", 0), Handler) as server:
        hostile.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield hostile
        finally:
            server.shutdown()


def _read_request(connection: Any) -> bytes:
    """One request, whole: a connection that is closed before would be reset."""
    got = b""
    while b"\r\n\r\n" not in got:
        got += connection.recv(1 << 16) or b"\r\n\r\n"
    head, _, body = got.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while lengths and len(body) < int(lengths[0]):
        body += connection.recv(1 << 16)
    return head + b"\r\n\r\n" + body


@dataclass(frozen=True)
class Outcome:
    """What came of an attack."""

    sentence: str | None
    """The error's; None where the answer was used."""
    seconds: float
    mib: int
    """How much the memory of this process grew at most."""


def attacked(hostile: Hostile, folder: Path, seconds: float = 1.0, retries: int = 0) -> Outcome:
    """Ask the server one question, in the working folder's cache and with the transcript under `folder`."""
    settings = {**defaults(), "agent_cache": False, "agent_timeout": seconds}
    endpoint = Endpoint(hostile.connection, "explore_data", folder, settings, retries)
    before, started, sentence = _reset_peak(), time.monotonic(), None
    try:
        endpoint.answer("Which column?", "answers/explore_data", lambda _: None)
    except AgentError as error:
        sentence = str(error)
    return Outcome(sentence, time.monotonic() - started, (_peak() - before) // MIB)


def _reset_peak() -> int:
    """Set this process's peak of memory to what it has now; bytes."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _peak()


def _peak() -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))
