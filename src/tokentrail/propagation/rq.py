"""RQ: its class of jobs with attribution, for the queues that send jobs and for the workers that run jobs.

    queue = Queue(connection=Redis(), job_class=Job)
    # rq worker --job-class tokentrail.propagation.rq.Job        (or RQ_JOB_CLASS=tokentrail.propagation.rq.Job)

The attribution is a field of its own beside RQ's in the job's hash in Redis: retries, repetitions, jobs that wait for others and jobs that are
enqueued again keep it, whatever the application makes of `job.meta`. A worker without this class runs the job as any other, without attribution.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, cast

from tokentrail.propagation.carrier import KEY, carry, extracted, inject
from tokentrail.recording.runtime import internal_error
from tokentrail.tracking.values import instrument_once

try:
    from rq import job as rq_job
except ImportError as error:
    raise ImportError("tokentrail.propagation.rq needs RQ: pip install rq") from error

__all__ = ["Job"]

_FIELD = KEY.encode()


class Job(rq_job.Job):
    """A job that runs, with its callbacks, under the attribution of who created the job."""

    _carrier: Mapping[str, Any] = {}

    @classmethod
    def create(cls, *args: Any, **kwargs: Any) -> Job:
        """Creates a job with the attribution in force."""
        job = cast("Job", super().create(*args, **kwargs))
        carrier: dict[str, Any] = {}
        inject(carrier)
        job._carrier = carrier  # noqa: SLF001 - the class's own
        return job

    def to_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Returns the fields of the job's hash in Redis."""
        return {**super().to_dict(*args, **kwargs), **self._carrier}

    def restore(self, raw_data: Any) -> Any:
        """Reads the fields of the job's hash in Redis."""
        restored = super().restore(raw_data)
        try:
            text = raw_data.get(_FIELD) or raw_data.get(KEY)
            self._carrier = {KEY: text} if text else {}
        except Exception as error:
            internal_error("propagation.rq", error)
        return restored

    def perform(self) -> Any:
        """Runs the job's function."""
        instrument_once()
        with extracted(self._carrier):
            return super().perform()

    @property
    def success_callback(self) -> Any:
        """What runs after the job has succeeded."""
        return self._attributed(super().success_callback)

    @property
    def failure_callback(self) -> Any:
        """What runs after the job has failed."""
        return self._attributed(super().failure_callback)

    @property
    def stopped_callback(self) -> Any:
        """What runs after the job was stopped."""
        return self._attributed(super().stopped_callback)

    def _attributed(self, callback: Callable[..., Any] | None) -> Callable[..., Any] | None:
        if callback is None or inspect.iscoroutinefunction(callback):  # RQ refuses coroutine functions, and says so
            return callback
        with extracted(self._carrier):
            return carry(callback)
