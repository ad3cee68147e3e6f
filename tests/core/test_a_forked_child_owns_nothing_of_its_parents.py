"""A forked child has a secret, sums and streams of its own: what the parent has open is the parent's to record."""

from __future__ import annotations

import weakref

from tests.support.forked import exit_code_of_child
from tokentrail.recording.runtime import Runtime


class Stream:
    """A stream that is open."""

    ended = 0

    def end(self) -> None:
        self.ended += 1


def test_the_childs_end_records_no_stream_of_the_parents(runtime: Runtime) -> None:
    stream = Stream()
    runtime.streams.refs[id(stream)] = weakref.ref(stream)

    def promise() -> bool:
        runtime.close(for_good=True)
        return stream.ended == 0 and len(runtime.streams) == 0

    assert exit_code_of_child(promise) == 0
    runtime.close()
    assert stream.ended == 1


def test_a_random_secret_is_not_the_parents(runtime: Runtime) -> None:
    secret = runtime.hash_secret()
    assert exit_code_of_child(lambda: runtime.hash_secret() != secret) == 0
    assert runtime.hash_secret() == secret


def test_what_was_left_to_a_thread_is_the_parents_to_do(runtime: Runtime) -> None:
    done: list[int] = []
    runtime.deferred.do_later(lambda: done.append(1))
    assert exit_code_of_child(lambda: runtime.deferred.drain(5) and done == []) == 0
    assert runtime.deferred.drain(5)
    assert done == [1]
