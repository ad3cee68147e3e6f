"""Writes docs/providers.md: how exactly each provider's endpoints are counted, through the SDKs and from bodies alone.

    python scripts/providers_page.py --write                             writes the page, from the recordings that tokentrail ships
    python scripts/providers_page.py --corpus path/to/corpus [--write]   prints the table of a corpus too; with --write the page gets both
    python scripts/providers_page.py --check                             exit code 1 if the page is stale (its part of the shipped recordings)

Each exchange is replayed over real HTTP through the SDK that is installed, and compared as the tests compare; its body is read as
`python -m tokentrail.testing.exactness` reads it.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from recording_usages import usages_of

from tests.support.provider_sdks import BY_BODY, PACKAGES
from tests.support.recordings import GOOGLE, ask, ask_async, end_of, error_types, url_of
from tokentrail.instrumentation.registry import instrument
from tokentrail.process.configure import configure
from tokentrail.process.current import current
from tokentrail.providers.table import PROVIDERS
from tokentrail.recording.runtime import Runtime
from tokentrail.testing import Recording, ReplayServer, collect_usages, read_recordings
from tokentrail.testing.exactness import Row, differences, rows_of, told
from tokentrail.usage import Usage

__all__ = ["hosts", "main", "page", "shipped_in", "table"]

PAGE = Path(__file__).resolve().parent.parent / "docs" / "providers.md"
BEGIN, END = "<!-- the shipped recordings -->", "<!-- the end of the shipped recordings -->"
ASKED: dict[str, dict[str, Any]] = {
    "/chat/completions": {"model": "lorem", "messages": [{"role": "user", "content": "lorem"}]},
    "/completions": {"model": "lorem", "prompt": "lorem"},
    "/embeddings": {"model": "lorem", "input": "lorem"},
    "/responses": {"model": "lorem", "input": "lorem"},
    "/responses/compact": {"model": "lorem", "input": "lorem"},
}
"""What the SDK is asked where a recorder has not kept the request."""
BY_ITSELF = "its SDK does not ask here, but in tests of its own"
OPENAIS = tuple(ASKED)
OWN = ("anthropic", "bedrock", "cohere", "google_genai", "groq", "mistral", "ollama", "openai", "vertex")
BEHIND = {"converse": "bedrock", "generate_content": "google_genai"}
Expects = Callable[[Recording], Sequence[Mapping[str, Any]] | None]


def through_an_sdk(recording: Recording) -> tuple[Recording | None, str]:
    """The recording as an SDK asks for it, or none and the reason."""
    path = recording.path.partition("?")[0]
    if recording.shape == "jsonarray" or "enum-encoding" in recording.path:
        return None, "asked in a form that no SDK has"
    if recording.endpoint in {"count_tokens", "moderations", "caches", "batches", "batch_results", "anthropic_complete"}:
        return None, ""  # the body's own reason
    if recording.endpoint == "live" or (recording.provider in BY_BODY and recording.endpoint != "responses"):
        return None, BY_ITSELF
    if recording.provider in GOOGLE and path.endswith(OPENAIS):
        return dataclasses.replace(recording, provider="openai"), ""
    if recording.provider in OWN or recording.provider in PACKAGES:
        return recording, ""
    if recording.endpoint in BEHIND:
        return dataclasses.replace(recording, provider=BEHIND[recording.endpoint], path=path[path.find("/model") :]), ""
    if recording.endpoint == "messages":
        return recording, ""
    if recording.method == "POST" and path.endswith(OPENAIS):
        return dataclasses.replace(recording, request=ASKED[end_of(path, OPENAIS)] | (recording.request or {})), ""
    return None, "" if recording.expected_totals is None else "no SDK is supported that asks at this path"


def usages_by_sdk(server: ReplayServer, asked: Recording, recording: Recording, *, is_async: bool) -> list[Usage]:
    """The usages of an exchange that an SDK has asked for."""
    configure(provider_hosts={f"127.0.0.1:{server.port}": recording.provider})
    with Runtime(current.settings.with_(estimate=False)).in_place(), collect_usages() as usages:
        url = server.url(asked.provider, recording=recording.id) if asked is not recording else url_of(server, recording)
        with suppress(*error_types()):
            if is_async:
                asyncio.run(ask_async(asked, url))
            else:
                ask(asked, url)
        return usages.recorded


def exact_by_sdk(folder: Path | None, recordings: Sequence[Recording], expects: Expects) -> dict[tuple[str, str], tuple[int, dict[str, int]]]:
    """How many exchanges are exact through an SDK, sync and async, by provider and endpoint; and why others were not replayed, or what differs."""
    found: dict[tuple[str, str], tuple[int, dict[str, int]]] = {}
    instrument()
    with ReplayServer(folder) as server:
        for recording in recordings:
            exact, reasons = found.get((recording.provider, recording.endpoint), (0, {}))
            asked, reason = through_an_sdk(recording)
            if asked is not None:
                try:
                    wrong = [
                        differences(usages_by_sdk(server, asked, recording, is_async=is_async), recording, expects(recording))
                        for is_async in (False, True)
                    ]
                except Exception as error:  # the SDK has no such method, or takes no such argument
                    reason = f"the SDK does not ask so ({type(error).__name__})"
                else:
                    exact += not any(wrong)
                    reason = "" if not any(wrong) else f"**{recording.id} differs**: {wrong}"
            if reason:
                reasons[reason] = reasons.get(reason, 0) + 1
            found[recording.provider, recording.endpoint] = exact, reasons
    return found


def table(rows: Sequence[Row], sdks: Mapping[tuple[str, str], tuple[int, Mapping[str, int]]]) -> str:
    """The table of the page."""
    lines = [
        "| provider | endpoint | exchanges | with usage | exact through the SDK | exact by the body | not replayed, because |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        exact, reasons = sdks[row.provider, row.endpoint]
        why = "; ".join([*([told(row)] if told(row) else []), *(f"{reason} ({count})" for reason, count in sorted(reasons.items()))])
        lines.append(f"| {row.provider} | {row.endpoint} | {row.exchanges} | {row.with_usage} | {exact} | {row.by_body} | {why} |")
    sums = [sum(getattr(row, name) for row in rows) for name in ("exchanges", "with_usage")]
    lines.append(f"| all | | {sums[0]} | {sums[1]} | {sum(exact for exact, _ in sdks.values())} | {sum(row.by_body for row in rows)} | |")
    return "\n".join(lines)


def of_shipped() -> str:
    """The table of the recordings that tokentrail ships."""
    recordings = read_recordings()

    def expects(recording: Recording) -> Any:
        return recording.expected_usages

    return table(rows_of(recordings), exact_by_sdk(None, recordings, expects))


def of_corpus(folder: Path) -> str:
    """The table of a corpus."""
    home = folder / "open" if (folder / "open").is_dir() else folder
    exchanges = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in home.rglob("*.json")}
    recordings = read_recordings(home)

    def expects(recording: Recording) -> Any:
        is_read = recording.provider in OWN and recording.shape != "jsonarray"
        return usages_of(exchanges[recording.id]) if is_read else None

    return table(rows_of(recordings, expects), exact_by_sdk(home, recordings, expects))


def hosts() -> str:
    """The table of the providers that are known by their hosts."""
    lines = ["| provider | hosts, and addresses of gateways | asked for usage in a stream |", "|---|---|---|"]
    for provider in PROVIDERS:
        stated = [*provider.hosts, *(f"*{suffix}" for suffix in provider.suffixes), *(f"{prefix}*" for prefix in provider.prefixes)]
        stated += [*([f"any host, port {provider.port}"] if provider.port else []), *provider.gateways]
        stated += [f"gateway.ai.cloudflare.com/v1/…/{provider.cloudflare}"] if provider.cloudflare else []
        lines.append(f"| {provider.name} | {', '.join(f'`{each}`' for each in stated)} | {'yes' if provider.accepts_include_usage else ''} |")
    return "\n".join(lines)


def page(shipped: str, corpus: str) -> str:
    """The whole page. `corpus` is the section of a corpus."""
    parts = (INTRODUCTION, BEGIN, shipped, END, corpus, HOSTS, hosts(), EVIDENCE)
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


INTRODUCTION = """
# Providers

```sh
python -m tokentrail.testing.exactness                    # the recordings that tokentrail ships, each body read and compared
python -m tokentrail.testing.exactness --folder FOLDER    # recordings of your own
```

Each exchange is a recorded one (see [recordings.md](recordings.md)). *Exact through the SDK*: replayed over HTTP through the SDK that is
installed, sync and async, it gives one row, or none where nothing is spent, and every count, source, end, model and id is as the provider has
stated. *Exact by the body*: `track_response` reads the same from the body alone. What is not replayed has its reason. This page is written by
`python scripts/providers_page.py --write`, and checked by a test.

## The shipped recordings
"""
HOSTS = """
## Who answers at which host

A base URL at one of these hosts names the provider, whatever SDK asks; the setting `provider_hosts` adds hosts and comes before. `*` stands for any
characters.
"""
EVIDENCE = """
At any other host the answer may prove who has made it: Ollama's `system_fingerprint`, llama.cpp's `timings`, marks of vLLM, SGLang, LM Studio and
Text Generation Inference, `x_groq`, OpenRouter's `provider`; headers of LiteLLM, Portkey, Helicone and Cloudflare. All of them, with their
sources, stand in `integrations/shapes/evidence.py`. Without such a mark the row has the SDK's name.
"""
CORPUS = """
## A larger corpus

The unreduced recordings from which the shipped ones are made, with those of providers that have no SDK here:
`python scripts/providers_page.py --corpus FOLDER --write`.
"""


def shipped_in(text: str) -> str:
    """The table of the shipped recordings in a page."""
    return text.partition(BEGIN)[2].partition(END)[0].strip()


def _kept() -> str:
    """The section of a corpus in the page that is there."""
    text = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
    begin, end = text.find(CORPUS.strip().partition("\n")[0]), text.find(HOSTS.strip().partition("\n")[0])
    return text[begin:end] if 0 <= begin < end else ""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, help="folder of recorded exchanges")
    parser.add_argument("--write", action="store_true", help="write docs/providers.md")
    parser.add_argument("--check", action="store_true", help="exit 1 if docs/providers.md is stale")
    options = parser.parse_args(arguments)
    shipped = of_shipped()
    corpus = f"{CORPUS.strip()}\n\n{of_corpus(options.corpus)}\n" if options.corpus else _kept()
    if options.write:
        PAGE.write_text(page(shipped, corpus), encoding="utf-8")
    if options.check:
        is_fresh = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page(shipped, corpus)
        print("docs/providers.md is up to date" if is_fresh else "docs/providers.md is stale: python scripts/providers_page.py --write")
        return 0 if is_fresh else 1
    print(corpus.rpartition("\n\n")[2] if options.corpus else shipped)
    return 1 if "differs**" in shipped + corpus else 0


if __name__ == "__main__":
    sys.exit(main())
