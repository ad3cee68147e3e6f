"""A page in a real browser: what it says, what it complains of, and what it asks for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.terminal import in_process

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

DESKTOP, PHONE = (1280, 900), (360, 760)


@dataclass
class Seen:
    """An open page, and all that it has complained of and asked for."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def numbers(self, table: str) -> list[list[str]]:
        """The cells of a table by its id, numbers with all their digits."""
        found: list[list[str]] = self.page.locator(f"#{table} tbody tr").evaluate_all(
            "rows => rows.map(row => [...row.cells].map(cell => cell.querySelector('data')?.value ?? cell.textContent.trim()))"
        )
        return found

    def cards(self) -> dict[str, str]:
        """The totals at the head of a page, by their labels."""
        found: list[list[str]] = self.page.locator(".card").evaluate_all(
            "cards => cards.map(card => [card.querySelector('dt').textContent, card.querySelector('data').value])"
        )
        return dict(found)


@contextmanager
def opened(browser: Browser, address: str, *, size: tuple[int, int] = DESKTOP, **options: Any) -> Iterator[Seen]:
    """Open an address; a violation of the page's security policy is a complaint, as an error in its script is."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **options)
    try:
        seen = Seen(context.new_page())
        seen.page.on("console", lambda message: seen.complaints.append(f"{message.type}: {message.text}"))
        seen.page.on("pageerror", lambda error: seen.complaints.append(f"error: {error}"))
        seen.page.on("dialog", lambda dialog: (seen.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        seen.page.on("request", lambda request: seen.requests.append(request.url))
        seen.page.goto(address)
        yield seen
    finally:
        context.close()


def report_of(dsn: str, folder: Path, *arguments: str) -> str:
    """Write the report of a ledger; the address of the file."""
    path = folder / "report.html"
    ran = in_process("report", "--dsn", dsn, "--html", str(path), *arguments)
    assert ran.code == 0, ran
    return path.as_uri()
