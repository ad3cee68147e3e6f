"""Makes a journal with the version of tokentrail that is on PYTHONPATH: `make.py FOLDER`. See README.md."""

from __future__ import annotations

import os
import sys

os.environ |= {"TOKENTRAIL_JOURNAL_DIR": sys.argv[1], "TOKENTRAIL_SHIP": "false", "TOKENTRAIL_SERVICE_NAME": "former"}

from tokentrail import track_token_usage

START_NS = 1_795_000_000_000_000_000
given = {"token_type": "llm", "operation": "query", "provider": "openai", "model": "gpt-4o-mini"}
for number in range(1, 6):
    track_token_usage(**given, tenant_id="acme", input_tokens=number * 100, output_tokens=number, timestamp=START_NS + number * 10**9)
track_token_usage(**given, tenant_id="naïve", input_tokens=7, output_tokens=None, metadata={"team": "a\"b'c\n顧客"}, timestamp=START_NS)
track_token_usage(**given | {"operation": "chat"}, idempotency_key="mine", input_tokens=10, output_tokens=1, cache_read_tokens=4, timestamp=START_NS)
track_token_usage(**given, idempotency_key="mine-2", input_tokens=-10, output_tokens=-1, calls=-1, corrects_key="mine", timestamp=START_NS)
if sys.argv[2:] == ["killed"]:
    os._exit(9)
