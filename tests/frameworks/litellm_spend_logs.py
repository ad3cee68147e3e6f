"""Replays recordings through litellm, makes of each call the row that its proxy writes to LiteLLM_SpendLogs, and imports the row.

`python -m tests.frameworks.litellm_spend_logs`; prints what is imported other than the recording says, and how many were compared.
"""

from __future__ import annotations

import contextlib
import json
import logging
import queue
from collections.abc import Mapping
from typing import Any

import litellm
import litellm.proxy.proxy_server  # the row's function asks it for its settings
from litellm.integrations.custom_logger import CustomLogger
from litellm.proxy.spend_tracking.spend_tracking_utils import get_logging_payload

from tests.frameworks.litellm_recordings import ask
from tests.support.litellm_calls import call_of
from tokentrail.importing.litellm import records
from tokentrail.importing.record import NotTaken, usage_of
from tokentrail.importing.selection import Selection
from tokentrail.testing import ReplayServer

COMPARED = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "token_type", "ended")
PATIENCE_S = 5.0


class SpendLogs(CustomLogger):
    """The rows, as they are made: litellm calls this in a thread of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        self._rows.put(json.loads(json.dumps(dict(get_logging_payload(kwargs, response_obj, start_time, end_time)), default=str)))

    def row_of(self, user: str) -> dict[str, Any] | None:
        """The row of one user's call; None if none comes. A call that raised may have a row that comes late."""
        with contextlib.suppress(queue.Empty):
            while (row := self._rows.get(timeout=PATIENCE_S))["user"] != user:
                pass
            return row
        return None


def different(row: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an imported row that are others than the recording's; 0 and nothing are one of a subset, which litellm's defaults do not tell apart."""
    (record,) = records([row], Selection())
    if isinstance(record, NotTaken):
        return {"not taken": record.reason}
    found = usage_of(record).as_dict()
    return {name: (found[name], wanted[name]) for name in COMPARED if (found[name] or None) != (wanted[name] or None)}


def main() -> None:
    logging.disable(logging.CRITICAL)
    litellm.suppress_debug_info = True
    logs = SpendLogs()
    litellm.callbacks = [logs]
    wrong: dict[str, Any] = {}
    compared = 0
    with ReplayServer() as server:
        for recording in server.recordings.values():
            call, expected = call_of(recording, server.url(recording.provider, recording=recording.id)), recording.expected_usages
            if call is None or not expected or len(expected) != 1 or expected[0]["ended"] != "complete":
                continue
            name, arguments = call
            try:
                ask(name, {**arguments, "metadata": {"user_api_key_user_id": recording.id}})
            except Exception:  # an answer that litellm itself cannot read: its proxy writes no row of it
                continue
            row = logs.row_of(recording.id)
            if row is None:
                wrong[recording.id] = "no row"
                continue
            compared += 1
            if found := different(row, expected[0]):
                wrong[recording.id] = found
    print(json.dumps({"compared": compared, "wrong": wrong}))


if __name__ == "__main__":
    main()
