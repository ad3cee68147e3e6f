"""`/dashboard` of `tokentrail serve`: the page of `tokentrail.pages`, live, for the machine that has no Grafana. Reads only.

    /dashboard          the page, with a form of filters: everything is in its address, so a page can be kept as a bookmark
    /dashboard/now      what changes with every call, for the page's script, which asks again and again
    /dashboard/parts    how the totals come about: as many questions again, asked less often
    /dashboard/verify   the statement whether anything is missing, which may take longer

The page has the origin of ClickHouse's interface, where a script could send any statement. So the content security policy takes the page's one script
by the hash of its text: 'self' would take an answer of the interface for a script.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Final

from tokentrail.clickhouse.client import ClickHouseError, Client, EngineClient
from tokentrail.embedded.engine import Engine
from tokentrail.embedded.errors import EngineError
from tokentrail.embedded.exchange import Exchange

if TYPE_CHECKING:
    from tokentrail.pages.facts import Facts, Wanted

__all__ = ["PATH", "Dashboard"]

PATH: Final = "/dashboard"
MOST_NAMES: Final = 200
"""Names that a filter offers; further ones are in the address only."""
_HEADERS: Final = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)


class Dashboard:
    """Answers the requests for the dashboard with the calls in `database`."""

    def __init__(self, engine: Engine, database: str) -> None:
        self._engine = engine
        self._database = database

    def __call__(self, exchange: Exchange) -> None:
        """Answers one request."""
        if exchange.method not in {"GET", "HEAD"}:
            exchange.drain()
            return _say(exchange, 405, "The dashboard is only read: GET.", ("Allow", "GET, HEAD"), ("Connection", "close"))
        if exchange.headers.get("sec-fetch-site") == "cross-site" and exchange.headers.get("sec-fetch-dest") != "document":
            return _say(exchange, 403, "The dashboard is for people, not for other pages.")
        try:
            self._engine.require_ready()
            with self._engine.session():  # the engine does not stop before the answer
                self._answer(exchange)
        except ImportError as error:
            _say(exchange, 501, f'The dashboard needs {error.name}, which is not installed: pip install "tokentrail[pages]".')
        except EngineError as error:
            _say(exchange, error.status, error.message, *([("Retry-After", "1")] if error.status == 503 else []))  # noqa: PLR2004 - Service Unavailable
        except ClickHouseError as error:
            _say(exchange, 500, f"The ledger cannot be asked: {error}")

    def _answer(self, exchange: Exchange) -> None:
        from tokentrail.pages import documents  # noqa: PLC0415 - the extra may be missing, and a server without a reader needs no templates
        from tokentrail.pages.facts import Wanted  # noqa: PLC0415

        part = exchange.path.removeprefix(PATH).strip("/")
        now = datetime.now(timezone.utc)
        if part == "verify":
            return _page(exchange, 200, self._verified(now))
        pages = {"": Wanted.DASHBOARD, "now": Wanted.NOW, "parts": Wanted.PARTS}
        if part not in pages:
            return _say(exchange, 404, "There is no such page: /dashboard.")
        query = {name: value for name, value in exchange.query.items() if value}
        try:
            facts = self._facts(query, now, pages[part])
        except ValueError as error:
            if part:
                return _say(exchange, 400, f"{error}.")
            return _page(exchange, 400, documents.dashboard(None, documents.Filters(query, _names(query, None), f"{error}.")))
        filters = documents.Filters(query, {} if part else _names(query, facts))
        return _page(exchange, 200, documents.fragment(facts, filters) if part else documents.dashboard(facts, filters))

    def _facts(self, query: Mapping[str, str], now: datetime, wanted: Wanted) -> Facts:
        from tokentrail.pages.facts import collect  # noqa: PLC0415 - the extra may be missing
        from tokentrail.pages.selection import of_texts  # noqa: PLC0415

        selection = of_texts(query, now)
        client = self._reader()
        try:
            return collect(client, selection, now, wanted)
        finally:
            client.close()

    def _verified(self, now: datetime) -> str:
        from tokentrail.ledger.verify import verify  # noqa: PLC0415 - with the page
        from tokentrail.pages.documents import verification  # noqa: PLC0415 - the extra may be missing

        client = self._reader()
        try:
            return verification(verify(client, all_writers=False), now)
        finally:
            client.close()

    def _reader(self) -> Client:
        client = EngineClient(self._engine.data)
        client.use(self._database)
        return client


def _names(query: Mapping[str, str], facts: Facts | None) -> dict[str, list[str]]:
    """Returns the names that each filter offers: those of the range, and the chosen one."""
    from tokentrail.pages.selection import FILTERS  # noqa: PLC0415 - the extra may be missing

    offered = {}
    for parameter, dimension in FILTERS.items():
        names = [] if facts is None or facts.parts is None else list(facts.parts.by[dimension])[:MOST_NAMES]
        chosen = query.get(parameter, "")[1:]
        offered[parameter] = [*names, *([chosen] if parameter in query and chosen not in names else [])]
    return offered


def _page(exchange: Exchange, status: int, text: str) -> None:
    from tokentrail.pages.documents import policy  # noqa: PLC0415 - the extra may be missing

    headers = [("Content-Type", "text/html; charset=UTF-8"), ("Content-Security-Policy", policy(live=True)), *_HEADERS]
    exchange.reply(status, text.encode("utf-8", "replace"), headers)


def _say(exchange: Exchange, status: int, sentence: str, *more: tuple[str, str]) -> None:
    exchange.reply(status, f"{sentence}\n".encode("utf-8", "replace"), [("Content-Type", "text/plain; charset=UTF-8"), *_HEADERS, *more])
