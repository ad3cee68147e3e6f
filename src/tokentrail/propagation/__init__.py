"""Attribution that travels: to threads and processes, with the tasks of a queue, and to one's own services by W3C baggage.

    executor.submit(work)                          # after `instrument()`: a thread pool's task has the attribution of the caller
    Process(target=carry(work)).start()            # processes and threads of one's own
    celery.connect_signals()                       # Celery; `rq.Job` and `dramatiq.AttributionMiddleware` are for RQ and Dramatiq
    inject(message.headers)                        # any other queue, where a task is sent …
    with extracted(message.headers): work()        # … and where the task is run

| file | holds |
|---|---|
| `carrier` | the attribution as a text: `inject`, `extracted`, `carry` |
| `baggage` | tenant and operation id as W3C baggage |
| `outgoing` | the header `baggage` of HTTP requests to one's own hosts (setting `baggage_hosts`) |
| `celery`, `rq`, `dramatiq` | one queue each; imported by the application, never by tokentrail |
| `tasks` | the beginning and the end of a worker's task |
| `hooks` | the hooks of thread pools and HTTP clients, put in place by `instrument()` |
"""

from tokentrail.propagation.carrier import carry, extracted, inject

__all__ = ["carry", "extracted", "inject"]
