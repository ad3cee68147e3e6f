"""Encodings of request and answer bodies: ClickHouse's compressed frames, both ways, and the content encodings of HTTP.

A frame is CityHash128 (version 1.0.2, 16 bytes, high word first) of the bytes after the hash, one byte of method, four bytes of compressed size
(with the nine bytes of this header), four of the raw size, all little-endian, and the data.
Source: ClickHouse's CompressionInfo.h, clickhouse-go's `compress`.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import lz4.block  # type: ignore[import-untyped]
import lz4.frame  # type: ignore[import-untyped]
from clickhouse_cityhash.cityhash import CityHash128  # type: ignore[import-untyped]

from tokentrail.embedded.errors import CANNOT_DECOMPRESS, NOT_IMPLEMENTED, EngineError

__all__ = ["decode", "gzip_stream", "in_frames", "out_of_frames"]

HEADER: Final = struct.Struct("<BII")
CHECKSUM: Final = struct.Struct("<QQ")
LZ4: Final = 0x82
ZSTD: Final = 0x90
NONE: Final = 0x02
FRAME_SIZE: Final = 1 << 20
MAX_FRAME: Final = 128 << 20  # the server takes a gibibyte; clients send ten mebibytes at most, and a frame is unpacked as a whole
LOW_WORD: Final = (1 << 64) - 1
PIECE: Final = 1 << 20
"""Bytes that are decompressed at once: the reader decides after each piece whether the body is too large."""
GZIP_LEVEL: Final = 3
GZIP_WINDOW: Final = 31


def _checksum(body: bytes) -> bytes:
    digest = CityHash128(body)
    return CHECKSUM.pack(digest >> 64, digest & LOW_WORD)


def in_frames(data: bytes) -> bytes:
    """Encodes `data` as LZ4 frames of at most one mebibyte; empty data has no frame."""
    out = bytearray()
    for start in range(0, len(data), FRAME_SIZE):
        raw = data[start : start + FRAME_SIZE]
        packed = lz4.block.compress(raw, store_size=False)
        body = HEADER.pack(LZ4, len(packed) + HEADER.size, len(raw)) + packed
        out += _checksum(body) + body
    return bytes(out)


def out_of_frames(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yields the raw blocks of a stream of frames. Raises EngineError at a wrong checksum, an unknown method or a truncated frame."""
    buffer = bytearray()
    head = CHECKSUM.size + HEADER.size
    for chunk in chunks:
        buffer += chunk
        while len(buffer) >= head:
            method, packed_size, raw_size = HEADER.unpack_from(buffer, CHECKSUM.size)
            if not HEADER.size <= packed_size <= MAX_FRAME or raw_size > MAX_FRAME:
                raise EngineError(CANNOT_DECOMPRESS, "A compressed frame states an impossible size: the body is damaged. (CANNOT_DECOMPRESS)")
            end = CHECKSUM.size + packed_size
            if len(buffer) < end:
                break
            body = bytes(buffer[CHECKSUM.size : end])
            if _checksum(body) != bytes(buffer[: CHECKSUM.size]):
                raise EngineError(CANNOT_DECOMPRESS, "Checksum doesn't match: the body is damaged. (CANNOT_DECOMPRESS)")
            del buffer[:end]
            yield _unpack(method, body[HEADER.size :], raw_size)
    if buffer:
        raise EngineError(CANNOT_DECOMPRESS, "The body ends within a compressed frame. (CANNOT_DECOMPRESS)")


def _unpack(method: int, packed: bytes, raw_size: int) -> bytes:
    try:
        if method == LZ4:
            return bytes(lz4.block.decompress(packed, uncompressed_size=raw_size))
        if method == ZSTD:
            raw = _zstd().ZstdDecompressor().decompress(packed, raw_size + 1)
            if len(raw) != raw_size:
                raise EngineError(CANNOT_DECOMPRESS, "A compressed frame holds more or less than it states. (CANNOT_DECOMPRESS)")  # noqa: TRY301 - same
            return bytes(raw)
    except EngineError:
        raise
    except Exception as error:  # each library has an exception type of its own
        raise EngineError(CANNOT_DECOMPRESS, f"A frame cannot be decompressed: {error}. (CANNOT_DECOMPRESS)") from error
    if method == NONE:
        return packed
    raise EngineError(NOT_IMPLEMENTED, f"Compression method {method:#x} is not supported: use LZ4, ZSTD or none. (NOT_IMPLEMENTED)")


def decode(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Decodes a Content-Encoding: gzip, deflate, lz4, zstd, br or none, in pieces of bounded size. Several streams one after another are one body.

    Raises EngineError for an unknown encoding, a damaged or truncated body.
    """
    name = encoding.strip().lower()
    if name in {"", "identity", "none"}:
        yield from chunks
        return
    new = _decompressor(name)
    stream = new()
    seen = False
    for chunk in chunks:
        seen = seen or bool(chunk)
        data = chunk
        while data or not (stream.eof or stream.needs_input):
            if stream.eof:
                stream = new()
            try:
                raw = stream.decompress(data, PIECE)
            except Exception as error:  # each library has an exception type of its own
                raise EngineError(CANNOT_DECOMPRESS, f"The body is not {name}: {error}. (CANNOT_DECOMPRESS)") from error
            data = stream.unused_data if stream.eof else b""
            if raw:
                yield raw
    if seen and not stream.eof:
        raise EngineError(CANNOT_DECOMPRESS, f"The body ends within its {name} stream. (CANNOT_DECOMPRESS)")


class _Zlib:
    """A decompressor of zlib with the attributes that the others have."""

    def __init__(self, window: int) -> None:
        self._stream = zlib.decompressobj(window)
        self.needs_input = True

    def decompress(self, data: bytes, most: int) -> bytes:
        raw = self._stream.decompress(self._stream.unconsumed_tail + data, most)
        self.needs_input = len(raw) < most
        return raw

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data


class _Brotli:
    """A decompressor of brotli with the attributes that the others have. Its library takes a bound for a piece since version 1.2."""

    unused_data = b""

    def __init__(self) -> None:
        self._stream = _brotli().Decompressor()

    def decompress(self, data: bytes, most: int) -> bytes:
        return bytes(self._stream.process(data, output_buffer_limit=most))

    @property
    def needs_input(self) -> bool:
        return bool(self._stream.can_accept_more_data())

    @property
    def eof(self) -> bool:
        return bool(self._stream.is_finished())


def _decompressor(name: str) -> Callable[[], Any]:
    """Returns what creates a decompressor of one stream."""
    if name in {"gzip", "x-gzip"}:
        return lambda: _Zlib(GZIP_WINDOW)
    if name == "deflate":
        return lambda: _Zlib(zlib.MAX_WBITS)
    if name == "lz4":
        return lz4.frame.LZ4FrameDecompressor  # type: ignore[no-any-return]
    if name == "zstd":
        return _zstd().ZstdDecompressor  # type: ignore[no-any-return]
    if name == "br":
        return _Brotli
    raise EngineError(NOT_IMPLEMENTED, f"Content-Encoding {name} is not supported: use gzip, deflate, lz4, zstd or none. (NOT_IMPLEMENTED)")


def _zstd() -> Any:
    try:
        from backports import zstd  # noqa: PLC0415 - optional; a dependency of clickhouse-connect
    except ImportError:
        try:
            from compression import zstd  # type: ignore[import-not-found,no-redef]  # noqa: PLC0415 - in the standard library from Python 3.14
        except ImportError as error:
            raise EngineError(NOT_IMPLEMENTED, "zstd needs a package: pip install backports.zstd. (NOT_IMPLEMENTED)") from error
    return zstd


def _brotli() -> Any:
    try:
        import brotli  # type: ignore[import-not-found,import-untyped,unused-ignore]  # noqa: PLC0415 - optional, rarely used
    except ImportError as error:
        raise EngineError(NOT_IMPLEMENTED, "br needs a package: pip install 'brotli>=1.2'. (NOT_IMPLEMENTED)") from error
    if not hasattr(brotli.Decompressor, "can_accept_more_data"):  # a few bytes would be unpacked to any size at once
        raise EngineError(NOT_IMPLEMENTED, "br needs brotli 1.2 or newer: pip install 'brotli>=1.2'. (NOT_IMPLEMENTED)")
    return brotli


def gzip_stream() -> tuple[Callable[[bytes], bytes], Callable[[], bytes]]:
    """Returns a gzip writer as two functions: one compresses and flushes a piece, so that a reader sees the piece at once; one writes the end."""
    packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, GZIP_WINDOW)
    return lambda data: packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH), packer.flush
