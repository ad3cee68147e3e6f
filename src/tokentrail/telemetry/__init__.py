"""Spans and metrics: for looking, never for billing.

| file | holds |
|---|---|
| `instruments.py` | the span and the metrics of a call |
| `sums.py` | the token sums that counters report |
| `observers.py` | what the SDK reads when it exports: sums, and metrics of tokentrail itself |
| `resource.py`, `program.py` | what describes this process: service, host, program's name |
| `setup.py` | `setup_opentelemetry()`, for programs without an SDK |
"""
