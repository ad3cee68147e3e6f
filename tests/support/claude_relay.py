"""A command line that speaks Claude's stream-json protocol with the SDK, and asks a server of the test for the answer, as the real one asks a provider.

The user's message is sent to the address in `CLAUDE_RELAY_URL`; what the server sends is written to stdout as it arrives. An answer that is cut, or no
answer, ends the program with an error; the end of the input ends it too, once what the server has sent is written.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import threading
import time

GRACE = 0.3
"""Seconds after the end of the input in which an answer may go on: the SDK ends the input with the first result."""


def end_with_the_input() -> None:
    while sys.stdin.buffer.readline():
        pass
    time.sleep(GRACE)
    os._exit(0)


def relay(message: bytes) -> None:
    host, _, _ = os.environ["CLAUDE_RELAY_URL"].removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host)
    connection.request("POST", "/claude", body=message, headers={"content-type": "application/json"})
    answer = connection.getresponse()
    while part := answer.read1(65536):
        sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()
    sys.stderr.write(f"the server answered {answer.status}\n")
    os._exit(answer.status != http.client.OK)  # without waiting for the thread that reads the input


def main() -> None:
    """Answers the SDK's control requests, and one message of the user."""
    if {"-v", "--version"} & set(sys.argv):
        sys.stdout.write("2.99.0 (a relay)\n")
        return
    while line := sys.stdin.buffer.readline():
        asked = json.loads(line)
        if asked.get("type") == "control_request":
            done = {"type": "control_response", "response": {"subtype": "success", "request_id": asked["request_id"], "response": {}}}
            sys.stdout.write(json.dumps(done) + "\n")
            sys.stdout.flush()
        elif asked.get("type") == "user":
            threading.Thread(target=end_with_the_input, daemon=True).start()
            try:
                relay(line)
            except (OSError, http.client.HTTPException) as error:
                sys.stderr.write(f"no whole answer: {error}\n")
                os._exit(1)


if __name__ == "__main__":
    main()
