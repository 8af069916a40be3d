"""HTTP to an untrusted endpoint: a total deadline, a limit on bytes, no compression, no redirects.

Knows nothing of chat completions. Proxy variables apply as in httpx.
"""

import asyncio
import urllib.parse
from typing import Any

import httpx2
import openai

from loramake.errors import AgentError

MOST_BYTES = 4 << 20
"""Of an answer's body; one of 100,000 tokens, thoughts included, has about a tenth."""
HEADERS = {"Accept-Encoding": "identity"}
"""Compression is not requested, and compressed answers are not read: a few bytes could become gigabytes."""
_CONNECT_SECONDS = 10.0
_HEADERS_READ = ("retry-after", "retry-after-ms", "x-should-retry")
"""The others are dropped, since a charset such as zlib or punycode would be decoded with no limit at all."""


def timeout(seconds: float) -> httpx2.Timeout:
    """Of each connect, read and write; the deadline of a whole answer is BoundedClient's."""
    return httpx2.Timeout(seconds, connect=min(_CONNECT_SECONDS, seconds))


class BoundedClient(openai.DefaultAsyncHttpxClient):
    """Returns a complete answer within `seconds` and MOST_BYTES; AgentError if the endpoint redirects or compresses.

    A timeout per read would not stop a server that sends a byte a second.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(follow_redirects=False, timeout=timeout(seconds))
        self._seconds = seconds

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """One request and its complete answer; ReadTimeout after the deadline, which openai's client retries."""
        try:
            async with asyncio.timeout(self._seconds):
                response = await super().send(request, **{**options, "stream": True, "follow_redirects": False})
                try:
                    return await _read(response, request)
                finally:
                    await response.aclose()
        except TimeoutError as error:
            raise httpx2.ReadTimeout("the answer was not complete in time", request=request) from error


async def _read(response: httpx2.Response, request: httpx2.Request) -> httpx2.Response:
    host = request.url.netloc.decode()
    if response.is_redirect:
        raise AgentError(_redirected(request, response.headers.get("location", "")))
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise AgentError(f"{host} compresses its answers unasked: turn compression off there.")
    body = bytearray()
    async for part in response.aiter_raw():
        body += part
        if len(body) > MOST_BYTES:
            raise AgentError(
                f"{host} answers with more than {MOST_BYTES >> 20} MiB: check the server, or set agent_api_base."
            )
    headers = {name: value for name in _HEADERS_READ if (value := response.headers.get(name)) is not None}
    return httpx2.Response(response.status_code, headers=headers, content=bytes(body), request=request)


def _redirected(request: httpx2.Request, location: str) -> str:
    """Where a redirect leads, without what its address says besides scheme and host."""
    source = f"{request.url.scheme}://{request.url.netloc.decode()}"
    try:
        parts = urllib.parse.urlsplit(urllib.parse.urljoin(str(request.url), location))
        destination = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"[:100]
    except ValueError:
        destination = "an address that cannot be read"
    where = f"from {source} to {destination}" if destination != source else f"within {source}"
    return (
        f"the endpoint redirects {where}, which loramake does not follow: set agent_api_base to an address you trust."
    )
