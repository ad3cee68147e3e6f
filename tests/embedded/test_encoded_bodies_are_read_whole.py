"""A body's encoding: streams one after another are one body, pieces are of bounded size, and what follows the end is an error."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterable

import lz4.frame
import pytest

from tokentrail.embedded.errors import EngineError
from tokentrail.embedded.frames import PIECE, decode

zstd = pytest.importorskip("backports.zstd")

ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "lz4": lz4.frame.compress,
    "zstd": zstd.compress,
}


def cut(data: bytes, size: int) -> Iterable[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_all_streams_of_a_body(name: str, size: int) -> None:
    encode = ENCODERS[name]
    parts = [b"first " * 50, b"", b"second", b"third " * 3]
    assert b"".join(decode(cut(b"".join(map(encode, parts)), size), name)) == b"".join(parts)


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_what_is_no_stream_is_an_error(name: str, size: int) -> None:
    whole = ENCODERS[name](b"text " * 40)
    for damaged in (whole[:-1], whole + b"garbage", whole + whole[:-1], whole + bytes(4)):
        with pytest.raises(EngineError):
            list(decode(cut(damaged, size), name))


@pytest.mark.parametrize("name", ENCODERS)
def test_a_small_body_unpacks_in_bounded_pieces(name: str) -> None:
    """The reader stops after the first piece that is too much: nothing has unpacked the rest by then."""
    packed = ENCODERS[name](bytes(64 << 20))
    sizes = [len(piece) for piece in decode([packed], name)]
    assert max(sizes) <= PIECE
    assert sum(sizes) == 64 << 20
