"""Turns a recorded exchange into a reduced one: its structure and numbers stay, every text becomes filler of the same length.

White list: a string is kept only where `STRUCTURAL` knows its key *and* the value looks as such a key's values look (an id, an enum word, a model
name, a time). Everything else is filler. Names that a user wrote (tools, parameters, variables) become other names, the same one wherever they
stand in the exchange, so that a call still fits the tool it calls.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from array import array
from collections import defaultdict
from typing import Any

from aws_frames import frame_of, frames_in

RING = "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et dolore magna aliqua "
NAME_RING = RING.replace(" ", "")

WORD = re.compile(r"[A-Za-z][A-Za-z0-9_./-]{0,79}")
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")
MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@-]{0,79}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)")
SPAN = re.compile(r"-?\d+(\.\d+)?(ns|us|ms|s|m|h)?")
PARAM = re.compile(r"[a-z_]+(\[\d+\]|\.[a-z_]+)*")

_ENUM_KEYS = (
    "type object role status finish_reason native_finish_reason done_reason stop_reason service_tier mode effort "
    "reasoning_effort verbosity truncation inference_geo "
    "reasoning_format encoding_format tool_choice phase channel payer execution syntax detail search_context_size prompt_cache_retention "
    "generate_summary voice quality size output_format modalities include function_call format reason background "
    "finishReason blockReason modality trafficType serviceTier mimeType "
    "event_type response_type input_type embedding_types truncate classification_type error_type thinking_level "
    "stopReason completionReason embeddingType action"
)
_ID_KEYS = (
    "id call_id item_id tool_call_id tool_use_id response_id previous_response_id container_id file_id assistant_id request_id "
    "system_fingerprint batch_id responseId toolUseId generation_id interaction_id"
)
STRUCTURAL: dict[str, re.Pattern[str]] = (
    dict.fromkeys(_ENUM_KEYS.split(), WORD)
    | dict.fromkeys(_ID_KEYS.split(), ID)
    | {
        "model": MODEL,
        "modelVersion": MODEL,
        "createTime": TIME,
        "created_at": TIME,
        "expires_at": TIME,
        "keep_alive": SPAN,
        "ttl": SPAN,
        "param": PARAM,
    }
)
"""Key of a string that is kept, and how its values look."""
STRUCTURAL_UNDER: dict[tuple[str, str], re.Pattern[str]] = {
    ("error", "code"): WORD,  # elsewhere `code` is a program
    ("api_version", "version"): re.compile(r"\d"),
    ("reasoning", "summary"): WORD,  # elsewhere it is text
    ("reasoning", "context"): WORD,
    ("error", "message"): re.compile(r"(?!)"),  # never: messages name organisations
}
"""The same for keys that mean this only under a certain parent."""

USER_MAPS = {
    "properties",
    "patternProperties",
    "$defs",
    "definitions",
    "variables",
    "metadata",
    "top_logprobs",
    "logit_bias",
    "inputAssessment",
    "outputAssessments",
}
"""Their keys are the user's (or the text's own tokens), not the API's."""
GUARDRAIL_MAPS = {("guardrail", "input"), ("guardrail", "outputs")}
"""Their keys are ids of a customer's guardrails."""
NAME_KEYS = {"name", "required", "namespace", "paths", "enum", "filename", "user", "safety_identifier", "prompt_cache_key"}
BASE64_KEYS = {"data", "encrypted_content", "b64_json", "partial_image_b64", "result", "file_data", "thoughtSignature", "redactedContent"}
CONTENT_KEYS = {"arguments", "args", "const", "default", "examples"}
"""Below these everything is content, whatever it is called."""
VECTOR_KEYS = {"embedding", "values", "embeddings", "context", "bytes", "input", "prompt", "tokens", "float", "int8", "uint8", "binary", "ubinary"}
"""Lists of numbers under these are text in another form (vectors, token ids, UTF-8)."""
DELTA_PATHS = {("choices", "text"), ("message", "content"), ("message", "thinking"), ("response",), ("thinking",)}
"""Paths of a stream's chunks that carry a piece of a longer text; anything under a `delta` does too."""
_CHANNEL_KEYS = ("type", "index", "item_id", "output_index", "content_index", "summary_index")
_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"(\s*:)?|-?\d[\d.eE+-]*')
_COHERES_CALL = re.compile(r"(?!call_|toolu_)([a-z]\w*)(_[a-z0-9]{12}(?::\d+)?)")
"""Cohere makes the id of a tool's call of the tool's name."""
_DATA_URL = re.compile(r"(data:[\w.+/-]+;base64,)(.*)", re.DOTALL)


def turned(ring: str, length: int, offset: int = 0) -> str:
    """`length` characters of the endless repetition of `ring`, from `offset` on."""
    offset %= len(ring)
    return (ring * ((offset + length) // len(ring) + 1))[offset : offset + length]


def base64_filler(text: str) -> str:
    """Valid base64 of the same length, with the same padding."""
    padding = len(text) - len(text.rstrip("="))
    length = len(text) - padding
    return base64.b64encode(turned(RING, length * 3 // 4).encode()).decode()[:length].ljust(length, "A") + "=" * padding


def float_filler(position: int) -> float:
    """A small number in place of a vector's component."""
    return round(((position * 37) % 199 - 99) / 1000, 3)


class Reduction:
    """Reduces the parts of one exchange, with one table of names for all of them."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self._pieces: defaultdict[tuple[object, ...], list[str]] = defaultdict(list)
        self._filler: dict[tuple[object, ...], str] = {}
        self._collecting = False

    def name(self, given: str) -> str:
        """The name that stands for `given`: same length, different from the other names' where letters allow it."""
        if given not in self.names:
            start = zlib.crc32(given.encode())
            taken = set(self.names.values())
            candidates = (turned(NAME_RING, len(given), start + turn) for turn in range(len(NAME_RING)))
            self.names[given] = next((name for name in candidates if name not in taken), turned(NAME_RING, len(given)))
        return self.names[given]

    def text(self, given: str) -> str:
        """Filler of the same length; a JSON object or list stays one (tool arguments and structured outputs are parsed by SDKs)."""
        if given.lstrip()[:1] in {"{", "["}:
            try:
                json.loads(given)
            except ValueError:
                pass
            else:
                return _JSON_TOKEN.sub(self._json_token, given)
        return turned(RING, len(given))

    def _json_token(self, match: re.Match[str]) -> str:
        token, colon = match.group(0), match.group(1) or ""
        if token[0] != '"':
            return re.sub(r"\d", "1", token)
        inner = token[1 : len(token) - len(colon) - 1]
        return f'"{self.name(inner) if colon else turned(RING, len(inner))}"{colon}'

    def content(self, value: Any) -> Any:
        """A value in which nothing is structural: keys, strings and digits are all replaced."""
        return json.loads(self.text(json.dumps(value, ensure_ascii=False))) if isinstance(value, (dict, list)) else self.scalar(value)

    def scalar(self, value: Any) -> Any:
        """A string or number of a user."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bool) or value is None:
            return value
        return type(value)(re.sub(r"\d", "1", repr(value)))

    def value(self, value: Any, path: tuple[str, ...] = (), channel: tuple[object, ...] = ()) -> Any:
        """Reduce parsed JSON; `path` are the keys above it, `channel` tells which text of a stream a piece belongs to."""
        key = path[-1] if path else ""
        if key in CONTENT_KEYS and not isinstance(value, str):
            return self.content(value)
        if isinstance(value, dict):
            return self._object(value, path, channel)
        if isinstance(value, list):
            if key in VECTOR_KEYS and value and all(isinstance(item, (int, float)) for item in value):
                return [float_filler(at) if isinstance(item, float) else turned(RING, at + 1).encode()[at] for at, item in enumerate(value)]
            return [self.value(item, path, channel) for item in value]
        return self._string(value, path, channel) if isinstance(value, str) else value

    def _object(self, value: dict[str, Any], path: tuple[str, ...], channel: tuple[object, ...]) -> dict[str, Any]:
        is_event = path == ("metadata",) and "usage" in value  # Bedrock's last one
        if path and (path[-1] in USER_MAPS or path[-2:] in GUARDRAIL_MAPS) and not is_event:
            return {self.name(key): self.value(item, (*path, "*"), channel) for key, item in value.items()}
        here = (*channel, *(value.get(key) for key in (("index",) if path else _CHANNEL_KEYS)))
        is_tool_use = str(value.get("type", "")).endswith("tool_use") or path[-1:] == ("toolUse",)  # Anthropic's, Bedrock's: an object
        return {key: self.content(item) if is_tool_use and key == "input" else self.value(item, (*path, key), here) for key, item in value.items()}

    def _string(self, value: str, path: tuple[str, ...], channel: tuple[object, ...]) -> str:
        key = path[-1] if path else ""
        if key in {"id", "tool_call_id"} and (call := _COHERES_CALL.fullmatch(value)):
            return self.name(call.group(1)) + call.group(2)
        if is_structural(value, path):
            return value
        if key in NAME_KEYS:
            return self.name(value)
        if key == "$ref":
            return "/".join(part if part in {"#", *USER_MAPS} else self.name(part) for part in value.split("/"))
        if data_url := _DATA_URL.fullmatch(value):
            return data_url.group(1) + base64_filler(data_url.group(2))
        if key == "embedding":
            return vector_filler(value)
        if key in BASE64_KEYS:
            return base64_filler(value)
        if "delta" in path or path in DELTA_PATHS:
            return self._piece(value, (path, channel))
        return self.text(value)

    def _piece(self, value: str, channel: tuple[object, ...]) -> str:
        if self._collecting:
            self._pieces[channel].append(value)
            return value
        if channel not in self._filler:
            return self.text(value)
        piece, self._filler[channel] = self._filler[channel][: len(value)], self._filler[channel][len(value) :]
        return piece

    def stream(self, events: list[Any]) -> list[Any]:
        """Reduce a stream's parsed chunks: the pieces of one text become the pieces of its filler, so that they still add up to the final text."""
        self._collecting = True
        for event in events:
            self.value(event)
        self._collecting = False
        self._filler = {channel: self.text("".join(pieces)) for channel, pieces in self._pieces.items()}
        return [self.value(event) for event in events]


def is_structural(value: str, path: tuple[str, ...]) -> bool:
    """Whether a string stays as it is: its key is known, and it looks as that key's values look."""
    key, parent = path[-1] if path else "", path[-2] if len(path) > 1 else ""
    pattern = STRUCTURAL_UNDER.get((parent, key)) or STRUCTURAL.get(key)
    return value == "" or (pattern is not None and pattern.fullmatch(value) is not None)


def vector_filler(text: str) -> str:
    """A base64 embedding (little-endian float32) of as many components."""
    try:
        size = len(base64.b64decode(text, validate=True))
    except binascii.Error:
        return base64_filler(text)
    return base64.b64encode(array("f", [float_filler(at) for at in range(size // 4)]).tobytes()).decode() if size % 4 == 0 else base64_filler(text)


def _written(value: Any, like: str) -> str:
    """JSON in the spacing of `like`."""
    if "\n" in like.strip():
        return json.dumps(value, ensure_ascii=False, indent=2) + like[len(like.rstrip()) :]
    separators = (", ", ": ") if '": ' in like else (",", ":")
    return json.dumps(value, ensure_ascii=False, separators=separators) + like[len(like.rstrip()) :]


def reduce_body(body: str, shape: str, reduction: Reduction) -> str:
    """Reduce an answer's body: `json`, `sse`, `ndjson` with the lines and the blank lines between events where they were, or `eventstream`."""
    if shape == "eventstream":
        return _reduce_frames(body, reduction)
    if shape not in {"sse", "ndjson"}:
        try:
            return _written(reduction.value(json.loads(body)), body)
        except ValueError:
            return turned(RING, len(body))
    lines = body.splitlines(keepends=True)
    prefix = re.compile(r"data: ?") if shape == "sse" else re.compile("")
    parsed: dict[int, tuple[str, str, Any]] = {}
    for number, line in enumerate(lines):
        head = prefix.match(line)
        if head is None or not line[head.end() :].lstrip().startswith("{"):
            lines[number] = _line_without_json(line)
            continue
        parsed[number] = (head.group(0), line[head.end() :], json.loads(line[head.end() :]))
    for (number, (start, raw, _)), reduced in zip(parsed.items(), reduction.stream([value for _, _, value in parsed.values()]), strict=True):
        lines[number] = start + _written(reduced, raw)
    return "".join(lines)


def _reduce_frames(body: str, reduction: Reduction) -> str:
    """Reduce AWS frames, whose payloads are JSON, or JSON with a chunk's JSON in base64."""
    frames = [(headers, json.loads(payload)) for headers, payload in frames_in(body)]
    chunks = [base64.b64decode(payload["bytes"]).decode() if "bytes" in payload else "" for _, payload in frames]
    reduced = reduction.stream([json.loads(chunk) if chunk else payload for chunk, (_, payload) in zip(chunks, frames, strict=True)])
    parts = []
    for (headers, payload), chunk, less in zip(frames, chunks, reduced, strict=True):
        if chunk:
            payload["bytes"] = base64.b64encode(_written(less, chunk).encode()).decode()
            payload["p"] = turned(RING, len(payload["p"]))
        parts.append(frame_of(headers, _written(payload if chunk else less, "{}").encode()))
    return base64.b64encode(b"".join(parts)).decode()


def _line_without_json(line: str) -> str:
    text = line.rstrip("\r\n")
    if text in {"", "data: [DONE]", "data:[DONE]", ": OPENROUTER PROCESSING"} or re.fullmatch(r"event: ?[a-z_.-]+|retry: ?\d+|id: ?[\w-]+", text):
        return line
    return turned(RING, len(text)) + line[len(text) :] if not text.startswith(":") else ":" + turned(RING, len(text) - 1) + line[len(text) :]
