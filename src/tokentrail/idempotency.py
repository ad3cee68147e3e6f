"""Idempotency keys: the only module that builds or parses keys.

A repeated record counts once; a repeated call was billed twice and counts twice. So an *automatic* key (built for a call of a patched function) is
unique: its identity is its text together with the writer and the number of the call. The identity of a *claimed* key (given by a caller, or that of a
provider's object) is its text alone, for any tenant and operation: records with the same claimed key count once.
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
    "call_digest",
    "claimed_key",
    "content_hash",
    "digest",
    "fact_key",
    "fact_of",
    "idempotency_key",
    "job_of",
    "key_prefix",
    "nanoseconds",
    "object_key",
    "parse_key",
    "part_key",
    "random_key",
    "span_key",
]

MAX_KEY_BYTES: Final = 1024
MAX_PART_CHARS: Final = 256
MAX_HASHED_CHARS: Final = 256 * 1024
"""In automatic keys, texts with more characters are hashed by head, tail and length: hashing all of 10 MB would cost 8 ms on the call path."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
EARLIEST_NS: Final = 1_577_836_800 * 10**9  # 2020-01-01: no usage was counted before
LATEST_NS: Final = 2**63 - 1

_PLAIN = re.compile(r"[A-Za-z0-9_.@/+=~\-]{0,128}").fullmatch
_FOUR_PARTS = re.compile(r"([a-z_]+):([^:]*):([0-9a-f]{32}):([0-9]{19})").fullmatch


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a record: `time` is the time in nanoseconds that the key's text states, 0 where the text states none."""

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


def digest(texts: Iterable[str]) -> str:
    """Returns BLAKE2b-128 of the texts as 32 lower-case hex digits. The limits between texts are hashed too."""
    state = hashlib.blake2b(digest_size=16)
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        state.update(b"%d:" % len(data))
        state.update(data)
    return state.hexdigest()


def call_digest(texts: Iterable[str], secret: bytes) -> str:
    """Returns the hash of a call's texts for an automatic key: `digest`, keyed by `secret` (up to 64 bytes), and long texts not hashed whole.

    Calls whose long texts differ in the middle alone have equal hashes, and different keys all the same: writer and number tell them apart.
    """
    state = hashlib.blake2b(digest_size=16, key=secret)
    for text in texts:
        if len(text) > MAX_HASHED_CHARS:
            half = MAX_HASHED_CHARS // 2
            data = (text[:half] + text[-half:]).encode("utf-8", "surrogatepass")
            state.update(b"cut %d %d:" % (len(text), len(data)) + data)
        else:
            data = text.encode("utf-8", "surrogatepass")
            state.update(b"%d:" % len(data) + data)
    return state.hexdigest()


def content_hash(*texts: str) -> str:
    """Returns the public content hash, 32 lower-case hex digits; deterministic, so that two services get the same hash.

    The hash is not keyed: a guess of a short text can be confirmed by the hash. Automatic keys are keyed by a secret for that reason.
    Raises `TypeError` for values that are no texts.
    """
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"content_hash is made of texts, not {type(text).__name__}")
    return digest(texts)


def replace_surrogates(text: str) -> str:
    """Returns the text; a text with lone surrogates, which UTF-8 cannot encode, is replaced by its head and its hash."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return f"{text[:MAX_PART_CHARS].encode('utf-8', 'replace').decode()}~{digest([text])}"
    return text


def shorten(text: str, limit: int = MAX_PART_CHARS) -> str:
    """Returns the text; beyond `limit` characters or with lone surrogates, its head and its hash, so that long tenants stay different."""
    if len(text) <= limit and text.isascii():
        return text
    if len(text) <= limit:
        text = replace_surrogates(text)
    if len(text) <= limit:
        return text
    return f"{text[: limit - 33].encode('utf-8', 'replace').decode()}~{digest([text])}"


def escape(text: str) -> str:
    """Returns a part of a key, percent-encoded where a colon, a percent sign, a blank or a non-printable character would break the four parts.

    A part that is too long ends in `~` and the hash of the whole text.
    """
    if _PLAIN(text):
        return text
    text = shorten(text)
    escaped_text = "".join(char if char.isprintable() and char not in ":% " else quote(char, safe="") for char in text)
    if len(escaped_text.encode()) > MAX_KEY_BYTES // 2 - 64:
        return f"~{digest([text])}"
    return escaped_text


def key_prefix(operation: str, tenant_id: str) -> str:
    """Returns `{operation}:{tenant_id}:`, to which an automatic key adds hash and time."""
    return f"{escape(operation)}:{escape(tenant_id)}:"


def nanoseconds(timestamp: datetime | int, name: str = "timestamp") -> int:
    """Returns a time as UTC nanoseconds, exactly: from an aware `datetime`, or from nanoseconds.

    Raises `TypeError` for any other type, `ValueError` for a naive datetime, or a time before 2020 or after 2262.
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
    """Returns `{operation}:{tenant_id}:{content_hash}:{timestamp}`; two services get the same key for the same arguments.

    `timestamp`: an aware `datetime`, or UTC nanoseconds as an int. Raises `ValueError` for an operation that is not in the vocabulary,
    a naive datetime, or a time before 2020 or after 2262, and `TypeError` for a value that is no time or no text.
    """
    if not isinstance(tenant_id, str):
        raise TypeError(f"tenant_id is a text, not {type(tenant_id).__name__}")
    return f"{key_prefix(parse_operation(operation).value, tenant_id)}{content_hash(*texts)}:{nanoseconds(timestamp):019d}"


def parse_key(text: str) -> ParsedKey | None:
    """Returns the parts of a four-part key, or `None` for any other text.

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
    """Returns the key for a caller's text. Four-part texts state their time; all other texts are opaque.

    Beyond 1 KiB, or with lone surrogates, the text is replaced by its head and hash.
    """
    text = replace_surrogates(text)
    if len(text.encode()) > MAX_KEY_BYTES:
        text = f"{text[:128]}~{digest([text])}"
    parsed = parse_key(text)
    if parsed is None:
        return Key(text, KeyKind.OPAQUE, 0)
    return Key(text, KeyKind.FOUR_PART, parsed.timestamp)


def object_key(provider: str, object_id: str, created: int) -> Key:
    """Returns the key of a provider's object (batch, background response, fine-tuning job): provider and id; `created` is in unix seconds.

    An object without a creation time gets an opaque key: the key's time must be the same in every copy, so only 0 is possible.
    """
    text = f"{escape(provider)}:{escape(object_id)}"
    time = int(created) * 10**9
    if EARLIEST_NS <= time <= LATEST_NS:
        return Key(text, KeyKind.OBJECT, time)
    return Key(text, KeyKind.OPAQUE, 0)


def part_key(provider: str, object_id: str, part: str, created: int) -> Key:
    """Returns the key of a part of a provider's object (a result of a batch): the object's key, `#`, and the part's name.

    `created` is in unix seconds, and the same in every copy of the part: the part's own time, where the answer states one.
    """
    return _part(object_key(provider, object_id, created), escape(part).replace("#", "%23"))


def fact_key(provider: str, object_id: str, fact: str, created: int) -> Key:
    """Returns the key of a record that tells of a provider's object, and of no usage: `#` and the fact's name are no name of a part."""
    return _part(object_key(provider, object_id, created), f"#{fact}")


def _part(key: Key, name: str) -> Key:
    return Key(f"{key.text}#{name}", key.kind, key.time)


def job_of(text: str) -> str:
    """Returns the text of the object's key from the key of a part; "" for a key of no part."""
    return text.partition("#")[0] if "#" in text else ""


def fact_of(text: str) -> str:
    """Returns the name of the fact from the key of such a record; "" for any other key."""
    return text.partition("##")[2]


def span_key(trace_id: str, span_id: str) -> Key:
    """Returns the key of a bridged call: the identity of the span that states the call, in lower-case hex digits. ClickHouse builds the same key."""
    return Key(f"span:{trace_id}:{span_id}", KeyKind.OPAQUE, 0)


def random_key(name: str) -> Key:
    """Returns a unique opaque key: `{name}:` and 32 random hex digits."""
    return Key(f"{name}:{token_hex(16)}", KeyKind.OPAQUE, 0)
