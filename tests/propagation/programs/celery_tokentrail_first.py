"""tokentrail's signals, then OpenTelemetry's instrumentation of Celery."""

from celery_probe import app
from opentelemetry.instrumentation.celery import CeleryInstrumentor

CeleryInstrumentor().instrument()

__all__ = ["app"]
