"""Records what answers tell of a provider's jobs: batches and their results, fine-tunings, background responses.

A usage counts for the tenant and the operation of the call that created the job: this process remembers its creations, and tells the ledger of them
by records without counts (`calls` 0), so that the ledger knows the creations of all processes.

| key | the record |
|---|---|
| `{job}` | the job's usage, where the job itself states one |
| `{job}#{part}`, `{results}#{part}` | the usage of one result; does not count where the job states a usage |
| `{job}##created` | the attribution of the creation |
| `{job}##results`, `{job}##usage` | the key of the results, as `response_id`; `usage`: the job states a usage, so its results do not count |
"""

from __future__ import annotations

from contextlib import suppress
from time import time_ns
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from msgspec.structs import replace

from tokentrail.attribution import Attribution
from tokentrail.idempotency import fact_key, fact_of, object_key, part_key
from tokentrail.instrumentation.contract import Answer
from tokentrail.recording.assemble import assemble

if TYPE_CHECKING:
    from tokentrail.idempotency import Key
    from tokentrail.instrumentation.contract import Finding, Request
    from tokentrail.recording.delivery import Delivery
    from tokentrail.recording.runtime import Runtime
    from tokentrail.usage import Usage

__all__ = ["Jobs", "is_fact", "record_creation", "record_finding", "results_without_usage"]

CREATED: Final = "created"
RESULTS: Final = "results"
STATED: Final = "usage"
FACTS: Final = (CREATED, RESULTS, STATED)

_CLAIMED: Final = ("object", "opaque")
_GEN_AI_OPERATIONS: Final = {"embedding": "embeddings", "fine_tuning": ""}
"""The conventions' names. Fine-tuning has none: fine-tuning is no inference, and so in no metric."""

MOST_JOBS: Final = 4096
MOST_KEYS: Final = 32768

_V = TypeVar("_V")


class _Seen(dict[Any, _V]):
    """A dictionary of the last `most` keys. Without a lock, because finalizers add to it too: two threads may drop one key more than is needed."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def note(self, key: Any, value: _V) -> None:
        """Adds a key, and drops the oldest where there are too many."""
        self._drop_oldest()
        self[key] = value

    def claim(self, key: Any, value: _V) -> bool:
        """Adds a key that is not there yet. Of several threads with one key, the claim of one succeeds, if each has a value of its own."""
        self._drop_oldest()
        return self.setdefault(key, value) is value

    def _drop_oldest(self) -> None:
        if len(self) >= self._most:
            with suppress(RuntimeError, StopIteration):  # another thread changes the dictionary
                self.pop(next(iter(self)), None)


class Origin(NamedTuple):
    """The attribution of a creation: what is left of a block, whose totals and span are not kept."""

    tenant_id: str
    operation: str
    operation_id: str
    metadata: str
    metadata_cut: bool

    def block(self) -> Attribution:
        """Returns a block with these values."""
        return Attribution(**self._asdict())


class Jobs:
    """The jobs that this process knows: who created them, which results belong to them, and which records were made. No content."""

    __slots__ = ("origins", "recorded", "refused", "stated", "unfinished", "unrecorded")

    def __init__(self) -> None:
        self.origins: _Seen[Origin] = _Seen(MOST_JOBS)
        """The creations by the key of the job, and by that of its results."""
        self.stated: _Seen[bool] = _Seen(MOST_JOBS)
        """The keys of results that do not count."""
        self.recorded: _Seen[object] = _Seen(MOST_KEYS)
        """The hashes of keys with their numbers that were recorded: a poll that tells nothing new is not recorded again."""
        self.refused: _Seen[bool] = _Seen(MOST_KEYS)
        """The hashes that the delivery has refused: the next poll appends them again."""
        self.unrecorded: _Seen[Usage] = _Seen(MOST_JOBS)
        """The facts of creations that the delivery has refused, by the key of the job: no poll tells of a creation again."""
        self.unfinished: _Seen[bool] = _Seen(MOST_JOBS)
        """The ids of objects that were seen unfinished: such an object is a job, where the provider does not say what is one."""

    def append_news(self, delivery: Delivery, usage: Usage) -> bool:
        """Appends a usage, unless this process has recorded the usage. Returns whether the usage is new; one that was refused was new then.

        Of two threads that poll at once one appends: the claim comes before the append, and is given back if the delivery did not take the usage.
        """
        news = hash((usage.key, usage.input_tokens, usage.output_tokens, usage.ended, usage.calls, usage.response_id))
        if not self.recorded.claim(news, object()):
            return False
        try:
            is_taken = delivery.append(usage) > 0
        except BaseException:  # an interrupt: the next poll appends again, under the same key
            self.recorded.pop(news, None)
            raise
        is_new = self.refused.pop(news, None) is None
        if not is_taken:
            self.refused.note(news, True)
            self.recorded.pop(news, None)
        return is_new

    def append_creation(self, delivery: Delivery, job: str, fact: Usage) -> None:
        """Appends the fact of a job's creation, and keeps a refused fact for `retry_creation`."""
        if delivery.append(fact) <= 0:
            self.unrecorded.note(job, fact)

    def retry_creation(self, delivery: Delivery, job: str) -> None:
        """Appends the fact of a job's creation again, if the delivery has refused the fact."""
        fact = self.unrecorded.pop(job, None)
        if fact is not None:
            self.append_creation(delivery, job, fact)


def record_creation(runtime: Runtime, request: Request, job: str, created: int, block: Attribution | None) -> None:
    """Remembers who created a job, and records it for the ledger."""
    origin = Origin(
        tenant_id=(block and block.tenant_id) or runtime.settings.tenant_id,
        operation=(block and block.operation) or _operation(runtime, request),
        operation_id=block.operation_id if block else "",
        metadata=block.metadata if block else "",
        metadata_cut=block.metadata_cut if block else False,
    )
    key = object_key(request.provider, job, created).text
    runtime.jobs.origins.note(key, origin)
    fact = _fact(request, fact_key(request.provider, job, CREATED, created), origin)
    runtime.jobs.append_creation(runtime.delivery, key, fact)


def record_finding(runtime: Runtime, request: Request, finding: Finding, block: Attribution | None, *, operation: str = "", ts: int = 0) -> None:
    """Records what was found. `block`: the attribution of the call that found it, which counts where the creation is not known.

    `operation` replaces that of the endpoint; `ts` is the time of the usage in UTC nanoseconds, by default now.
    """
    if runtime.settings.disabled:
        return
    jobs, provider = runtime.jobs, request.provider
    job = object_key(provider, finding.job, finding.created)
    if finding.is_new:
        record_creation(runtime, request, finding.job, finding.created, block)
    elif jobs.unrecorded:
        jobs.retry_creation(runtime.delivery, job.text)
    origin = jobs.origins.get(job.text) or Origin(
        tenant_id=(block and block.tenant_id) or runtime.settings.tenant_id,
        operation=operation or _operation(runtime, request),
        operation_id=block.operation_id if block else "",
        metadata=block.metadata if block else "",
        metadata_cut=block.metadata_cut if block else False,
    )
    if finding.results:
        results = object_key(provider, finding.results, 0).text
        if job.text in jobs.origins:
            jobs.origins.note(results, origin)
        is_stated = finding.reading is not None
        if is_stated:
            jobs.stated.note(results, True)
        fact = fact_key(provider, finding.job, STATED if is_stated else RESULTS, finding.created)
        jobs.append_news(runtime.delivery, _fact(request, fact, origin, results))
    if finding.reading is None or (finding.part and job.text in jobs.stated):
        return
    key = part_key(provider, finding.job, finding.part, finding.created) if finding.part else job
    answer, ended = finding.reading
    usage = _usage(request, answer, origin, key, ended=ended, calls=finding.calls, token_type=finding.token_type, ts=ts)
    if jobs.append_news(runtime.delivery, usage):
        if block is not None:
            block.add(usage)
        (runtime.telemetry or runtime.instruments()).record(usage)


def is_fact(usage: Usage) -> bool:
    """Whether a record is no usage, but tells the ledger of a job."""
    return usage.calls == 0 and not usage.corrects_key and usage.key_kind in _CLAIMED and fact_of(usage.key) in FACTS


def results_without_usage(fact: Usage) -> str:
    """Returns the key of the results that do not count, because their job states a usage; "" if the fact is another one."""
    return fact.response_id if fact_of(fact.key) == STATED else ""


def _operation(runtime: Runtime, request: Request) -> str:
    """Returns the operation of a job that no decorator names: that of the endpoint, not that of whoever polls."""
    return runtime.settings.operations.get(request.endpoint) or request.operation


def _fact(request: Request, key: Key, origin: Origin, results: str = "") -> Usage:
    return _usage(request, Answer(response_id=results), origin, key, calls=0)


def _usage(
    request: Request, answer: Answer, origin: Origin, key: Key, *, calls: int, ended: str = "complete", token_type: str = "", ts: int = 0
) -> Usage:
    if token_type and token_type != request.token_type:
        request = replace(request, token_type=token_type, gen_ai_operation=_GEN_AI_OPERATIONS.get(token_type, request.gen_ai_operation))
    return assemble(
        request,
        answer,
        origin.block(),
        key=key.text,
        key_kind=key.kind.value,
        key_time=key.time,
        ts=ts or time_ns(),
        tenant_id=origin.tenant_id,
        operation=origin.operation,
        ended=ended,
        calls=calls,
        measured=False,
    )
