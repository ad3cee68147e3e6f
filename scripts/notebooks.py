"""Runs the notebooks of docs/notebooks and writes their answers into them: `python scripts/notebooks.py` (a test fails when one of them is stale).

They ask `tokentrail serve` with the ledger of `tests/support/analysts_ledger.py`.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from tests.support.analysts_ledger import fill
from tokentrail.clickhouse.client import connect
from tokentrail.embedded.process import ServerProcess

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "notebooks"
PLACES = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
"""Variables that keep a kernel from reading and writing in the user's folders."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """`tokentrail serve` with the ledger that the notebooks ask; its address."""
    with ServerProcess.started(folder / "data") as server:
        client = connect(server.addresses.dsn)
        fill(client)
        client.close()
        yield server.addresses.dsn


def environment(dsn: str, folder: Path) -> dict[str, str]:
    """What a kernel finds in its environment."""
    return {"TOKENTRAIL_CLICKHOUSE_DSN": dsn, **{name: str(folder / name.lower()) for name in PLACES}}


def executed(path: Path) -> str:
    """The notebook with the answers of its cells, as text. Raises `CellExecutionError` for a cell that fails."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=120, record_timing=False).execute()
    notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"], "language_info": {"name": "python"}}
    return nbformat.writes(notebook) + "\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made, served(Path(made)) as address:
        os.environ.update(environment(address, Path(made)))
        for each in sorted(FOLDER.glob("*.ipynb")):
            each.write_text(executed(each), "utf-8")
            print(f"notebooks/{each.name}")
