"""OpenTelemetry's instrumentation of Celery, then tokentrail's signals; `python -m celery_opentelemetry_first send` sends with baggage."""

import sys

from opentelemetry import baggage, context
from opentelemetry.instrumentation.celery import CeleryInstrumentor

CeleryInstrumentor().instrument()

from celery_probe import ACME, app, step  # noqa: E402 - connects tokentrail's signals

from tokentrail import track_tokens  # noqa: E402

__all__ = ["app"]

if __name__ == "__main__" and sys.argv[1:] == ["send"]:
    token = context.attach(baggage.set_baggage("tokentrail.operation_id", "op3", baggage.set_baggage("tokentrail.tenant_id", "of/baggage")))
    step.delay("of another sender")
    with track_tokens(**ACME):
        step.delay("acme's, also with baggage")
    context.detach(token)
    step.delay("nobody's")
