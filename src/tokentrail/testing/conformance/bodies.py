"""Changes recorded bodies: their JSON documents (plain, server-sent events, lines, AWS frames), or their bytes.

`BAD` has the answers that no provider should send, by name: each must leave the caller unharmed, and give one record that states what is known.
"""

from __future__ import annotations

import base64
import copy
import json
import zlib
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from tokentrail.testing.recording import Recording

__all__ = ["BAD", "TEXTS", "documents", "pieces_of_half", "pieces_with", "place_of_usual_piece"]

Change = Callable[[Any], Any]

TEXTS: Final = frozenset(
    {"content", "text", "output_text", "response", "thinking", "reasoning", "reasoning_content", "delta", "message", "inputText", "outputText"}
)
"""The names under which providers send a model's words."""
ODD: Final[tuple[Any, ...]] = ("12", "lorem", -1, 12.5, 2**63, 10**40, True, None, [], {}, [[None]], {"a": {"b": None}})
"""What may stand in the place of a count."""


def documents(recording: Recording) -> list[Any]:
    """Returns the JSON documents of a body, in order."""
    found: list[Any] = []

    def remember(document: Any) -> Any:
        found.append(copy.deepcopy(document))
        return document

    pieces_with(recording, remember)
    return found


def place_of_usual_piece(recording: Recording) -> int | None:
    """Returns the middle one of the pieces whose documents have the fields that most pieces have; None if no two pieces are alike."""
    forms = [_forms_of(piece, recording.shape) for piece in recording.chunks]
    usual = max(forms, key=forms.count, default=None)
    if usual is None or forms.count(usual) == 1:
        return None
    places = [place for place, form in enumerate(forms) if form == usual]
    return places[len(places) // 2]


def pieces_of_half(recording: Recording) -> int:
    """Returns after how many pieces half of those that hold a document have come: others are comments, and ends."""
    telling = [place for place, piece in enumerate(recording.chunks, 1) if _forms_of(piece, recording.shape)]
    return telling[len(telling) // 2] if telling else len(recording.chunks) // 2


def _forms_of(piece: bytes, shape: str) -> tuple[Any, ...]:
    found: list[Any] = []
    _piece_with(piece, shape, lambda document: found.append(_form_of(document)))
    return tuple(found)


def _form_of(value: Any) -> Any:
    """Returns the names and types in a value."""
    if isinstance(value, dict):
        return tuple((name, _form_of(each)) for name, each in value.items())
    return tuple(map(_form_of, value)) if isinstance(value, list) else type(value)


def pieces_with(recording: Recording, change: Change) -> list[bytes]:
    """Returns the body's pieces with every JSON document changed; what is no JSON stays."""
    return [_piece_with(piece, recording.shape, change) for piece in recording.chunks]


def _piece_with(piece: bytes, shape: str, change: Change) -> bytes:
    if shape == "sse":
        return b"".join(_line_with(line, change) for line in piece.splitlines(keepends=True))
    if shape == "eventstream":
        return _frame_with(piece, change)
    return _json_with(piece, change)


def _line_with(line: bytes, change: Change) -> bytes:
    name, colon, value = line.partition(b":")
    if name != b"data" or not colon:
        return line
    return b"data: " + _json_with(value.strip(), change) + line[len(line.rstrip(b"\r\n")) :]


def _json_with(text: bytes, change: Change) -> bytes:
    try:
        document = json.loads(text)
    except ValueError:
        return text
    return json.dumps(change(document)).encode() + (b"\n" if text.endswith(b"\n") else b"")


def _frame_with(frame: bytes, change: Change) -> bytes:
    """Changes the payload of an AWS frame, and in it the body of a chunk; lengths and checksums are written anew."""
    if len(frame) < 16 or int.from_bytes(frame[:4], "big") != len(frame):  # noqa: PLR2004 - the parts of a frame around its payload
        return frame
    end = 12 + int.from_bytes(frame[4:8], "big")
    head, payload = frame[12:end], _json_with(frame[end:-4], lambda document: _payload_with(document, change))
    prelude = (16 + len(head) + len(payload)).to_bytes(4, "big") + len(head).to_bytes(4, "big")
    written = prelude + zlib.crc32(prelude).to_bytes(4, "big") + head + payload
    return written + zlib.crc32(written).to_bytes(4, "big")


def _payload_with(document: Any, change: Change) -> Any:
    if isinstance(document, dict) and isinstance(document.get("bytes"), str):
        inner = _json_with(base64.b64decode(document["bytes"]), change)
        return document | {"bytes": base64.b64encode(inner).decode()}
    return change(document)


def _with_counts(document: Any, odd: Any, *, inside: bool = False) -> Any:
    """Puts a value in the place of each whole number whose name, or that of an object around it, speaks of tokens or counts."""
    if isinstance(document, dict):
        return {name: _with_counts(each, odd, inside=inside or any(word in name.lower() for word in _COUNTS)) for name, each in document.items()}
    if isinstance(document, list):
        return [_with_counts(each, odd, inside=inside) for each in document]
    return odd if inside and type(document) is int else document


_COUNTS: Final = ("token", "usage", "count", "units", "prompt", "completion")


def _with_usage(document: Any, value: Any) -> Any:
    """Puts a value in the place of each usage."""
    if isinstance(document, dict):
        return {
            name: value if "usage" in name.lower() or name in {"meta", "billed_units"} else _with_usage(each, value)
            for name, each in document.items()
        }
    return [_with_usage(each, value) for each in document] if isinstance(document, list) else document


def _with_strangers(document: Any) -> Any:
    if isinstance(document, dict):
        return {"tomorrows_field": {"tokens": [1, {"deep": None}]}} | {name: _with_strangers(each) for name, each in document.items()}
    return [_with_strangers(each) for each in document] if isinstance(document, list) else document


def _changed(change: Change) -> Callable[[Recording], list[bytes]]:
    return lambda recording: pieces_with(recording, change)


def _inside_a_character(recording: Recording) -> list[bytes]:
    """Puts a character of three bytes into every text, and ends the body in the middle of the last one."""
    marked = pieces_with(recording, lambda document: _with_texts(document, "€"))
    whole = b"".join(marked).replace(b"\\u20ac", "€".encode())
    if recording.shape == "eventstream":
        return [*marked[:-1], marked[-1][: len(marked[-1]) // 2]]
    place = whole.rfind("€".encode())
    return [whole[: place + 1] if place >= 0 else whole[: len(whole) // 2]]


def _with_texts(document: Any, text: str) -> Any:
    if isinstance(document, dict):
        return {name: text if isinstance(each, str) and name in TEXTS else _with_texts(each, text) for name, each in document.items()}
    return [_with_texts(each, text) for each in document] if isinstance(document, list) else document


def _ten_megabytes(recording: Recording) -> list[bytes]:
    """Makes the first text of the body a long one."""
    long = iter(("lorem " * 1_700_000,))

    def enlarged(document: Any) -> Any:
        if isinstance(document, dict):
            return {name: next(long, each) if isinstance(each, str) and name in TEXTS else enlarged(each) for name, each in document.items()}
        return [enlarged(each) for each in document] if isinstance(document, list) else document

    return pieces_with(recording, enlarged)


def _of_stream(pieces: Iterable[bytes]) -> Callable[[Recording], list[bytes]]:
    return lambda _recording: list(pieces)


BAD: Final[dict[str, Callable[[Recording], list[bytes]]]] = {
    **{f"counts are {odd!r}"[:40]: _changed(partial(_with_counts, odd=odd)) for odd in ODD},
    "no usage": _changed(lambda document: _with_usage(document, None)),
    "usage is a list": _changed(lambda document: _with_usage(document, [[None, {"usage": 1}]])),
    "usage is a text": _changed(lambda document: _with_usage(document, "lorem")),
    "fields of tomorrow": _changed(_with_strangers),
    "documents are lists": _changed(lambda document: [document]),
    "documents are null": _changed(lambda _document: None),
    "documents are empty": _changed(lambda _document: {}),
    "ten megabytes": _ten_megabytes,
    "a page": _of_stream([b"<!doctype html><html><body>502 Bad Gateway</body></html>"]),
    "nothing": _of_stream([b""]),
    "no JSON": _of_stream([b'{"id": "a", "usage": {']),
    "no text": _of_stream([b"\xff\xfe\x00\x80"]),
    "deep": _of_stream([b"[" * 5000 + b"]" * 5000]),
    "inside a character": _inside_a_character,
    "each piece twice": lambda recording: [piece for piece in recording.chunks for _ in range(2)],
    "backwards": lambda recording: recording.chunks[::-1],
    "last piece first": lambda recording: [*recording.chunks[-1:], *recording.chunks[:-1]],
    "last piece missing": lambda recording: recording.chunks[:-1],
}
"""Bad bodies, by name: each makes the pieces that are sent from a recording."""
