"""Each of the four services is asked with planted texts, and its providers fail in every way: no journal, no table and no log of a service has them."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import httpx

from examples.services.local.parts import STAND_IN_KEY, Parts
from tests.services.test_odd_requests_are_answered import ACME, PATHS
from tests.support.waiting import wait_until
from tokentrail.clickhouse.client import connect

PLANTED = "planted-quetzal"
FAULTS = {
    "/query": ("[limit] ", "[fail] ", "[empty] "),
    "/chat": ("[limit] ", "[cut] ", "[fail] "),
    "/embeddings": ("[limit] ",),
    "/documents": ("[limit] ",),
}


def planted(value: Any, fault: str) -> Any:
    """A request whose texts are planted."""
    if isinstance(value, list) and value and isinstance(value[0], str):
        return [f"{fault}{PLANTED} number {number}." for number, _ in enumerate(value)]
    return f"{fault}{PLANTED} and {value}" if isinstance(value, str) else value


def stored(parts: Parts) -> dict[str, bytes]:
    """All rows of tokentrail's own tables, by table."""
    client = connect(parts.dsn)
    try:
        tables = client.query("SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'").dicts()
        return {row["name"]: repr(client.query(f"SELECT * FROM `{row['name']}`").dicts()).encode() for row in tables}
    finally:
        client.close()


def test_planted_texts_stay_in_the_services(tmp_path: Path) -> None:
    folder = tmp_path / "services"
    with Parts(folder, None, real=[], settings={"TOKENTRAIL_SHIP_INTERVAL": "0.2", "OTEL_BSP_SCHEDULE_DELAY": "200"}) as parts:
        for path, (service, usual) in PATHS.items():
            for fault in ("", *FAULTS.get(path, ())):
                given = {name: planted(value, fault) for name, value in usual.items()}
                httpx.post(f"{parts.url[service]}{path}", headers=ACME, json=given, timeout=60)
        with contextlib.suppress(httpx.ReadTimeout):  # a reader who leaves
            httpx.post(f"{parts.url['query']}/chat", headers=ACME, json={"question": f"[hang] {PLANTED} a b c d"}, timeout=1)
        asked = len(httpx.get(f"{parts.url['providers']}/truth").json()["answered"])
        assert asked > 20
        files = {str(path.relative_to(folder)): path.read_bytes() for path in parts.journal.rglob("*") if path.is_file()}
        assert any(name.endswith(".journal") for name in files)
        parts.stop_services()
        wait_until(lambda: b"POST /query" in stored(parts)["otel_traces"], "the services' spans")
        places = files | stored(parts)
        places |= {str(path.relative_to(folder)): path.read_bytes() for path in parts.logs.iterdir()}
    found = {place: content[max(0, at - 300) : at + 60] for place, content in places.items() if (at := content.find(PLANTED.encode())) >= 0}
    assert found == {}
    assert [place for place, content in places.items() if STAND_IN_KEY.encode() in content] == []
    assert len([place for place, content in places.items() if b"acme" in content]) > 3  # the search finds what is there
