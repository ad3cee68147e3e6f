"""What the middlewares share: from a request to an attribution that is in force for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tokentrail.attribution import Attribution
from tokentrail.propagation import baggage as w3c
from tokentrail.recording.runtime import internal_error
from tokentrail.telemetry import instruments
from tokentrail.tracking.values import Values, instrument_once
from tokentrail.tracking.wrapping import enter, leave
from tokentrail.web.request import Request

__all__ = ["Attributing", "in_force"]


class Attributing:
    """The values of a middleware."""

    def __init__(self, tenant_id: Any, operation: Any, operation_id: Any, metadata: Any, budget: Any, over_budget: Any, *, baggage: bool) -> None:
        if not isinstance(baggage, bool):
            raise TypeError(f"baggage is True or False, not {baggage!r}")
        self._values = Values(operation, tenant_id, operation_id, metadata, budget, over_budget)
        self._baggage = baggage
        instrument_once()

    def block_of(self, request: Request) -> Attribution:
        """Returns the attribution of a request; never raises."""
        block = self._values.block((request,), {})
        if self._baggage and not (block.tenant_id and block.operation_id):
            try:
                tenant_id, operation_id = w3c.read(request.headers.get(w3c.HEADER, ""))
                block.tenant_id = block.tenant_id or tenant_id
                block.operation_id = block.operation_id or operation_id
            except Exception as error:
                internal_error("the header baggage", error)
        return block

    @contextmanager
    def attributed(self, request: Request) -> Iterator[Attribution]:
        """Puts the attribution of a request in force."""
        block = self.block_of(request)
        with in_force(block):
            yield block


@contextmanager
def in_force(block: Attribution) -> Iterator[None]:
    """Puts the attribution of a request in force for a step of its answer."""
    entered = enter(block)
    withheld = _withhold()
    try:
        yield
    finally:
        if withheld is not None:
            instruments.detach(withheld)
        leave(entered)


def _withhold() -> Any:
    """Takes tokentrail's members out of OpenTelemetry's baggage, from which they would go to every host that the request's code asks."""
    around = instruments.current_context()
    wanted = instruments.without_members(around)
    return None if wanted is around else instruments.attach_context(wanted)
