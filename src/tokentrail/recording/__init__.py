"""From a call to a usage that is delivered: the write path, to be read downwards.

| file | holds |
|---|---|
| `runtime.py` | what a process has one of; how it is configured, forked, closed |
| `recorder.py` | a call: `start` before it, `Call.finish` after it |
| `assemble.py` | a usage put together from request, answer, attribution and clock |
| `delivery.py` | where usages go: the journal, or memory |
| `open_streams.py` | streams that are not recorded yet |
| `nesting.py` | which of two calls, one inside the other, is counted |
"""
