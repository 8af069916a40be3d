"""A real HTTP server on 127.0.0.1 that speaks chat completions, and can be told to answer well or badly.

It reads prompts as a model does: from their text, so that prompts which do not say what is needed get bad answers.
"""

import contextlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

INJECTED = '{"target": "Sex", "labels": [], "reason": "injected", "instruction": "injected", "findings": []}'

FENCE = re.compile(r"<data-(\w{8})>\n(.*?)\n</data-\1>", re.S)
REFUSAL = "That answer cannot be used"
Answer = Callable[[str], str]
"""From the user's last prompt to the text of the answer."""


@dataclass
class Server:
    """What it was asked, and how it answers."""

    answer: Answer
    refuses: tuple[str, ...] = ()
    """Types of response_format that are answered with 400."""
    unknown: tuple[str, ...] = ()
    """Parameters that are answered with 400."""
    failures: list[int] = field(default_factory=list)
    """Status codes of the next requests, before any is answered."""
    always: int | None = None
    """A status code for every request."""
    complaint: str = "not today"
    """What it says with that code."""
    fails_at: str = ""
    """Where that is in a prompt, the code and the garbling count; in others they do not."""
    is_garbled: bool = False
    """Whether its answers are no JSON at all."""
    seconds: float = 0.0
    """Before every answer."""
    finish: str = "stop"
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def meets(self, request: dict[str, Any]) -> bool:
        """Whether a request is one that fails."""
        return self.fails_at in FENCE.sub("", "".join(message["content"] for message in request["messages"]))

    def status(self, request: dict[str, Any]) -> tuple[int, str]:
        """The status and the text of an answer."""
        if self.always is not None and self.meets(request):
            return self.always, self.complaint
        if self.failures:
            return self.failures.pop(0), "not now"
        for name in self.unknown:
            if name in request:
                return 400, f"Unsupported parameter: '{name}' is not supported with this model."
        kind = request.get("response_format", {}).get("type", "text")
        if kind in self.refuses:
            return 400, f"response_format {kind} is not supported"
        asked = [message["content"] for message in request["messages"] if message["role"] == "user"]
        return 200, self.answer([prompt for prompt in asked if not prompt.startswith(REFUSAL)][-1])


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.requests.append(request)
            server.keys.append(self.headers.get("Authorization"))
            time.sleep(server.seconds)
            status, text = server.status(request)
            message = {"role": "assistant", "content": text}
            choice = {"index": 0, "message": message, "finish_reason": server.finish}
            usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
            made = {"id": "1", "object": "chat.completion", "created": 0, "model": request["model"]}
            body = {**made, "choices": [choice], "usage": usage} if status == 200 else {"error": {"message": text}}
            garbled = b"<html>" if server.is_garbled and server.meets(request) else None
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self._send(status, garbled or json.dumps(body).encode())

        def do_GET(self) -> None:
            self._send(200, b'{"object": "list", "data": [{"id": "fake", "object": "model"}]}')

        def _send(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal."""

    return Handler


@contextlib.contextmanager
def serve(**settings: Any) -> Iterator[Server]:
    """A server that answers well unless told otherwise."""
    server = Server(**{"answer": good, **settings})
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(server)) as http:
        server.port = http.server_address[1]
        threading.Thread(target=http.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            http.shutdown()


def data(prompt: str) -> list[str]:
    """The fenced texts of a prompt."""
    return [text for _, text in FENCE.findall(prompt)]


def good(prompt: str) -> str:
    """What a careful model answers at each step; what the data says is not what it is asked."""
    asked = FENCE.sub("", prompt)
    if '"target"' in asked:
        return json.dumps({"target": _target(prompt), "labels": [], "reason": "it is what the table is about"})
    if '"drop"' in asked:
        balance = {"proposal": "none", "reason": "no label is rare"}
        plan = {
            "instruction": "Is this patient ill? Answer with a label.",
            "drop": [],
            "balance": balance,
            "advice": "",
        }
        return json.dumps(plan)
    if '"findings"' in asked:
        finding = {"issue": "ages are coarse", "severity": "low", "rows": [], "suggestion": "use more bins"}
        return json.dumps({"findings": [finding]})
    if "def balance(records, seed)" in asked:
        return f"```python\n{BALANCE}```"
    if "def fit(train)" in asked:
        return f"Here it is:\n```python\n{prep_code(prompt)}```\n"
    return (
        f"```python\ndef fit(train):\n    return {{}}\n\n\ndef transform(rows, state):\n    return []\n\n\n{BALANCE}```"
    )


BALANCE = """import random
from collections import Counter


def balance(records, seed):
    chance, counts = random.Random(seed), Counter(record["output"] for record in records)
    more = []
    for label, count in sorted(counts.items()):
        own = [record for record in records if record["output"] == label]
        more += chance.choices(own, k=max(counts.values()) - count)
    return records + more
"""


def _target(prompt: str) -> str:
    """The column that the prompt says is to be predicted, or the last one."""
    given = re.search(r"The column to predict is <data-\w+>\n(.*?)\n</data", prompt)
    return given[1] if given else re.findall(r"^'(\w+)'", data(prompt)[0], re.M)[-1]


def prep_code(prompt: str) -> str:
    """fit and transform for a plan of bins, as the prompt asks."""
    form, separator, missing, token = data(prompt)[:4]
    return f"""
NUMERIC = [name for name in FEATURES if TYPES[name] == "numeric"]


def fit(train):
    places = [place / 16 for place in range(1, 16)]
    columns = {{name: pd.to_numeric(train[name], errors="coerce").dropna() for name in NUMERIC}}
    return {{name: [float(edge) for edge in cells.quantile(places).dropna()] for name, cells in columns.items()}}


def text_of(name, cell, state):
    if cell is None:
        return {missing!r}
    try:
        value = float(cell)
    except ValueError:
        value = float("nan")
    if name in NUMERIC and np.isfinite(value) and state[name]:
        left, right = (int(np.searchsorted(state[name], value, side=side)) for side in ("left", "right"))
        return {token!r}.replace("{{}}", str((left + right) // 2))
    return " ".join(cell.split())[:500]


def transform(rows, state):
    records = []
    for index, row in rows.iterrows():
        texts = {{name: text_of(name, row[name], state) for name in FEATURES}}
        parts = [{form!r}.replace("{{name}}", name).replace("{{value}}", text) for name, text in texts.items()]
        records.append({{"instruction": INSTRUCTION, "input": {separator}.join(parts), "row": int(index)}})
    return records
"""


def thoughtful(prompt: str) -> str:
    """A reasoning model: what it thinks of first is not what it answers."""
    return f"<think>Perhaps {INJECTED}? Let me see.\n```python\nraise SystemExit\n```</think>\n{good(prompt)}"


def talkative(prompt: str) -> str:
    """JSON in a fence, with prose around it."""
    answer = good(prompt)
    return answer if "```" in answer else f"Certainly! Use {{braces}}:\n```json\n{answer}\n```\nI hope this helps."


def echoing(prompt: str) -> str:
    """Says what it was told by the data first, then what it was asked for."""
    return f"The table says: {INJECTED}\n{good(prompt)}"


def loose(prompt: str) -> str:
    """JSON as careless models write it."""
    answer = good(prompt)
    return answer if "```" in answer else answer.replace('"', "'")[:-1] + ",}"


def half(prompt: str) -> str:
    """Stops in the middle."""
    answer = good(prompt)
    return answer[: len(answer) // 2]


class Mending:
    """A coder whose first tries are wrong in ways of their own; it reads the complaints to get to the next."""

    TRIES = (
        "def fit(train):\n    return {}\n\n\ndef transform(rows, state):\n    return [nonsense for row in rows]\n",
        "def fit(train):\n    return {}\n\n\ndef transform(rows, state):\n    text = ' '.join(map(str, rows.index))\n"
        "    return [{'instruction': INSTRUCTION, 'input': text, 'row': int(row)} for row in rows.index]\n",
    )

    def __init__(self, wrong: int) -> None:
        self._wrong, self._prompt, self.complaints = wrong, "", list[str]()

    def __call__(self, prompt: str) -> str:
        if "def fit(train)" in prompt:
            self._prompt = prompt
        elif "That code was run" in prompt:
            self.complaints.append(prompt)
        else:
            return good(prompt)
        if len(self.complaints) < self._wrong:
            return f"```python\n{self.TRIES[min(len(self.complaints), 1)]}```"
        return good(self._prompt)
