"""Errors of ClickHouse, its drivers and the network, as one sentence for a user."""

from __future__ import annotations

import re
from typing import Final

from tokentrail.clickhouse.dsn import DEFAULT_DSN, Dsn

__all__ = ["NOT_ENOUGH_SPACE", "READONLY", "ClickHouseError", "broke_off", "failed", "unreachable"]

READONLY = 164  # the error code
NOT_ENOUGH_SPACE = 243  # the same

_THROWN = 395  # by a query itself, with a sentence
_UNKNOWN: Final = {16: "column", 47: "column", 60: "table", 81: "table"}
"""What ClickHouse does not know, by error code."""
_AUTHENTICATION = (193, 194, 516)
_UNRESOLVED = ("Name or service not known", "No address associated", "Temporary failure in name resolution", "nodename nor servname provided")
_SENTENCE = 400  # characters of an error that are shown
_CODE = re.compile(r"Code: (\d+)\. DB::Exception: (?:Code: \d+\. DB::Exception: )*")
_STATUS = re.compile(r"HTTP (?:driver received HTTP )?status (?:code )?(\d{3})")


class ClickHouseError(Exception):
    """A sentence for the user; `code` is ClickHouse's error code, None if ClickHouse did not answer."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


def failed(error: Exception, address: str) -> ClickHouseError:
    """Returns the error of a statement that failed at `address`: code, first line of the message, what to do if a table or a column is missing."""
    if isinstance(error, ClickHouseError):
        return error
    text = str(error)
    match = _CODE.search(text)
    if match is None:
        return ClickHouseError(f"ClickHouse at {address} did not answer: {_first_line(text)}")
    code = int(match.group(1))
    said = _first_line(text[match.end() :])
    if code == _THROWN:
        return ClickHouseError(said.partition(": while ")[0].partition(": In scope ")[0], code)
    if what := _UNKNOWN.get(code):
        said += f" If it is a {what} of tokentrail, run `tokentrail migrate --dsn {address}`."
    return ClickHouseError(f"ClickHouse refused the statement (code {code}): {said}", code)


def broke_off(text: str) -> ClickHouseError:
    """Returns the error of an answer that broke off; `text` is the last message of the server or the network."""
    match = _CODE.search(text)
    if match is None:
        return ClickHouseError(f"the answer broke off, what came of it is not whole: {_first_line(text)}")
    code = int(match.group(1))
    return ClickHouseError(f"the answer broke off (code {code}), what came of it is not whole: {_first_line(text[match.end() :])}", code)


def unreachable(dsn: Dsn, error: Exception) -> ClickHouseError:
    """Returns the error of a server that cannot be reached: the address without its password, the cause, and what to try."""
    if isinstance(error, ClickHouseError):
        return error
    text = str(error)
    match = _CODE.search(text)
    code = int(match.group(1)) if match else None
    if code in _AUTHENTICATION:
        return ClickHouseError(
            f"ClickHouse at {dsn.shown} does not know this user or password: give them as {dsn.scheme}://user:password@host:port/database", code
        )
    if dsn.port in (9000, 9440) or "is for clickhouse-client program" in text:
        return ClickHouseError(
            f"port {dsn.port} of {dsn.host} is not ClickHouse's HTTP interface (native clients use it): HTTP is port 8123, HTTPS 8443"
        )
    if match is not None:
        return ClickHouseError(f"ClickHouse at {dsn.shown} refused the connection (code {code}): {_first_line(text[match.end() :])}", code)
    reason = _reason(text)
    if any(known in text for known in _UNRESOLVED):
        return ClickHouseError(f"the host {dsn.host} of {dsn.shown} cannot be resolved ({reason}): is its name right, and is there a network?")
    if "SSL" in text or "WRONG_VERSION" in text:
        return ClickHouseError(f"no TLS connection to {dsn.shown}: {reason}; is it http:// there, or is the certificate unknown (?ca_cert=FILE)?")
    status = _STATUS.search(text)
    if status is not None:
        return ClickHouseError(
            f"what answers at {dsn.shown} refused with HTTP status {status.group(1)}: {_first_line(text[status.end() :].lstrip(', :'))}"
        )
    return ClickHouseError(f"no ClickHouse answers at {dsn.shown}: {reason}; is it running? `tokentrail serve` starts one on {DEFAULT_DSN}")


def _reason(text: str) -> str:
    """Returns the innermost cause of a failed connection, without the exceptions that wrap that cause."""
    if untrusted := re.search(r"certificate verify failed: (.+?)\.? \(_ssl", text):
        return f"certificate verify failed: {untrusted.group(1)}"
    for known in ("Connection refused", "timed out", *_UNRESOLVED, "Network is unreachable", "No route to host", "certificate verify failed"):
        if known in text:
            return known
    tls = re.search(r"\[SSL[^\]]*\] ([\w ]+)", text)
    return tls.group(1) if tls else _first_line(text)


def _first_line(text: str) -> str:
    line = text.strip().split("\n", 1)[0]
    line = re.sub(r" \(for url .*?\)$|\(version [0-9.]+.*\)$", "", line).strip()
    return line if len(line) <= _SENTENCE else line[:_SENTENCE] + "…"
