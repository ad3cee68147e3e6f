"""Requests as they can be compared: what an integration may add is left out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tokentrail.testing.conformance.stage import Asked

__all__ = ["sent"]


def sent(asked: Asked, added: Sequence[str]) -> Any:
    """Returns a request's method, path and body; of a body that is no JSON (a form with a random boundary) the size."""
    try:
        body = json.loads(asked.body) if asked.body else None
    except ValueError:
        body = len(asked.body)
    if isinstance(body, dict):
        body = {name: value for name, value in body.items() if name not in added}
    return asked.method, asked.path, body
