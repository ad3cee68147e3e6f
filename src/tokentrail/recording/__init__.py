"""The write path, from a call to a delivered usage.

| file | holds |
|---|---|
| `runtime.py` | the runtime of a process: its parts, and how they are configured, forked, closed |
| `recorder.py` | a call: `start` before the SDK's function, `Call.finish` after |
| `assemble.py` | builds a usage from request, answer, attribution and clock |
| `delivery.py` | deliveries, which take usages: the journal, or memory |
| `open_streams.py` | streams that are not recorded yet |
| `nesting.py` | chooses which of two nested calls is counted |
"""
