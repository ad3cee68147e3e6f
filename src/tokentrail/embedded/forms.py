"""Forms (`multipart/form-data`) in which clients send a statement and long parameters, as clickhouse-connect does.

Source: RFC 7578. A form is cut at its boundary and nothing in a field is parsed: the standard library's reader of messages takes seconds for a
megabyte of small parts, and a part that is a form again leads it into the next one, a thousand levels deep.
"""

from __future__ import annotations

from collections.abc import Iterable
from email.message import Message
from email.parser import HeaderParser
from typing import Final

from tokentrail.embedded.errors import NOT_IMPLEMENTED, EngineError

__all__ = ["fields_of", "is_form"]

MOST_BYTES: Final = 64 * 1024 * 1024
MOST_FIELDS: Final = 1000
MOST_HEAD: Final = 8 << 10
"""Bytes of the headers of a field, which hold its name."""
_BAD_REQUEST: Final = 36  # BAD_ARGUMENTS


def is_form(content_type: str) -> bool:
    """Whether a request's body is a form."""
    return content_type.lower().startswith("multipart/form-data")


def fields_of(content_type: str, body: Iterable[bytes]) -> dict[str, str]:
    """Returns the fields of a form. Raises `EngineError` for a file, which ClickHouse takes as an external table, and for what is no form."""
    boundary = _boundary(content_type)
    whole = bytearray(b"\r\n")  # the first boundary has a line end before it too
    for piece in body:
        whole += piece
        if len(whole) > MOST_BYTES:
            raise EngineError(_BAD_REQUEST, f"A form of more than {MOST_BYTES} bytes is not read by the embedded server. (BAD_ARGUMENTS)")
    _, *parts = whole.split(b"\r\n--" + boundary, MOST_FIELDS + 2) if boundary else [b""]
    if len(parts) > MOST_FIELDS + 1:
        raise EngineError(_BAD_REQUEST, f"A form of more than {MOST_FIELDS} fields is not read by the embedded server. (BAD_ARGUMENTS)")
    if not parts or not parts.pop().startswith(b"--"):
        raise EngineError(_BAD_REQUEST, "The body is no form, which its Content-Type says, or not a whole one. (BAD_ARGUMENTS)")
    return dict(map(_field, parts))


def _boundary(content_type: str) -> bytes:
    message = Message()
    message["Content-Type"] = content_type
    return (message.get_boundary() or "").encode("latin-1", "replace")


def _field(part: bytes | bytearray) -> tuple[str, str]:
    """Returns the name and the value of a field."""
    line_end, _, rest = part.partition(b"\r\n")
    head, end, value = (b"\r\n" + rest).partition(b"\r\n\r\n")
    if line_end.strip() or not end or len(head) > MOST_HEAD:
        raise EngineError(_BAD_REQUEST, "A part of the form has no whole head. (BAD_ARGUMENTS)")
    described = HeaderParser().parsestr(head[2:].decode("utf-8", "replace"))
    name = described.get_param("name", header="content-disposition")
    if not isinstance(name, str) or described.get_filename() is not None or not (name == "query" or name.startswith("param_")):
        raise EngineError(NOT_IMPLEMENTED, "External tables are not supported by the embedded server. (NOT_IMPLEMENTED)")
    return name, value.decode("utf-8", "surrogateescape")
