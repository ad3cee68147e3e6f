"""Errors of the embedded server: ClickHouse's error codes, the HTTP status of each, and the error of a server that cannot start."""

from __future__ import annotations

import re
from typing import Final

__all__ = [
    "AUTHENTICATION_FAILED",
    "CANNOT_DECOMPRESS",
    "CANNOT_WRITE",
    "NOT_ENOUGH_SPACE",
    "NOT_IMPLEMENTED",
    "NO_DATA",
    "NO_OUTFILE",
    "READONLY",
    "SYNTAX_ERROR",
    "CannotStart",
    "ClientGone",
    "ClientSlow",
    "EngineError",
    "Unavailable",
]

# Codes as in ClickHouse's ErrorCodes.cpp.
SYNTAX_ERROR: Final = 62
NO_DATA: Final = 108
READONLY: Final = 164
NO_OUTFILE: Final = 196
NOT_IMPLEMENTED: Final = 48
CANNOT_DECOMPRESS: Final = 271
CANNOT_WRITE: Final = 75  # CANNOT_WRITE_TO_FILE_DESCRIPTOR
NOT_ENOUGH_SPACE: Final = 243
AUTHENTICATION_FAILED: Final = 516
UNKNOWN_EXCEPTION: Final = 1002
UNAVAILABLE: Final = 439  # CANNOT_SCHEDULE_TASK: the answer of a server that is starting or stopping

# A sender gives up on most statuses, but tries again on 503: every transient error must be 503, or records are lost.
TRANSIENT: Final = frozenset(
    {
        74,  # CANNOT_READ_FROM_FILE_DESCRIPTOR
        CANNOT_WRITE,
        76,  # CANNOT_OPEN_FILE
        202,  # TOO_MANY_SIMULTANEOUS_QUERIES
        209,  # SOCKET_TIMEOUT
        210,  # NETWORK_ERROR
        236,  # ABORTED: the engine is shutting down
        241,  # MEMORY_LIMIT_EXCEEDED
        242,  # TABLE_IS_READ_ONLY
        NOT_ENOUGH_SPACE,
        252,  # TOO_MANY_PARTS
        319,  # UNKNOWN_STATUS_OF_INSERT
        394,  # QUERY_WAS_CANCELLED: by a stopping server
        UNAVAILABLE,
        473,  # DEADLOCK_AVOIDED
    }
)
BAD_REQUEST: Final = frozenset({6, 27, 26, 38, 41, 43, 53, 62, 69, 70, 72, 108, 117, 130, 131, 271, 432, 467})
NOT_FOUND: Final = frozenset({16, 46, 47, 50, 60, 73, 79, 81, 115})
FORBIDDEN: Final = frozenset({READONLY, 497, AUTHENTICATION_FAILED})

CODE = re.compile(r"Code: (\d+)\. ")


class CannotStart(Exception):  # noqa: N818 - `raise CannotStart` reads as a sentence
    """The server cannot start; the message is one sentence for the person who started it."""


class ClientGone(Exception):  # noqa: N818 - a state of the client, not an error
    """The client closed the connection: no answer can be sent."""


class ClientSlow(ClientGone):
    """The client's body did not go on arriving."""


class EngineError(Exception):
    """An error of the engine, or an error of the front in the engine's form.

    `code` is ClickHouse's, `message` its text ("Code: 60. DB::Exception: ..."), `status` the HTTP status.
    """

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        self.message = message if message.startswith("Code: ") else f"Code: {code}. DB::Exception: {message}"
        super().__init__(self.message)

    @classmethod
    def of(cls, error: BaseException) -> EngineError:
        """Parses the code from an exception of chDB, whose errors are texts, sometimes with a prefix."""
        if isinstance(error, EngineError):
            return error
        text = str(error)
        found = CODE.search(text)
        if found is None:
            return cls(UNKNOWN_EXCEPTION, text or type(error).__name__)
        return cls(int(found.group(1)), text[found.start() :].rstrip("\n"))

    @property
    def transient(self) -> bool:
        """Whether the same request may succeed later, unchanged."""
        return self.code in TRANSIENT

    @property
    def status(self) -> int:
        """The HTTP status: 503 for a transient error, else the status of ClickHouse's server for this kind of error."""
        if self.transient:
            return 503
        if self.code in BAD_REQUEST:
            return 400
        if self.code in NOT_FOUND:
            return 404
        if self.code in FORBIDDEN:
            return 403
        return 501 if self.code == NOT_IMPLEMENTED else 500


class Unavailable(EngineError):  # noqa: N818 - a state of the server, not an error
    """The server is starting or stopping: try again."""

    def __init__(self, message: str) -> None:
        super().__init__(UNAVAILABLE, message)
