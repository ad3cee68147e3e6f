"""Counts what no SDK of ours has sent: a job that runs once a night, and may run again.

    python examples/services/embedding/night.py answers answers.jsonl       what a service in another language was answered, from its log
    python examples/services/embedding/night.py trained trained.jsonl       fine-tunings that a partner runs for us, from its report

A line of the log: {"tenant": "acme", "endpoint": "embeddings", "body": {…}, "texts": ["…"], "at": 1790000000000000000}
A line of the report: {"tenant": "acme", "job": "ft-17", "model": "our-embedder", "token_type": "fine_tuning", "tokens": 120000}
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import tokentrail
from tokentrail import TOKEN_TYPE_FINE_TUNING, Operation, TokenType, idempotency_key, track_response, track_token_usage


def lines(path: Path) -> list[dict[str, Any]]:
    """Read a file of JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def count_answers(path: Path) -> int:
    """Count answers as their provider has stated them. A line that is read again has the same key, and counts once."""
    given = lines(path)
    for line in given:
        key = idempotency_key(Operation.BATCH, line["tenant"], *line["texts"], timestamp=line["at"])
        track_response(
            "openai", line["endpoint"], line["body"], operation=Operation.BATCH, tenant_id=line["tenant"], idempotency_key=key, timestamp=line["at"]
        )
    return len(given)


def count_trained(path: Path) -> int:
    """Count the tokens that a partner has trained with, once for each job."""
    given = lines(path)
    for line in given:
        track_token_usage(
            token_type=TokenType(line.get("token_type", TOKEN_TYPE_FINE_TUNING)),
            operation=Operation.INTERNAL,
            tenant_id=line["tenant"],
            provider="partner",
            model=line["model"],
            input_tokens=line["tokens"],
            idempotency_key=f"partner:{line['job']}",
        )
    return len(given)


def main(arguments: list[str]) -> int:
    """Count one file, and wait until the Collector has it: nothing depends on that, but this program is about to end."""
    counts = {"answers": count_answers, "trained": count_trained}
    if len(arguments) != 2 or arguments[0] not in counts:  # noqa: PLR2004 - what is counted, and its file
        sys.exit(f"usage: night.py {'|'.join(counts)} FILE")
    tokentrail.configure(service_name="embedding-night")
    number = counts[arguments[0]](Path(arguments[1]))
    print(f"{number} lines counted" if tokentrail.flush(10) else f"{number} lines counted; they wait in the journal until the Collector is back")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
