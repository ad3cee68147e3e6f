"""A fake of Claude's command line: it speaks the stream-json protocol with the SDK, calls nobody, and says what a test wrote beside it.

`answers.json` beside the program has a list of turns, each a list of messages; each user's message is answered with the next turn.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Answers until the SDK closes the input."""
    if {"-v", "--version"} & set(sys.argv):
        sys.stdout.write("2.99.0 (a fake)\n")
        return
    turns = json.loads(Path(sys.argv[0]).with_name("answers.json").read_text(encoding="utf-8"))
    if "--print" in sys.argv:  # the oldest SDKs give a text prompt as an argument
        for message in turns.pop(0):
            say(message)
        return
    for line in sys.stdin:
        asked = json.loads(line)
        if asked.get("type") == "control_request":
            say({"type": "control_response", "response": {"subtype": "success", "request_id": asked["request_id"], "response": {}}})
        elif asked.get("type") == "user" and turns:
            for message in turns.pop(0):
                say(message)


if __name__ == "__main__":
    main()
