"""Google's batches: JSON of the batch itself, and downloads of files with results (`download_file(path, destination=…)`, `async_download_file`)."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tokentrail.instrumentation.contract import Endpoint, Exchange
from tokentrail.instrumentation.jobs import JobReader, job_exchange

__all__ = ["open_download", "open_job"]


def open_job(endpoint: Endpoint, server: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange:
    """Returns the exchange of a request that may tell of a batch."""
    exchange = job_exchange(endpoint, server, args, kwargs)
    exchange.deliver = partial(_deliver, JobReader(endpoint, "", exchange.request))
    return exchange


def open_download(
    endpoint: Endpoint, server_at: Callable[[Any, Any], Any], client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Exchange | None:
    """Returns the exchange of a download; what the SDK writes to a stream of the caller's is read on its way."""
    path = str(args[0] if args else kwargs["path"]).partition("?")[0]
    file, _, verb = path.rpartition("/")[2].partition(":")
    if verb != "download":
        return None
    exchange = job_exchange(endpoint, server_at(client, kwargs), args, kwargs)
    reader = JobReader(endpoint, file, exchange.request)
    destination = kwargs.get("destination")
    if hasattr(destination, "write"):
        exchange.kwargs = {**kwargs, "destination": _Copy(destination, reader)}
    exchange.deliver = partial(_deliver_file, reader, destination)
    return exchange


def _deliver(reader: JobReader, _exchange: Exchange, result: Any) -> Any:
    reader.read_whole(getattr(result, "body", result))  # text, or a dictionary before 1.21
    return result


def _deliver_file(reader: JobReader, destination: Any, _exchange: Exchange, result: Any) -> Any:
    if isinstance(destination, (str, os.PathLike)):
        with Path(destination).open("rb") as file:
            while (part := file.read(1 << 20)) and reader.reads:
                reader.absorb(part)
    elif destination is None:
        reader.read_whole(result)
    reader.reading(exhausted=True)
    return result


class _Copy:
    """A stream that passes on what is written, and lets a reader see it."""

    def __init__(self, stream: Any, reader: JobReader) -> None:
        self._stream = stream
        self._reader = reader

    def write(self, part: Any) -> Any:
        """Writes; the result is the stream's."""
        written = self._stream.write(part)
        self._reader.absorb_guarded(part)
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
