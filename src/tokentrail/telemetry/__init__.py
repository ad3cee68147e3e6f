"""Spans and metrics: for observation, never for billing.

| file | holds |
|---|---|
| `instruments.py` | the span and the metrics of a call |
| `sums.py` | the token sums that counters report |
| `measurements.py` | the durations and tokens of single calls, which wait for the SDK's histograms |
| `observers.py` | the observable instruments, which the SDK reads at each export: token sums, and metrics of tokentrail itself |
| `resource.py`, `program.py` | the resource of this process: service, host, name of the program |
| `setup.py` | `setup_opentelemetry()`, for programs without an OpenTelemetry SDK |
"""
