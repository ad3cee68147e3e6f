"""Tenant and operation id as W3C baggage: `tokentrail.tenant_id=acme,tokentrail.operation_id=…`, percent-encoded UTF-8.

Source: W3C Baggage, https://www.w3.org/TR/baggage/ (commas between members, a semicolon before a member's properties; at most 8192 bytes). Only these
two values leave a process by HTTP: the operation is the called service's own, and metadata may be personal.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, unquote

from tokentrail import semconv
from tokentrail.attribution import Attribution
from tokentrail.idempotency import shorten

__all__ = ["HEADER", "MAX_BYTES", "OPERATION_ID", "TENANT_ID", "merged", "read", "written"]

HEADER: Final = "baggage"
TENANT_ID: Final = semconv.BAGGAGE_TENANT_ID
OPERATION_ID: Final = semconv.BAGGAGE_OPERATION_ID
MAX_BYTES: Final = 8192
_OWN: Final = (TENANT_ID, OPERATION_ID)


def written(block: Attribution | None) -> str:
    """Returns the members of an attribution; "" without tenant and operation id."""
    if block is None:
        return ""
    values = ((TENANT_ID, block.tenant_id), (OPERATION_ID, block.operation_id))
    return ",".join(f"{name}={quote(value, safe='')}" for name, value in values if value)


def merged(header: str, members: str) -> str:
    """Returns a header's text with these members in place of tokentrail's members there.

    Members of others stay as they are. Where the whole text would be longer than the specification allows, tokentrail's members are left out.
    """
    others = [member for member in header.split(",") if member.strip() and _name(member) not in _OWN]
    text = ",".join([*others, members] if members else others)
    return text if len(text) <= MAX_BYTES else ",".join(others)


def read(header: str) -> tuple[str, str]:
    """Returns tenant and operation id of a header's text, "" where one is not stated. Of two members with one name the last counts.

    What is longer than the specification allows is not read.
    """
    found = dict.fromkeys(_OWN, "")
    if len(header) <= MAX_BYTES:
        for member in header.split(","):
            name = _name(member)
            if name in found:
                value = member.partition("=")[2].partition(";")[0].strip()
                found[name] = shorten(unquote(value))
    return found[TENANT_ID], found[OPERATION_ID]


def _name(member: str) -> str:
    return member.partition("=")[0].strip()
