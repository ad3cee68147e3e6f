"""The retry policy: of services' calls (`@tokentrail.retry`) and of the journal's shipper.

| file | holds |
|---|---|
| `policy` | the delays: full jitter, Retry-After; and the budget of retries |
| `transient` | which exceptions are worth another attempt, and the pause that the server asks for |
| `decorator` | `retry`, for functions, coroutine functions, generators and async generators |

No library of retries is used: what takes thought is which errors are transient, the pause that a server asks for, budgets, and streams. Libraries
have the loop, which is ten lines.
"""
