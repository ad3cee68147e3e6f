"""Clients of the four services in examples/services: many mixed requests side by side, and what each client saw."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import httpx

TENANTS = ("acme", "globex", "initech")
PATIENCE_S = 120.0
ATTEMPTS = 20


class Kind(NamedTuple):
    """A kind of request: its service and path, and the operation of the calls that it causes (of the agent's, each call has its own)."""

    service: str
    path: str
    operation: str
    weight: int
    fault: str = ""


KINDS = {
    "query": Kind("query", "/query", "query", 6),
    "query limited": Kind("query", "/query", "query", 3, "[limit] "),
    "query refused": Kind("query", "/query", "query", 2, "[fail] "),
    "query empty": Kind("query", "/query", "query", 2, "[empty] "),
    "chat": Kind("query", "/chat", "chat", 5),
    "chat limited": Kind("query", "/chat", "chat", 2, "[limit] "),
    "chat cut": Kind("query", "/chat", "chat", 2, "[cut] "),
    "chat left": Kind("query", "/chat", "chat", 2, "[hang] "),
    "summarize": Kind("query", "/summarize", "summarize", 3),
    "classify": Kind("query", "/classify", "classification", 3),
    "extract": Kind("query", "/extract", "extraction", 3),
    "search": Kind("embedding", "/embeddings", "vector_search", 5),
    "search again": Kind("embedding", "/embeddings", "vector_search", 2),
    "batch": Kind("embedding", "/embeddings/batch", "batch", 3),
    "batch limited": Kind("embedding", "/embeddings/batch", "batch", 1, "[limit] "),
    "document": Kind("ingestion", "/documents", "internal", 4),
    "document again": Kind("ingestion", "/documents", "internal", 1),
    "ask": Kind("agent", "/ask", "", 4),
    "ask limited": Kind("agent", "/ask", "", 1, "[limit] "),
}
IN_FLIGHT_SAFE = tuple(name for name in KINDS if name not in ("chat cut", "chat left"))
"""Without those whose row is written only after the client has gone."""


@dataclass
class Asked:
    """A request. `ended`: `answered` in full, `left` by the client as planned, `broken`: it was under way when something died."""

    kind: str
    tenant: str
    number: int
    trace_id: str = field(default_factory=lambda: secrets.token_hex(16))
    ended: str = ""
    why: str = ""

    def body(self) -> dict[str, Any]:
        """What is sent: a text of its own, unless the kind says that it was sent before."""
        kind = KINDS[self.kind]
        text = f"{kind.fault}number {self.number} of {self.tenant}: what is counted once, and never twice?"
        if self.kind.endswith("again"):
            text = "The same text again. It has two sentences."
        return {
            "/embeddings": {"text": text},
            "/embeddings/batch": {"texts": [f"{text} {part}" for part in range(3)]},
            "/summarize": {"text": text},
            "/classify": {"text": text, "labels": ["counted", "lost"]},
            "/extract": {"text": text, "fields": ["name", "number"]},
            "/documents": {"text": f"{text} It has a second sentence. And a third one."},
        }.get(kind.path, {"question": text})


def mixed(seed: int, many: int, kinds: tuple[str, ...] = tuple(KINDS), first: int = 0) -> list[Asked]:
    """Choose requests: every kind for every tenant, and the rest by weight; the same for the same seed."""
    choose = random.Random(seed)
    chosen = [(kind, tenant) for kind in kinds for tenant in TENANTS]
    more = choose.choices(kinds, [KINDS[kind].weight for kind in kinds], k=max(0, many - len(chosen)))
    chosen += [(kind, choose.choice(TENANTS)) for kind in more]
    choose.shuffle(chosen)
    return [Asked(kind, tenant, first + number) for number, (kind, tenant) in enumerate(chosen)]


class Crowd:
    """Clients side by side. `asked` holds every request that was sent."""

    def __init__(self, urls: dict[str, str], clients: int) -> None:
        self.urls, self.clients = urls, clients
        self.asked: list[Asked] = []
        self.answered = 0
        self._awaited: list[tuple[int, asyncio.Event]] = []

    async def when(self, answered: int) -> None:
        """Wait until so many requests are answered."""
        event = asyncio.Event()
        self._awaited.append((answered, event))
        await event.wait()

    async def ask(self, wanted: list[Asked]) -> None:
        """Send all requests. A client whose request broke waits until the service is there again, and sends another one in its place."""
        todo = iter(wanted)
        await asyncio.gather(*(self._client(todo) for _ in range(self.clients)))

    async def _client(self, todo: Iterator[Asked]) -> None:
        async with httpx.AsyncClient(timeout=PATIENCE_S) as http:
            for asked in todo:
                for _attempt in range(ATTEMPTS):
                    now = Asked(asked.kind, asked.tenant, asked.number)
                    self.asked.append(now)
                    try:
                        now.ended = await self._send(http, now)
                    except httpx.TransportError as error:
                        now.ended, now.why = "broken", repr(error)
                    if now.ended != "broken":
                        break
                    for service in ("query", KINDS[asked.kind].service):
                        await until_there(http, self.urls[service])
                else:
                    raise AssertionError(f"{asked} broke {ATTEMPTS} times")
                self.answered += 1
                for number, event in self._awaited:
                    if self.answered >= number:
                        event.set()

    async def _send(self, http: httpx.AsyncClient, asked: Asked) -> str:
        kind = KINDS[asked.kind]
        headers = {"X-Tenant-ID": asked.tenant, "traceparent": f"00-{asked.trace_id}-{secrets.token_hex(8)}-01"}
        async with http.stream("POST", f"{self.urls[kind.service]}{kind.path}", json=asked.body(), headers=headers) as answer:
            if answer.status_code >= 500:
                asked.why = f"{answer.status_code} {(await answer.aread()).decode()}"
                return "broken"
            assert answer.status_code == 200, f"{asked}: {answer.status_code}"
            lines = []
            async for line in answer.aiter_lines():
                lines.append(line)
                if asked.kind == "chat left" and sum(line.startswith("data:") for line in lines) == 3:
                    return "left"
        streams = kind.path in ("/chat", "/ask")
        asked.why = " ".join(lines[-4:])
        return "broken" if streams and "event: done" not in lines else "answered"


async def until_there(http: httpx.AsyncClient, url: str) -> None:
    """Wait until a service answers."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while asyncio.get_running_loop().time() < deadline:
        try:
            if (await http.get(f"{url}/healthz")).status_code == 200:
                return
        except httpx.TransportError:
            await asyncio.sleep(0.1)
    raise AssertionError(f"{url} was not there again")
