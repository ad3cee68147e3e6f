"""Idempotency keys: the only code that builds or parses one.

A record that is repeated counts once; a call that is repeated was paid twice and counts twice. So an *automatic* key (made here for a wrapped call)
is one of a kind: its identity is its text together with the writer and the number of the call. A *claimed* key (given by a caller, or a provider's
object) says itself what is the same: its identity is its text alone, whatever tenant or operation comes with it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from secrets import token_hex
from typing import Final
from urllib.parse import quote, unquote

from tokentrail.vocabulary import KeyKind, Operation, OperationLike, parse_operation

__all__ = [
    "Key",
    "ParsedKey",
    "claimed_key",
    "content_hash",
    "digest",
    "idempotency_key",
    "key_prefix",
    "nanoseconds",
    "object_key",
    "parse_key",
    "random_key",
]

MAX_KEY_BYTES: Final = 1024
MAX_PART_CHARS: Final = 256
HASHED_WHOLE: Final = 256 * 1024
"""Texts longer than this many characters are hashed by head, tail and length: 10 MB whole would cost 8 ms on the call path."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
EARLIEST_NS: Final = 1_577_836_800 * 10**9  # 2020-01-01: nothing was counted before
LATEST_NS: Final = 2**63 - 1

_PLAIN = re.compile(r"[A-Za-z0-9_.@/+=~\-]{0,128}").fullmatch
_FOUR_PARTS = re.compile(r"([a-z_]+):([^:]*):([0-9a-f]{32}):([0-9]{19})").fullmatch


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it travels: `time` is the time in nanoseconds that the key itself states, 0 where it states none."""

    text: str
    kind: KeyKind
    time: int


@dataclass(frozen=True, slots=True)
class ParsedKey:
    """The parts of a four-part key; `timestamp` in UTC nanoseconds."""

    operation: Operation
    tenant_id: str
    content_hash: str
    timestamp: int


def digest(texts: Iterable[str], secret: bytes = b"") -> str:
    """BLAKE2b-128 of the texts as 32 lower-case hex digits, keyed by `secret` (up to 64 bytes). Where one text ends and the next begins matters."""
    state = hashlib.blake2b(digest_size=16, key=secret)
    for text in texts:
        if len(text) > HASHED_WHOLE:
            half = HASHED_WHOLE // 2
            data = (text[:half] + text[-half:]).encode("utf-8", "surrogatepass")
            state.update(b"cut %d %d:" % (len(text), len(data)) + data)
        else:
            data = text.encode("utf-8", "surrogatepass")
            state.update(b"%d:" % len(data) + data)
    return state.hexdigest()


def content_hash(*texts: str) -> str:
    """The public content hash: deterministic, so that two services agree. 32 lower-case hex digits.

    It is not keyed: whoever can guess a short text can confirm the guess. Automatic keys are keyed by a secret for that reason.
    Raises `TypeError` for anything but texts.
    """
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"content_hash is made of texts, not {type(text).__name__}")
    return digest(texts)


def writable(text: str) -> str:
    """The text itself, or one in which lone surrogates (which UTF-8 cannot hold) are told by the text's hash."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return f"{text[:MAX_PART_CHARS].encode('utf-8', 'replace').decode()}~{digest([text])}"
    return text


def bounded(text: str, limit: int = MAX_PART_CHARS) -> str:
    """The text itself, or, beyond `limit` characters or with lone surrogates, its head and its hash: long tenants stay different from each other."""
    if len(text) <= limit and text.isascii():
        return text
    if len(text) <= limit:
        text = writable(text)
    if len(text) <= limit:
        return text
    return f"{text[: limit - 33].encode('utf-8', 'replace').decode()}~{digest([text])}"


def escaped(text: str) -> str:
    """A part of a key: percent-encoded where a colon, a percent sign, a blank or a non-printable character would break the four parts.

    What is too long for that is marked: it ends in `~` and the hash of the whole.
    """
    if _PLAIN(text):
        return text
    text = bounded(text)
    escaped_text = "".join(char if char.isprintable() and char not in ":% " else quote(char, safe="") for char in text)
    if len(escaped_text.encode()) > MAX_KEY_BYTES // 2 - 64:
        return f"~{digest([text])}"
    return escaped_text


def key_prefix(operation: str, tenant_id: str) -> str:
    """`{operation}:{tenant_id}:`, to which an automatic key adds hash and time."""
    return f"{escaped(operation)}:{escaped(tenant_id)}:"


def nanoseconds(timestamp: datetime | int, name: str = "timestamp") -> int:
    """A time as UTC nanoseconds, exactly: from an aware `datetime`, or from nanoseconds.

    Raises `TypeError` for anything else, `ValueError` for a naive datetime, or a time before 2020 or after 2262.
    """
    if isinstance(timestamp, datetime):
        if timestamp.tzinfo is None:
            raise ValueError(f"{name} is a datetime without a time zone: give datetime.now(timezone.utc) or nanoseconds as an int")
        since = timestamp - EPOCH
        number = ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000
    elif isinstance(timestamp, int) and not isinstance(timestamp, bool):
        number = timestamp
    else:
        raise TypeError(f"{name} is an aware datetime or UTC nanoseconds as an int, not {type(timestamp).__name__}")
    if not EARLIEST_NS <= number <= LATEST_NS:
        raise ValueError(f"{name} {number} is not a time in UTC nanoseconds between 2020 and 2262")
    return number


def idempotency_key(operation: OperationLike, tenant_id: str, *texts: str, timestamp: datetime | int) -> str:
    """Build `{operation}:{tenant_id}:{content_hash}:{timestamp}`; two services that give the same arguments get the same key.

    `timestamp`: an aware `datetime`, or UTC nanoseconds as an int. Raises `ValueError` for an operation that is not in the vocabulary,
    a naive datetime, or a time before 2020 or after 2262, and `TypeError` for what is no time or no text.
    """
    if not isinstance(tenant_id, str):
        raise TypeError(f"tenant_id is a text, not {type(tenant_id).__name__}")
    return f"{key_prefix(parse_operation(operation).value, tenant_id)}{content_hash(*texts)}:{nanoseconds(timestamp):019d}"


def parse_key(text: str) -> ParsedKey | None:
    """The parts of a four-part key, or `None` for any other text.

    Strict, because many texts have four parts (`order:42:refund:7`): the operation must be in the vocabulary, the hash 32 lower-case hex digits,
    the timestamp 19 digits and a time between 2020 and 2262.
    """
    match = _FOUR_PARTS(text)
    if match is None:
        return None
    operation, tenant, content, timestamp = match.groups()
    number = int(timestamp)
    if not EARLIEST_NS <= number <= LATEST_NS:
        return None
    try:
        return ParsedKey(Operation(operation), unquote(tenant, errors="strict"), content, number)
    except ValueError:
        return None


def claimed_key(text: str) -> Key:
    """A caller's own key. Four-part texts state their time; all others are opaque.

    Beyond 1 KiB, or with lone surrogates, the text is replaced by its head and hash.
    """
    text = writable(text)
    if len(text.encode()) > MAX_KEY_BYTES:
        text = f"{text[:128]}~{digest([text])}"
    parsed = parse_key(text)
    if parsed is None:
        return Key(text, KeyKind.OPAQUE, 0)
    return Key(text, KeyKind.FOUR_PART, parsed.timestamp)


def object_key(provider: str, object_id: str, created: int) -> Key:
    """A provider's own object (batch, background response, fine-tuning job): provider and id; its time is the object's creation, in unix seconds.

    An object that states no creation gets an opaque key: the time must be the same in every copy, and only 0 then is.
    """
    text = f"{escaped(provider)}:{escaped(object_id)}"
    time = int(created) * 10**9
    if EARLIEST_NS <= time <= LATEST_NS:
        return Key(text, KeyKind.OBJECT, time)
    return Key(text, KeyKind.OPAQUE, 0)


def random_key(name: str) -> Key:
    """An opaque key that nobody else makes: `{name}:` and 32 random hex digits."""
    return Key(f"{name}:{token_hex(16)}", KeyKind.OPAQUE, 0)
