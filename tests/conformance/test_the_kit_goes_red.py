"""The examples, over HTTP and over gRPC, pass the kit, and each broken copy of them fails the promise that it breaks: a kit that cannot fail would be worth nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"
FOLLOW = "follow(stream._parts, followed)"


class Break(NamedTuple):
    """One change of the integration's file, the promise that it breaks, and words of the sentence that says so."""

    name: str
    old: str
    new: str
    promise: str
    says: str


BREAKS = (
    Break(
        "counts twice",
        "    followed = FollowedStream",
        "    from tokentrail.recording import recorder\n    recorder.start(exchange.request).finish(Answer())\n    followed = FollowedStream",
        "counts_are_exact",
        "one row per call",
    ),
    Break(
        "counts nothing",
        "    exchange = Exchange(",
        "    if request.stream: return None\n    exchange = Exchange(",
        "counts_are_exact",
        "one row per call",
    ),
    Break(
        "takes one count for the other",
        'tokens.get("in"), tokens.get("out")',
        'tokens.get("out"), tokens.get("in")',
        "counts_are_exact",
        "as the provider states",
    ),
    Break("makes 0 of what is not stated", 'tokens.get("in")', 'tokens.get("in") or 0', "bad_answers and None", "was recorded as 0"),
    Break("misses close", "    watch_close(stream, followed, is_async=is_async)\n", "", "is_closed", "not when it is dropped"),
    Break("calls every stream complete", '"complete" if exhausted and self.ended else "partial"', '"complete"', "is_closed", "one partial row"),
    Break("lets an exception out", FOLLOW, "follow((part for part in stream._parts if part.tokens), followed)", "caller_sees", "sees something else"),
    Break("reads the stream early", FOLLOW, "follow(iter(list(stream._parts)), followed)", "items_come_when", "not lazy any more"),
    Break("gives another type", "    return stream\n", "    return stream._parts\n", "caller_sees", "sees something else"),
    Break(
        "changes the request",
        "    exchange = Exchange(",
        '    kwargs = kwargs | {"question": "lorem"}\n    exchange = Exchange(',
        "caller_sees",
        "requests",
    ),
    Break(
        "warns", "    exchange = Exchange(", '    import warnings\n    warnings.warn("lorem")\n    exchange = Exchange(', "caller_sees", "warnings"
    ),
    Break("misses retries", '        Hook("acme", "Client._try_again", observes=count_retry),\n', "", "retries_are_attempts", "attempts of one row"),
    Break("keeps the prompt", "    exchange = Exchange(", '    KEPT.append(kwargs["question"])\n    exchange = Exchange(', "kept", "still in memory"),
    Break(
        "logs the prompt",
        "    exchange = Exchange(",
        '    import logging\n    logging.getLogger("tokentrail").debug("asked %s", kwargs["question"])\n    exchange = Exchange(',
        "leaves",
        "the text of a prompt",
    ),
    Break(
        "imports the SDK",
        "from functools import partial",
        "import acme\nfrom functools import partial",
        "not_imported_before",
        "imported before the application did",
    ),
    Break(
        "leaves something behind",
        "    exchange = Exchange(",
        "    type(client).seen = True\n    exchange = Exchange(",
        "restores",
        "not as they were",
    ),
    Break(
        "costs much",
        "        fields = part.__dict__\n",
        "        fields = dict(sorted(part.__dict__.items(), key=lambda pair: str(pair[0])))\n",
        "few_calls",
        "added to a chunk",
    ),
    Break("raises", 'tokens.get("in"), tokens.get("out")', 'tokens["in"] + 0, tokens["out"]', "bad_answers and lorem", "were swallowed"),
    Break("states no versions", 'supports=">=1.2,<3"', 'supports=""', "versions_are_stated", "a range with both ends"),
)

GRPC_BREAKS = (
    Break(
        "counts twice",
        "    followed = FollowedStream",
        "    from tokentrail.recording import recorder\n    recorder.start(exchange.request).finish(Answer())\n    followed = FollowedStream",
        "counts_are_exact",
        "one row per call",
    ),
    Break(
        "counts no errors",
        '        Hook("acme_grpc", "Client.ask", opens=partial(open_ask, False)),\n',
        '        Hook("acme_grpc", "Client.ask", opens=lambda *given: setattr(found := open_ask(False, *given), "deferred", True) or found),\n',
        "an_error_is_one_row",
        "an error is one row",
    ),
    Break(
        "takes one count for the other",
        'tokens.input if tokens.HasField("input")',
        'tokens.output if tokens.HasField("output")',
        "counts_are_exact",
        "as the provider states",
    ),
    Break(
        "makes 0 of what is not stated",
        'tokens.input if tokens.HasField("input") else None',
        "tokens.input",
        "bad_answers and None",
        "was recorded as 0",
    ),
    Break(
        "states counts of an error",
        "read=read_answer)",
        "read=read_answer, read_error=lambda *_: Answer(input_tokens=1))",
        "an_error_is_one_row",
        "without counts",
    ),
    Break("misses close", "    watch_close(stream, followed, is_async=is_async)\n", "", "is_closed", "not when it is dropped"),
    Break("calls every stream complete", '"complete" if exhausted and self.ended else "partial"', '"complete"', "is_closed", "one partial row"),
    Break("hides that a stream was cut", FOLLOW, "follow(swallowed(stream._parts), followed)", "stream_that_is_cut", "sees something else"),
    Break("reads the stream early", FOLLOW, "follow(iter(list(stream._parts)), followed)", "items_come_when", "not lazy any more"),
    Break(
        "asks early",
        "    followed = FollowedStream",
        "    KEPT.append(next(iter(stream._parts)))\n    followed = FollowedStream",
        "caller_sees",
        "items",
    ),
    Break("keeps the stream", "    return stream\n", "    KEPT.append(stream)\n    return stream\n", "is_dropped", "one partial row"),
    Break("gives another type", "    return stream\n", "    return stream._parts\n", "caller_sees", "sees something else"),
    Break(
        "changes the request",
        "    exchange = Exchange(",
        '    kwargs = kwargs | {"question": "lorem"}\n    exchange = Exchange(',
        "caller_sees",
        "requests",
    ),
    Break(
        "misses retries",
        '        Hook("acme_grpc", "Client._try_again", observes=count_retry),\n',
        "",
        "retries_are_attempts",
        "attempts of one row",
    ),
    Break("keeps the prompt", "    exchange = Exchange(", '    KEPT.append(kwargs["question"])\n    exchange = Exchange(', "kept", "still in memory"),
    Break(
        "keeps the answer", "        self.ended = True\n", "        self.ended = True\n        KEPT.append(self.texts)\n", "kept", "still in memory"
    ),
    Break(
        "costs much",
        "        if part.id:\n",
        "        max(len(part.text), len(part.id), abs(len(part.model)))\n        if part.id:\n",
        "few_calls",
        "added to a chunk",
    ),
    Break(
        "misses the child of a fork",
        "    exchange = Exchange(",
        "    if os.getpid() != HERE:\n        return None\n    exchange = Exchange(",
        "forked_child",
        "the child of a fork did not count",
    ),
    Break("takes every answer for a message", "        if part is None:\n            return False\n", "", "bad_answers and page", "were swallowed"),
)
"""Breaks of the example over gRPC: of each promise that the stage over gRPC plays a part in."""
ADDED = """
import os
HERE = os.getpid()
KEPT = []
def swallowed(parts):
    try:
        yield from parts
    except Exception:
        return
"""
EVERY = [("integration", "acme_tokentrail.py", each) for each in BREAKS] + [
    ("integration_grpc", "acme_grpc_tokentrail.py", each) for each in GRPC_BREAKS
]


def run_kit(folder: Path, promise: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--rootdir", str(folder), "-k", promise, str(folder)]
    return subprocess.run(command, cwd=folder, env=dict(os.environ), capture_output=True, text=True, timeout=280, check=False)


@pytest.mark.parametrize(("example", "name", "broken"), EVERY, ids=[f"{example}-{each.name}" for example, _, each in EVERY])
def test_a_broken_copy_is_red(example: str, name: str, broken: Break, tmp_path: Path) -> None:
    copy = tmp_path / "integration"
    shutil.copytree(EXAMPLES / example, copy, ignore=shutil.ignore_patterns("__pycache__"))
    file = copy / name
    text = file.read_text("utf-8")
    assert text.count(broken.old) == 1, "the example has changed: change the break too"
    file.write_text(text.replace(broken.old, broken.new) + f"\n{ADDED}", encoding="utf-8")
    ran = run_kit(copy, broken.promise)
    assert ran.returncode == 1, ran.stdout
    assert broken.says in ran.stdout, ran.stdout


@pytest.mark.parametrize("example", ["integration", "integration_grpc"])
def test_the_example_is_green(example: str) -> None:
    ran = run_kit(EXAMPLES / example, "")
    assert ran.returncode == 0, ran.stdout
    assert " passed" in ran.stdout
