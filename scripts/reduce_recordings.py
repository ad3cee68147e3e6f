"""Makes the recordings that tokentrail ships, from a corpus of recorded exchanges (a folder of JSON files, one HTTP exchange each).

    python scripts/reduce_recordings.py --corpus path/to/corpus

reads every exchange below the folder (`open/` of it, if it has one), takes licences from the table in its README.md, chooses (recording_selection),
reduces (recording_filler), adds those made by hand (recordings_made_by_hand), says of each which usages it has to give (recording_usages), writes
src/tokentrail/testing/recordings/ and docs/recordings.md. Same corpus, same files. `--again` needs no corpus: it writes anew what follows from the
recordings that are there, their expected usages and the page; `--check` says (exit code 1) whether the page is stale.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from recording_filler import Reduction, reduce_body
from recording_selection import FAILED, MOST, select
from recording_usages import usages_of
from recordings_made_by_hand import made_by_hand
from recordings_of_mistral import mistral_by_hand

ROOT = Path(__file__).resolve().parent.parent
RECORDINGS = ROOT / "src" / "tokentrail" / "testing" / "recordings"
PAGE = ROOT / "docs" / "recordings.md"

RESPONSE_HEADERS = {
    *("content-type", "retry-after", "retry-after-ms", "x-should-retry"),
    *("x-amzn-bedrock-input-token-count", "x-amzn-bedrock-output-token-count", "x-amzn-errortype"),
}
FLAGS = "error has_usage cached cache_write reasoning tools_offered tool_call include_usage multi_choice media ended"
KEPT = "id provider endpoint base_url method path request_model stream status response_encoding response_shape expected expected_totals usage_events"


def reduce_exchange(exchange: dict[str, Any], licences: dict[str, str]) -> dict[str, Any]:
    """Reduce one exchange of the corpus to what is shipped. Counts, ids, models and structure are equal to the original's."""
    reduction = Reduction()
    source = exchange["source"]
    kept = {name: exchange[name] for name in KEPT.split()}
    return kept | {
        "source": source | {"licence": licences.get(source["repo"], "unknown")},
        "request": reduction.value(exchange["request"]),
        "response_headers": {name: value for name, value in exchange["response_headers"].items() if name in RESPONSE_HEADERS},
        "response_body": reduce_body(exchange["response_body"], exchange["response_shape"], reduction),
        "usage_raw": reduction.value(exchange["usage_raw"], ("usage",)),
        "flags": {name: exchange["flags"].get(name) for name in FLAGS.split()},
    }


def with_usages(recording: dict[str, Any]) -> dict[str, Any]:
    """State the usages that a recording has to give. They are read from the reduced exchange, so that no text of the original comes in with them."""
    return recording | {"expected_usages": usages_of(recording)}


def read_corpus(folder: Path) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """All exchanges below `folder`, in the order of their paths, and the licence of each source repository."""
    half = folder / "open" if (folder / "open").is_dir() else folder
    readme = next((path for path in (folder / "README.md", folder.parent / "README.md") if path.is_file()), None)
    rows = re.findall(r"^\| ([\w.-]+/[\w.-]+) \| [^|]+ \| ([^|]+?) \|", readme.read_text(encoding="utf-8") if readme else "", re.MULTILINE)
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(half.rglob("*.json"))], dict(rows)


def write(recordings: list[dict[str, Any]], folder: Path) -> None:
    """Write one file per recording, and remove those that are no longer chosen."""
    folder.mkdir(parents=True, exist_ok=True)
    for stale in set(folder.glob("*.json")) - {folder / f"{recording['id']}.json" for recording in recordings}:
        stale.unlink()
    for recording in recordings:
        text = json.dumps(recording, ensure_ascii=False, separators=(",", ":"))
        (folder / f"{recording['id']}.json").write_text(text + "\n", encoding="utf-8")


def read_written() -> list[dict[str, Any]]:
    """Read the recordings that are there, in the order of their ids."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RECORDINGS.glob("*.json"))]


def _kind(recording: dict[str, Any]) -> str:
    if recording["status"] >= FAILED:
        return f"status {recording['status']}"
    flags = recording["flags"]
    words = ["stream" if recording["stream"] else "plain"]
    words += ["with include_usage"] if flags.get("include_usage") else []
    told = ("cached", "cache_write", "reasoning", "tool_call", "multi_choice", "media", "refusal", "incomplete", "error")
    words += [name.replace("_", " ") for name in told if flags.get(name)]
    words += [] if flags["has_usage"] else ["no usage"]
    return ", ".join(words)


def page(recordings: list[dict[str, Any]]) -> str:
    """docs/recordings.md: what is there, and where it comes from."""
    cells: defaultdict[tuple[str, str, str], defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    sources: defaultdict[tuple[str, str], int] = defaultdict(int)
    for recording in recordings:
        path = re.sub(r"^/model/[^/]+/", "/model/{model}/", re.sub(r"resp_\w+", "{id}", recording["path"].split("?")[0]))
        place = (recording["provider"], recording["endpoint"], f"{recording['method']} {path}")
        cells[place][_kind(recording) + (" (by hand)" if recording.get("made_by_hand") else "")] += 1
        source = recording.get("source")
        sources[(source["repo"], source["licence"]) if source else ("made by hand after the provider's documentation", "Apache-2.0")] += 1
    lines = [INTRODUCTION.strip(), "", f"## What is there: {len(recordings)} recordings", ""]
    lines += ["| provider | endpoint | request | kinds |", "|---|---|---|---|"]
    for (provider, endpoint, request), kinds in sorted(cells.items()):
        told = "; ".join(kind + (f" ({count})" if count > 1 else "") for kind, count in sorted(kinds.items()))
        lines.append(f"| {provider} | {endpoint} | `{request}` | {told} |")
    lines += ["", "## Where they come from", "", "| repository | licence | recordings |", "|---|---|---|"]
    lines += [f"| {name} | {licence} | {count} |" for (name, licence), count in sorted(sources.items())]
    return "\n".join(lines) + "\n"


INTRODUCTION = """
# Recorded answers

```python
from openai import OpenAI
from tokentrail.testing import ReplayServer

with ReplayServer() as server:
    client = OpenAI(base_url=server.url("openai"), api_key="none")
    answer = client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "hello"}])
    print(answer.usage)
```

`tokentrail.testing` ships recorded answers of providers and a server that replays them over HTTP on 127.0.0.1, stream chunk by stream chunk.
Or as a process: `python -m tokentrail.testing.replay --port 8900` (`--help` tells of delays and faults).

A request is answered by the recording it names (header `x-replay-id`, or a URL from `server.url(provider, recording=…)`), else by the recording of
an equal request, else by the most similar one of the same provider, path and kind (stream or not), in turn where several fit equally well. Most
similar is, in this order: one that succeeded; one whose stream was asked for usage as this one is (`include_usage`); one that states usage; one that
answers in words, unless tools, choices, media or a structure were asked for; one of the same model. The answer says which in `x-replay-id`, and how
it was found in `x-replay-match`: `id`, `exact` or `loose`. The counts that the provider stated are in `server.recordings[id].expected`, the usages
that tokentrail records of it in `expected_usages` (every count, how it ended, where the counts come from, models), and what was asked of the server
is in `server.served`.

```python
from openai import OpenAI
from tokentrail.testing import Faults, ReplayServer

with ReplayServer() as server:
    retried = server.url("openai", faults=Faults(fail_first=2, fail_status=429, retry_after=0.1))    # an SDK's retries
    cut = server.url("openai", faults=Faults(cut_after=3))                                          # a stream that breaks off
    silent = server.url("openai", faults=Faults(hang_after=3))                                      # … or says nothing more
    answer = OpenAI(base_url=retried, api_key="none").embeddings.create(model="text-embedding-ada-002", input="hello")
    print(len(server.served), answer.usage.prompt_tokens)                                           # 3 requests, 2 tokens
```

A program that makes its client itself (`OpenAI()`) needs no change: with the server as a process,
`OPENAI_BASE_URL=http://127.0.0.1:8900/openai/v1 OPENAI_API_KEY=none python app.py` talks to it, without a key and without a cent.

In pytest there are two fixtures: `tokentrail_replay` is such a server, and `tokentrail_usages` collects every usage that is recorded during the
test, in memory, instead of the journal:

```python
from openai import OpenAI
from tokentrail import track_tokens

@track_tokens(operation="query", tenant_id="acme")                    # your own code
def ask(client):
    return client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "hello"}])

def test_a_question_costs_what_the_provider_says(tokentrail_usages, tokentrail_replay):
    ask(OpenAI(base_url=tokentrail_replay.url("openai"), api_key="none"))
    assert tokentrail_usages.by("tenant_id")["acme"].input_tokens == 9
```

Reading `tokentrail_usages` waits by itself, up to 30 seconds, for what is on its way: streams that nobody reads any more, and estimates. What a
call records late stays with the test in which it began. Calls that other threads are still making are waited for with `.wait_for(2)` or
`await tokentrail_usages.wait_for_async(2)`; the second one also where an async stream was left, whose end needs the event loop.

The recordings are *reduced*: structure, counts, ids, model names and finish reasons are the provider's; every text (prompts, answers, tool
names and arguments, error messages, media, vectors) is filler of the same length. Vectors have as many components, but need not have as many
characters. This page is written by `python scripts/reduce_recordings.py --again`, and the recordings by `--corpus FOLDER`.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--corpus", type=Path, help="folder of recorded exchanges")
    task.add_argument("--again", action="store_true", help="write expected usages and docs/recordings.md anew, from the recordings that are there")
    task.add_argument("--check", action="store_true", help="exit 1 if docs/recordings.md is stale")
    parser.add_argument("--most", type=int, default=MOST, help=f"how many exchanges of the corpus at most (default {MOST})")
    parser.add_argument("--out", type=Path, default=RECORDINGS, help="where the recordings go (elsewhere than the default: the page is left alone)")
    options = parser.parse_args(arguments)
    if options.corpus:
        if not options.corpus.is_dir():
            parser.error(f"--corpus {options.corpus}: there is no such folder")
        exchanges, licences = read_corpus(options.corpus)
        reduced = [reduce_exchange(exchange, licences) for exchange in select(exchanges, options.most)]
        by_hand = made_by_hand() + mistral_by_hand()
        write([with_usages(recording) for recording in reduced + by_hand], options.out)
        print(f"{len(reduced)} of {len(exchanges)} exchanges, {len(by_hand)} made by hand, in {options.out}")
    if options.out != RECORDINGS:
        return 0
    if options.again:
        write([with_usages(recording) for recording in read_written()], RECORDINGS)
    text = page(read_written())
    if options.check:
        fresh = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text
        print(f"{PAGE.name} is {'as it should be' if fresh else 'stale: run `make docs`'}")
        return 0 if fresh else 1
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
