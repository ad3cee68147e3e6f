"""A stream that is still open when the program ends is in the journal; one that a forked child inherits is its parent's alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.programs import run
from tests.support.scripted import ScriptedServer, chunks, sse

PROGRAM = """
    import json, os, sys, gc
    import openai
    from tokentrail.instrumentation import instrument
    from tokentrail.process.current import current
    instrument()
    client = openai.OpenAI(base_url=sys.argv[1], api_key="none")
    ask = dict(model="m", messages=[{"role": "user", "content": "hello"}], stream=True)
    stream = client.chat.completions.create(**ask)
    for _ in stream:
        break
"""


def journalled(folder: Path, text: bytes) -> int:
    return sum(path.read_bytes().count(text) for path in folder.rglob("*") if path.is_file())


def test_an_open_stream_is_recorded_when_the_program_ends(tmp_path: Path) -> None:
    with ScriptedServer(sse(chunks("lorem", "ipsum"))) as server:
        run(PROGRAM + "    sys.kept = stream\n    print(json.dumps(1))\n", server.url, journal=tmp_path)  # nothing collects it
    assert journalled(tmp_path, b"chatcmpl-scripted") == 1
    assert journalled(tmp_path, b"partial") == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_does_not_record_its_parents_stream(tmp_path: Path) -> None:
    program = (
        PROGRAM
        + """
    pid = os.fork()
    if pid == 0:
        stream.close()
        del stream
        gc.collect()
        current.runtime.deferred.drain(5)
        sys.exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    stream.close()
    print(json.dumps(1))
"""
    )
    with ScriptedServer(sse(chunks("lorem", "ipsum"))) as server:
        run(program, server.url, journal=tmp_path)
    assert journalled(tmp_path, b"chatcmpl-scripted") == 1
