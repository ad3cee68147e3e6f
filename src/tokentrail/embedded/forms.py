"""Forms (`multipart/form-data`) in which clients send a statement and long parameters, as clickhouse-connect does."""

from __future__ import annotations

from collections.abc import Iterable
from email.parser import BytesParser
from email.policy import HTTP
from typing import Final

from tokentrail.embedded.errors import NOT_IMPLEMENTED, EngineError

__all__ = ["fields_of", "is_form"]

MOST_BYTES: Final = 64 * 1024 * 1024
_BAD_REQUEST: Final = 36  # BAD_ARGUMENTS


def is_form(content_type: str) -> bool:
    """Whether a request's body is a form."""
    return content_type.lower().startswith("multipart/form-data")


def fields_of(content_type: str, body: Iterable[bytes]) -> dict[str, str]:
    """Returns the fields of a form. Raises `EngineError` for a file, which ClickHouse takes as an external table, and for what is no form."""
    whole = bytearray()
    for piece in body:
        whole += piece
        if len(whole) > MOST_BYTES:
            raise EngineError(_BAD_REQUEST, f"A form of more than {MOST_BYTES} bytes is not read by the embedded server. (BAD_ARGUMENTS)")
    message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + content_type.encode("latin-1", "replace") + b"\r\n\r\n" + bytes(whole))
    if not message.is_multipart():
        raise EngineError(_BAD_REQUEST, "The body is no form, which its Content-Type says. (BAD_ARGUMENTS)")
    fields: dict[str, str] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        if not isinstance(name, str) or part.get_filename() is not None or not (name == "query" or name.startswith("param_")):
            raise EngineError(NOT_IMPLEMENTED, "External tables are not supported by the embedded server. (NOT_IMPLEMENTED)")
        payload = part.get_payload(decode=True)
        fields[name] = payload.decode("utf-8", "surrogateescape") if isinstance(payload, bytes) else ""
    return fields
