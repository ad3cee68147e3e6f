"""Calls of an application under test: the real SDK against the provider, and one line of standard output for each answer that was seen."""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
from functools import cache
from pathlib import Path
from typing import Any

import openai

from tokentrail import track_token_usage, track_tokens
from torture.provider import MODEL

NOBODY = 65534
STAMP = "stamp "

__all__ = ["STAMP", "backlog", "call", "client", "command", "ends_itself", "forks", "load", "of_nobody", "tell"]


@cache
def client() -> openai.OpenAI:
    """Returns this process's client; a forked child has a connection of its own."""
    return openai.OpenAI(max_retries=0, timeout=30.0)


os.register_at_fork(after_in_child=client.cache_clear)


def tell(operation: str, usage: openai.types.CompletionUsage) -> None:
    """Prints the answer of a call that has returned; one write a line, so that a kill leaves whole lines."""
    os.write(1, f"{operation} {usage.prompt_tokens} {usage.completion_tokens}\n".encode())


def call(operation: str, *, stream: bool = False, padding: int = 0) -> int:
    """Makes one call and prints the answer; `padding` bytes make its record large. Returns the nanoseconds that the call took."""
    messages: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": operation}]
    with track_tokens("query", tenant_id="torture", operation_id=operation, metadata={"padding": "p" * padding} if padding else None):
        before = time.perf_counter_ns()
        usage = None
        if stream:
            for chunk in client().chat.completions.create(model=MODEL, messages=messages, stream=True, stream_options={"include_usage": True}):
                usage = chunk.usage or usage
        else:
            usage = client().chat.completions.create(model=MODEL, messages=messages).usage
        took = time.perf_counter_ns() - before
    if usage is not None:
        tell(operation, usage)
    return took


def load(name: str, *, threads: int = 1, calls: int = 0, pause: float = 0.0, padding: int = 0, until: str = "", stamped: bool = False) -> None:
    """Makes so many calls in each thread, 0 for ever or until a file is there; every third one is a stream.

    At the end prints `took` and the median time of plain calls in nanoseconds; `stamped` prints of each plain call when it began, on the monotonic
    clock, and its time.
    """
    took: list[int] = []

    def run(thread: int) -> None:
        for number in range(calls) if calls else itertools.count():
            if until and Path(until).exists():
                return
            stream = number % 3 == 2
            try:
                one = call(f"{name}-{thread}-{number}", stream=stream, padding=padding)
            except openai.APIError as error:
                os.write(1, f"failed {error}\n".encode())
                continue
            if (calls or until) and not stream:
                took.append(one)
                if stamped:
                    os.write(1, f"{STAMP}{time.perf_counter_ns() - one}:{one}\n".encode())
            time.sleep(pause)

    others = [threading.Thread(target=run, args=(number,)) for number in range(1, threads)]
    for thread in others:
        thread.start()
    run(0)
    for thread in others:
        thread.join()
    if took:
        os.write(1, f"took {sorted(took)[len(took) // 2]}\n".encode())


def ends_itself(name: str, calls: int, padding: int = 0) -> None:
    """Makes some calls and ends: the journal is closed and shipped on the way out."""
    load(name, calls=calls, padding=padding)
    os.write(1, b"ends\n")


def backlog(name: str, events: int) -> None:
    """Records usages by hand as quickly as it can, and ends without closing the journal."""
    for number in range(events):
        track_token_usage(
            token_type="llm", operation="query", tenant_id=name, provider="openai", model=MODEL, input_tokens=number % 1000, output_tokens=1
        )
    os.write(1, f"recorded {events}\n".encode())
    os._exit(0)


def of_nobody(name: str, folder: str, **more: Any) -> None:
    """Calls once, and calls on in a child of a user without rights, whose folder this is. The child has loaded what that user may not read."""
    call(f"{name}-first")
    os.chown(folder, NOBODY, NOBODY)
    child = os.fork()
    if child == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        load(name, **more)
    else:
        os.waitpid(child, 0)


def forks(name: str, children: int, calls: int, padding: int = 0) -> None:
    """Forks children amid the calls of two threads; all of them go on for ever."""
    busy = threading.Thread(target=load, args=(f"{name}-thread",), kwargs={"padding": padding}, daemon=True)
    busy.start()
    load(f"{name}-before", calls=calls, padding=padding)
    for child in range(children):
        if os.fork() == 0:
            load(f"{name}-child{child}", padding=padding)
    load(f"{name}-after", padding=padding)


def command(arguments: list[str]) -> None:
    """Is the command `tokentrail` with these arguments; its exit code is the last line."""
    from tokentrail.cli import main

    sys.argv = ["tokentrail", *arguments]
    code: object = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    os.write(1, f"exit {code or 0}\n".encode())
