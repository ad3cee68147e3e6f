"""`track_response`: records the usage of an answer at hand, which no hook has seen: raw HTTP, a queue, a log, another language's service."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tokentrail.attribution import Attribution, attribution
from tokentrail.idempotency import Key, call_digest, claimed_key, key_prefix, nanoseconds, object_key, shorten
from tokentrail.instrumentation.around import sanitized
from tokentrail.instrumentation.contract import Answer, Endpoint, Reading, Request
from tokentrail.integrations.transports.at_hand import AtHand, Opened, is_set, opened, read_at_hand
from tokentrail.recording import recorder
from tokentrail.recording.assemble import assemble
from tokentrail.recording.delivery import Texts
from tokentrail.recording.runtime import current
from tokentrail.tracking import job_results
from tokentrail.tracking.durations import duration_ns
from tokentrail.tracking.endpoints import endpoints_of
from tokentrail.tracking.metadata import metadata_text
from tokentrail.usage import Usage
from tokentrail.vocabulary import EndedLike, KeyKind, OperationLike, parse_ended, parse_operation

__all__ = ["track_response"]

NOTHING: Mapping[str, Any] = {}


def track_response(
    provider: str,
    endpoint: str,
    body: AtHand,
    *,
    request: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    model: str = "",
    job: str = "",
    operation: OperationLike | None = None,
    tenant_id: str = "",
    idempotency_key: str | None = None,
    operation_id: str = "",
    metadata: Mapping[str, Any] | None = None,
    ended: EndedLike | None = None,
    timestamp: datetime | int | None = None,
    duration: float | None = None,
) -> str:
    """Records the usage that a provider's answer states, and returns its idempotency key; on return the usage is in the journal.

    `body` is the answer as the provider sent it: a dictionary, text or bytes of one JSON object; or a stream: text or bytes of server-sent events,
    of lines of JSON or of AWS's frames, or a list of its events as dictionaries. It is read by the shapes that read the SDKs' answers, so counts,
    models and ids mean the same: totals include cached and reasoning tokens, and what is not stated is None.

    `provider` is who has answered (`openai`, `anthropic`, `mistral_ai`, `aws.bedrock`, …), `endpoint` the kind of answer, as in the column of that
    name: `chat`, `responses`, `completions` and `embeddings` of OpenAI's API and `messages` of Anthropic's for every provider; `converse`,
    `invoke_model` (aws.bedrock); `generate`, `interactions` (gcp.gemini); and the other providers' own. The token type follows from it.

    `request` is the request's JSON: its texts are measured, a missing count is estimated from them, and its `model` is the requested one, which
    `model` states otherwise (paths of Bedrock and Google). `headers` are the response's: Bedrock states counts of `invoke_model` there. `timestamp`
    is the call's start, an aware datetime or UTC nanoseconds, by default now; `duration` is in seconds. `ended` is by default what the body shows.
    Operation, tenant, operation id and metadata default to those of the enclosing block, then to the endpoint's operation and the settings.

    Results of a batch have the endpoint `batch`, and `job` is the batch's id, or its ARN or resource name; of OpenAI's batches, the id of the file
    with the results. `body` is a line of the results, some lines, Bedrock's manifest, or the batch itself. They count once under the batch's id and
    their own, for whoever created the batch; where a batch states its own usage, its results do not count. The last key is returned.

    Every call of this function counts otherwise, unless usages have the same `idempotency_key`: give one where a message may be read twice. A job (a
    background response) counts once by its own id, and not before its end: then nothing is recorded and the key is empty.

    Raises `ValueError` for an unknown provider or endpoint, with the known ones, and `TypeError` or `ValueError` for another wrong argument. A body
    that cannot be read (a page of a gateway, half of a JSON object) was an answer too: it is recorded without counts, as `error`.
    Do not use it for calls of an SDK that is instrumented: they count already.
    """
    shapes = _shapes_of(provider, endpoint)
    sent = _mapping("request", request)
    answered = opened(body)
    for name, text in {
        "model": model,
        "tenant_id": tenant_id,
        "operation_id": operation_id,
        "idempotency_key": idempotency_key or "",
        "job": job,
    }.items():
        if not isinstance(text, str):
            raise TypeError(f"{name} is a text, not {type(text).__name__}")
    if idempotency_key == "":
        raise ValueError("idempotency_key is empty: leave it out, or give a text")
    stated = None if ended is None else parse_ended(ended).value
    ts = time.time_ns() if timestamp is None else nanoseconds(timestamp)
    took = None if duration is None else duration_ns(duration)
    described, cut = metadata_text(metadata)
    block = attribution.get()
    named = None if operation is None else parse_operation(operation).value
    is_job = job_results.are_of_jobs(shapes)
    options = {"idempotency_key": idempotency_key, "request": request, "headers": headers, "ended": ended, "duration": duration}
    job_results.check_options(endpoint, job, options, is_job=is_job)
    if is_job:
        says = {"tenant_id": shorten(tenant_id), "operation_id": shorten(operation_id), "metadata": described, "metadata_cut": cut}
        return job_results.record_results(provider, shapes, answered, job, model=model, operation=named or "", ts=ts, says=says)

    read = _read(shapes, answered, sent, model, _mapping("headers", headers))
    if read is None:
        return ""
    shape, (answer, shown) = read
    asked = _request_of(provider, shape, sent, model, stream=_is_stream(answered, sent))
    tenant = shorten(tenant_id or (block.tenant_id if block else "") or current.settings.tenant_id)
    done = named or _operation_of(shape, block)
    key = _key_of(idempotency_key, answer, asked, done, tenant, ts)
    trace_id, span_id = recorder.current_span()
    usage = assemble(
        asked,
        answer,
        block,
        key=key.text,
        key_kind=key.kind.value,
        key_time=key.time,
        ts=ts,
        tenant_id=tenant,
        operation=done,
        operation_id=shorten(operation_id),
        metadata=described,
        metadata_cut=cut,
        ended=stated or shown,
        duration_ns=took,
        trace_id=trace_id,
        span_id=span_id,
        measured=request is not None,
    )
    recorder.record(usage, _texts_to_count(usage, asked, answer))
    return key.text


def _shapes_of(provider: str, endpoint: str) -> Sequence[Endpoint]:
    for name, text in {"provider": provider, "endpoint": endpoint}.items():
        if not isinstance(text, str):
            raise TypeError(f"{name} is a text, not {type(text).__name__}")
    known = endpoints_of(provider)
    if endpoint not in known:
        raise ValueError(f"{provider} has no endpoint {endpoint!r}: known are {', '.join(sorted(known))}")
    return known[endpoint]


def _mapping(name: str, given: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if given is not None and not isinstance(given, Mapping):
        raise TypeError(f"{name} is a dictionary, not {type(given).__name__}")
    return NOTHING if given is None else given


def _is_stream(body: Opened, request: Mapping[str, Any]) -> bool:
    asked = request.get("stream")
    return asked if isinstance(asked, bool) else bool(body) and not isinstance(body, Mapping)


def _read(
    shapes: Sequence[Endpoint], body: Opened, request: Mapping[str, Any], model: str, headers: Mapping[str, str]
) -> tuple[Endpoint, Reading] | None:
    """Returns the first shape by which the body states a count, and the answer; without a count, the provider's own shape."""
    first: tuple[Endpoint, Reading] | None = None
    for each in shapes:
        shape = each.chosen(model, request) if each.chosen is not None else each
        if shape.instead is not None and is_set(shape.instead[0], body, request):
            shape = shape.instead[1]
        if request and shape.spends is not None and not shape.spends(request):
            return None
        reading = read_at_hand(shape, body, request, headers)
        if reading is None:
            return None
        found = shape, (sanitized(reading[0], 1), reading[1])
        if found[1][0].input_tokens is not None or found[1][0].output_tokens is not None:
            return found
        first = first or found
    return first


def _request_of(provider: str, shape: Endpoint, sent: Mapping[str, Any], model: str, *, stream: bool) -> Request:
    asked = model or sent.get("model")
    return Request(
        provider=provider,
        endpoint=shape.name,
        gen_ai_operation=shape.gen_ai_operation,
        token_type=shape.token_type,
        model=asked if isinstance(asked, str) else "",
        stream=stream,
        texts=shape.texts(sent),
    )


def _operation_of(shape: Endpoint, block: Attribution | None) -> str:
    return (block and block.operation) or current.settings.operations.get(shape.name) or shape.operation


def _key_of(given: str | None, answer: Answer, request: Request, operation: str, tenant: str, ts: int) -> Key:
    if given is not None:
        return claimed_key(given)
    if answer.object_id:
        return object_key(request.provider, answer.object_id, answer.object_created)
    content = call_digest(request.texts, current.runtime.hash_secret())
    return Key(f"{key_prefix(operation, tenant)}{content}:{ts:019d}", KeyKind.AUTOMATIC, ts)


def _texts_to_count(usage: Usage, request: Request, answer: Answer) -> Texts | None:
    """Returns the texts for an estimate, where a count is not stated."""
    is_stated = usage.input_source == usage.output_source == "reported"
    if is_stated or not current.settings.estimate or (usage.ended == "error" and not any(answer.output_texts)):
        return None
    return Texts(tuple(request.texts), tuple(answer.output_texts))
