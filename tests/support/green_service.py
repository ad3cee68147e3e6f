"""A WSGI service of openai streams, for servers that replace the standard library's threads (gevent, eventlet), after or before it is imported.

gunicorn --preload -k gevent tests.support.green_service:application
python -m tests.support.green_service eventlet PORT      fork first, then patch and serve: what gunicorn's eventlet worker did
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

import openai

import tokentrail

tokentrail.instrument()
client = openai.OpenAI(max_retries=0)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Read a stream to its end (`/read`), leave it after its first chunk (`/left`), or flush what waits (`/flush`)."""
    path = environ["PATH_INFO"]
    if path == "/flush":
        text = str(tokentrail.flush(20))
    else:
        stream = client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "hi"}], stream=True)
        words = []
        for chunk in stream:
            words += [choice.delta.content or "" for choice in chunk.choices]
            if path == "/left":
                break
        del stream
        text = "".join(words)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]


def _serve_eventlet(port: int) -> None:
    child = os.fork()
    if child:
        import signal

        signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
        _, status = os.waitpid(child, 0)
        sys.exit(os.waitstatus_to_exitcode(status))
    import eventlet
    import eventlet.wsgi

    eventlet.monkey_patch()
    import signal

    def stop(*_: Any) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    eventlet.wsgi.server(eventlet.listen(("127.0.0.1", port)), application, log_output=False)


if __name__ == "__main__":
    _serve_eventlet(int(sys.argv[2]))
