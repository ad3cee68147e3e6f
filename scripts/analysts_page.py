"""Writes the answers into docs/analysts.md: `python scripts/analysts_page.py` (a test fails when one of them is stale).

The SQL in the page is run as it stands there, on the ledger of `tests/support/analysts_ledger.py`; the block behind it is what it answers.
"""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.analysts_ledger import fill
from tokentrail.cli.tables import table
from tokentrail.clickhouse.client import Client, connect
from tokentrail.clickhouse.migrate import migrate
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.ledger.rollup import refresh

PAGE = Path(__file__).resolve().parent.parent / "docs" / "analysts.md"
QUESTION = re.compile(
    r"^### (?P<title>\d+\. [^\n]+)\n(?P<text>.*?)```sql\n(?P<sql>.*?)\n```\n\n```text\n(?P<answer>.*?)```\n", re.DOTALL | re.MULTILINE
)
COMMAND = re.compile(r"`tokentrail ([^`]+)`")


@dataclass(frozen=True)
class Question:
    """A question of the page."""

    title: str
    command: tuple[str, ...]
    """The command that asks the same: `query` or `report`, with its options."""
    sql: str
    answer: str


def questions(page: str) -> list[Question]:
    """The questions of the page, with the answers that stand there."""
    found = []
    for match in QUESTION.finditer(page):
        command = COMMAND.search(match["text"])
        found.append(Question(match["title"], tuple(shlex.split(command[1] if command else "")), match["sql"], match["answer"]))
    return found


def answered(client: Client, sql: str) -> str:
    """What `tokentrail sql` shows."""
    result = client.query(sql, read_only=True)
    return "".join(line.rstrip() + "\n" for line in "".join(table(result.columns, result.rows, width=None, rule="─")).splitlines())


def with_answers(page: str, client: Client) -> str:
    """The page with the answers of this ledger."""

    def anew(match: re.Match[str]) -> str:
        start, end = (at - match.start() for at in match.span("answer"))
        return match[0][:start] + answered(client, match["sql"]) + match[0][end:]

    return QUESTION.sub(anew, page)


@contextmanager
def ledger() -> Iterator[Client]:
    """The ledger that the page asks, with its sums by day."""
    with tempfile.TemporaryDirectory() as folder:
        client = connect(f"chdb://{folder}/engine", create=True)
        try:
            migrate(client, Target("tokentrail"))
            fill(client)
            refresh(client)
            yield client
        finally:
            client.close()


if __name__ == "__main__":
    with ledger() as opened:
        page = with_answers(PAGE.read_text("utf-8"), opened)
    PAGE.write_text(page, encoding="utf-8")
    print(f"analysts.md: {len(questions(page))} questions answered")
