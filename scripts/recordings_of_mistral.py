"""Mistral's exchanges that the corpus has no example of, written after its API reference (docs.mistral.ai/api) and guides. Texts are filler."""

from __future__ import annotations

import json
from typing import Any

from recording_filler import RING, turned
from recordings_made_by_hand import _exchange

__all__ = ["mistral_by_hand"]

_API = {"documented_at": "Mistral, API reference"}
_AGENTS = {"documented_at": "Mistral, Agents: connectors, web search; API reference, conversations"}
_AUDIO = {"documented_at": "Mistral, Audio and transcription; API reference, audio"}
_ASK = [{"role": "user", "content": turned(RING, 40)}]
_TIME = "2026-01-15T10:00:00.000000Z"
_HEAD = {"id": "cmpl-byhand0001", "created": 1768471200}
_FIM = {"model": "codestral-2508", "prompt": turned(RING, 30), "suffix": turned(RING, 20)}
_AGENT = {"agent_id": "ag_byhand0001", "messages": _ASK}


def _usage(read: int, written: int, beside: int = 0, **more: Any) -> dict[str, Any]:
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written + beside} | more


def _whole(model: str, content: Any, usage: dict[str, Any], **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, "tool_calls": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop"} | more
    return _HEAD | {"object": "chat.completion", "model": model, "choices": [choice], "usage": usage}


def _chunks(model: str, usage: dict[str, Any] | None, *contents: Any) -> list[dict[str, Any]]:
    """The chunks of a stream; without a usage, of one that breaks off."""
    head = _HEAD | {"object": "chat.completion.chunk", "model": model}

    def chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        return head | {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    sent = [chunk({"role": "assistant", "content": ""}), *(chunk({"content": content}) for content in contents)]
    return sent if usage is None else [*sent, chunk({"content": ""}, "stop") | {"usage": usage}]


def _words(count: int = 3) -> list[str]:
    return [turned(RING, 6, at * 6) for at in range(count)]


def _chats() -> list[dict[str, Any]]:
    fim, agents, chat = (("mistral", name, path) for name, path in (("fim", "/v1/fim/completions"), ("agents", "/v1/agents/completions"), _CHAT))
    done = "data: [DONE]\n\n"
    voxtral = {"model": "voxtral-small-2507", "messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": "bG9yZW0gaXBzdW0g"}]}]}
    heard = _usage(7, 21, 375, prompt_audio_seconds=12, prompt_tokens_details={"cached_tokens": 0, "audio_tokens": 375})
    magistral = {"model": "magistral-medium-2509", "messages": _ASK, "stream": True}
    thoughts = [[{"type": "thinking", "thinking": [{"type": "text", "text": word}]}] for word in _words()]
    large = {"model": "mistral-large-2512", "messages": _ASK}
    failed = {"object": "error", "message": turned(RING, 60), "type": "internal_server_error", "param": None, "code": "3000"}
    called = [{"id": "byhand001", "type": "function", "function": {"name": "loremipsum", "arguments": {"dolor": "sit amet"}}, "index": 0}]
    call = {"message": {"role": "assistant", "content": "", "tool_calls": called}, "finish_reason": "tool_calls"}
    usages = [_usage(17, 8), _usage(17, 9), _usage(31, 12), _usage(31, 13), _usage(28, 19)]
    made = [
        _exchange("plain", fim, _FIM, _whole("codestral-2508", turned(RING, 30), usages[0]), counts=(17, 8), usage=usages[0], **_API),
        _exchange(
            "stream",
            fim,
            _FIM | {"stream": True},
            [*_chunks("codestral-2508", usages[1], *_words()), done],
            counts=(17, 9),
            usage=usages[1],
            **_API,
        ),
        _exchange(
            "tool-call",
            agents,
            _AGENT,
            _whole("mistral-medium-2508", "", usages[2], **call),
            counts=(31, 12),
            usage=usages[2],
            model="mistral-medium-2508",
            tool_call=True,
            **_API,
        ),
        _exchange(
            "stream",
            agents,
            _AGENT | {"stream": True},
            [*_chunks("mistral-medium-2508", usages[3], *_words()), done],
            counts=(31, 13),
            usage=usages[3],
            model="mistral-medium-2508",
            **_API,
        ),
        _exchange(
            "thinking",
            chat,
            magistral,
            [*_chunks(magistral["model"], usages[4], *thoughts, *_words()), done],
            counts=(28, 19),
            usage=usages[4],
            **_API,
        ),
        _exchange("audio", chat, voxtral, _whole(voxtral["model"], turned(RING, 80), heard), counts=(7, 21), usage=heard, **_AUDIO),
        _exchange("cut", chat, large | {"stream": True}, _chunks(large["model"], None, *_words()), ended=False, incomplete=True, **_API),
        _exchange(
            "error-in-stream", chat, large | {"stream": True}, [*_chunks(large["model"], None, *_words()), failed], ended=False, failed=True, **_API
        ),
        *(
            _exchange(f"{status}-{name}", chat, large, body, status=status, **_API)
            for status, name, body in (
                (401, "unauthorized", {"detail": "Unauthorized"}),
                (422, "invalid", {"detail": [{"type": "missing", "loc": ["body", "model"], "msg": turned(RING, 20), "input": {}}]}),
                (429, "rate-limit", failed | {"type": "rate_limited", "code": "1300"}),
            )
        ),
    ]
    made[5]["expected"]["cached_input_tokens"] = 0
    made[5]["expected_totals"] |= {"input_total": 382, "provider_total": 403, "rule": "in+audio+out"}
    return made


_CHAT = ("chat", "/v1/chat/completions")


def _entry(kind: str, **more: Any) -> dict[str, Any]:
    return {"object": "entry", "type": kind, "created_at": _TIME, "completed_at": _TIME} | more


def _conversations() -> list[dict[str, Any]]:
    model, conversation = "mistral-medium-2508", {"conversation_id": "conv_byhand0001"}
    usage = _usage(188, 55, 7112, connector_tokens=7112, connectors={"web_search": 1})
    content = [{"type": "text", "text": turned(RING, 60)}, {"type": "tool_reference", "tool": "web_search", "title": turned(RING, 12)}]
    searched = {
        "object": "conversation.response",
        "outputs": [
            _entry("tool.execution", id="tool_exec_byhand0001", name="web_search", arguments="{}"),
            _entry("message.output", id="msg_byhand0001", agent_id=None, model=model, role="assistant", content=content),
        ],
        "usage": usage,
    } | conversation
    ask = {"model": model, "inputs": turned(RING, 40), "instructions": turned(RING, 30), "tools": [{"type": "web_search"}], "stream": False}
    plain = _usage(91, 29, connector_tokens=None, connectors=None)
    call = _entry("function.call", id="fc_byhand0001", tool_call_id="byhand002", name="loremipsum", arguments='{"dolor":"sit amet"}')
    called = {"object": "conversation.response", "outputs": [call], "usage": plain} | conversation
    started = {"type": "conversation.response.started", "created_at": _TIME} | conversation
    said = [
        {"type": "message.output.delta", "created_at": _TIME, "output_index": 0, "id": "msg_byhand0002", "content_index": 0, "model": model}
        | {"agent_id": None, "role": "assistant", "content": word}
        for word in [*_words(), {"type": "text", "text": turned(RING, 6)}]
    ]
    done = {"type": "conversation.response.done", "created_at": _TIME, "usage": usage}
    failed = {"type": "conversation.response.error", "created_at": _TIME, "message": turned(RING, 40), "code": 3000}
    entries = [{"type": "function.result", "tool_call_id": "byhand002", "result": turned(RING, 24), "object": "entry"}]
    append = {"inputs": entries, "stream": False, "store": True, "handoff_execution": "server"}
    start, go_on = (("mistral", "conversations", path) for path in ("/v1/conversations", "/v1/conversations/conv_byhand0001"))
    again = ("mistral", "conversations", "/v1/conversations/conv_byhand0001/restart")
    made = [
        _exchange("web-search", start, ask, searched, counts=(188, 55), usage=usage, **_AGENTS),
        _exchange("stream", start, ask | {"stream": True}, _named([started, *said, done]), counts=(188, 55), usage=usage, **_AGENTS),
        _exchange("function-call", go_on, append, called, counts=(91, 29), usage=plain, tool_call=True, **_AGENTS),
        _exchange("cut", go_on, append | {"stream": True}, _named([started, *said]), ended=False, incomplete=True, **_AGENTS),
        _exchange(
            "error-in-stream",
            again,
            append | {"stream": True, "from_entry_id": "msg_byhand0001"},
            _named([started, *said[:1], failed]),
            ended=False,
            incomplete=True,
            **_AGENTS,
        ),
    ]
    for exchange in made[:2]:
        exchange["expected_totals"] |= {"input_total": 7300, "provider_total": 7355, "rule": "in+connectors+out"}
    return made


def _named(events: list[dict[str, Any]]) -> list[str]:
    """Events that say their type in a line of their own, without a last `[DONE]`."""
    return [f"event: {event['type']}\ndata: {json.dumps(event, separators=(',', ':'))}\n\n" for event in events]


def _audio() -> list[dict[str, Any]]:
    transcribe, speak = (("mistral", "audio", f"/v1/audio/{name}") for name in ("transcriptions", "speech"))
    usage = _usage(4, 635, 2625, prompt_audio_seconds=203)
    cached = _usage(5, 24, 375, prompt_audio_seconds=5, prompt_tokens_details={"cached_tokens": 368})
    ask = {"model": "voxtral-mini-2507", "file_url": turned(RING, 30)}
    told = {"model": "voxtral-mini-2507", "text": turned(RING, 90), "language": None, "segments": []}
    deltas = [{"type": "transcription.text.delta", "text": word} for word in _words()]
    spoken = _usage(12, 0)
    sounds = [{"type": "speech.audio.delta", "audio_data": "bG9yZW0gaXBzdW0g"}, {"type": "speech.audio.done", "usage": spoken}]
    say = {"model": "voxtral-mini-tts-2603", "input": turned(RING, 40), "stream": True}
    made = [
        _exchange("plain", transcribe, ask, told | {"usage": usage}, counts=(4, 635), usage=usage, **_AUDIO),
        _exchange(
            "stream",
            transcribe,
            ask | {"stream": True},
            _named([*deltas, {"type": "transcription.done", "usage": cached} | told]),
            counts=(5, 24),
            usage=cached,
            **_AUDIO,
        ),
        _exchange("cut", transcribe, ask | {"stream": True}, _named(deltas), ended=False, incomplete=True, **_AUDIO),
        _exchange("speech", speak, say, _named(sounds), counts=(12, 0), usage=spoken, **_AUDIO),
    ]
    made[0]["expected_totals"] |= {"input_total": 2629, "provider_total": 3264, "rule": "in+audio+out"}
    made[1]["expected_totals"] |= {"input_total": 380, "provider_total": 404, "rule": "in+audio+out"}
    made[1]["expected"]["cached_input_tokens"] = 368
    return made


def mistral_by_hand() -> list[dict[str, Any]]:
    """Every exchange of this file."""
    return [*_chats(), *_conversations(), *_audio()]
