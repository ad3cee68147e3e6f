"""Replays recordings through litellm; prints those whose usage is another than the recording says, and how many were compared.

`python -m tests.frameworks.litellm_recordings sync [FOLDER]`: the shipped recordings, or an unreduced corpus.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import litellm

import tokentrail
from tests.support.litellm_calls import Call, call_of
from tests.support.scripts import load_script
from tokentrail.counts import COUNTS
from tokentrail.process.current import current
from tokentrail.testing import Recording, ReplayServer, collect_usages

COMPARED = (
    *("provider", "endpoint", "token_type", "response_model", "response_id", "stream", "ended", "error_type", "input_source", "output_source"),
    *(count.name for count in COUNTS),
)
LOOP = asyncio.new_event_loop()  # one: litellm keeps its clients


def ask(name: str, arguments: Mapping[str, Any]) -> None:
    answer = getattr(litellm, name)(**arguments)
    if arguments.get("stream"):
        list(answer)


async def ask_async(name: str, arguments: Mapping[str, Any]) -> None:
    answer = await getattr(litellm, f"a{name}")(**arguments)
    if arguments.get("stream"):
        [chunk async for chunk in answer]


async def _turn() -> None:
    """Lets the loop close what a failed stream has left."""
    gc.collect()
    for _ in range(5):
        await asyncio.sleep(0)


def cases(server: ReplayServer, corpus: str) -> Iterator[tuple[Recording, Call, Sequence[Mapping[str, Any]]]]:
    """Every recording with a call that asks for it, and its usages."""
    usages_of = load_script("recording_usages").usages_of
    files = {path.stem: path for path in Path(corpus).rglob("*.json")} if corpus else {}
    for recording in server.recordings.values():
        expected = recording.expected_usages
        call = call_of(recording, server.url(recording.provider, recording=recording.id))
        if call is not None and corpus:
            exchange = json.loads(files[recording.id].read_text("utf-8"))
            is_of_litellm = exchange["response_shape"] != "jsonarray" and "enum-encoding" not in exchange["path"]
            expected = usages_of(exchange) if is_of_litellm else None
        if call is not None and expected is not None:
            yield recording, call, expected


def main(mode: str, corpus: str = "") -> None:
    logging.disable(logging.CRITICAL)
    litellm.suppress_debug_info = True
    tokentrail.instrument()
    wrong: dict[str, Any] = {}
    compared = 0
    with ReplayServer(*([corpus] if corpus else [])) as server:
        gc.collect()
        gc.freeze()
        for recording, (name, arguments), expected in cases(server, corpus):
            compared += 1
            tokentrail.configure(provider_hosts={f"127.0.0.1:{server.port}": recording.provider})
            raised = ""
            with collect_usages() as usages:
                try:
                    ask(name, arguments) if mode == "sync" else LOOP.run_until_complete(ask_async(name, arguments))
                except Exception as error:
                    raised = f"{type(error).__name__}: {error}"[:200]
                LOOP.run_until_complete(_turn())
                usages.settle()
            found = [{field: getattr(usage, field) for field in COMPARED} for usage in usages.recorded]
            if len(found) != len(expected):
                shown = [(usage["provider"], usage["response_id"], usage["ended"]) for usage in found]
                wrong[recording.id] = f"{len(found)} rows of {len(expected)}: {shown}; {raised}"
                continue
            for usage, wanted in zip(found, expected, strict=True):
                different = {
                    field: (usage[field], wanted[field])
                    for field in COMPARED
                    if usage[field] != wanted[field] and not (field == "error_type" and wanted[field] is None)
                }
                if different:
                    wrong[recording.id] = [repr(different), raised]
    wrong |= {f"internal error {where}": many for where, many in current.runtime.diagnostics.internal_errors.items()}
    print(json.dumps({"compared": compared, "wrong": wrong}))


if __name__ == "__main__":
    main(*sys.argv[1:])
