"""How far counts of ours are from what providers reported, by family of models: `python benchmarks/estimate_error.py --corpus FOLDER`.

FOLDER holds recorded exchanges as JSON files (`request`, `response_body`, `expected_totals`, `flags`). Compared are those whose tokens are all text
that can be seen: no tools, media, structured answers; for the output no reasoning either. For each family: how many, the median of the absolute
error, and the error of the sum; by `count_tokens` with every vocabulary at hand, and by the rule that needs none (`estimate:utf8/4`).
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tokentrail.counting import count_tokens
from tokentrail.counting.tokenizers import BYTES_RULE, bytes_rule
from tokentrail.models import model_family

HIDDEN = ("error", "media", "tools_offered", "tool_call", "multi_choice")
STRUCTURED = ("response_format", "output_config", "format", "functions", "previous_response_id", "text")
SHORTEST_OUTPUT = 40  # characters; below it a token for the end of the answer is most of the error


@dataclass
class Error:
    """Pairs of counted and reported tokens."""

    pairs: list[tuple[int, int]] = field(default_factory=list)

    def __str__(self) -> str:
        middle = statistics.median(abs(counted / reported - 1) for counted, reported in self.pairs)
        whole = sum(counted for counted, _ in self.pairs) / sum(reported for _, reported in self.pairs) - 1
        return f"{middle:6.1%} {whole:+7.1%}"


def texts(content: Any) -> str:
    """A message's text, its parts put together."""
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content or () if isinstance(part, dict) and isinstance(part.get("text"), str))


def prompt(endpoint: str, request: dict[str, Any]) -> list[Any] | None:
    """What was asked: chat messages, or texts; None where that cannot be told."""
    if endpoint in ("completions", "embeddings"):
        given = request.get("prompt") or request.get("input")
        given = [given] if isinstance(given, str) else given
        return given if given and all(isinstance(text, str) for text in given) else None
    messages = request.get("messages") or request.get("input") or []
    messages = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
    if not messages or not all(isinstance(message, dict) and "role" in message for message in messages):
        return None
    system = request.get("system") or request.get("instructions")
    return [{"role": m["role"], "content": texts(m.get("content"))} for m in ([{"role": "system", "content": system}] if system else []) + messages]


def answer(endpoint: str, body: dict[str, Any]) -> str:
    """The answer's text; "" where it has none or some of it is not shown (reasoning)."""
    if endpoint == "completions":
        return texts(body.get("choices"))
    if endpoint == "messages":
        return "" if any(part.get("type") == "thinking" for part in body.get("content", ())) else texts(body.get("content"))
    if endpoint == "responses":
        return "".join(texts(item.get("content")) for item in body.get("output", ()))
    message = body.get("message") or (body.get("choices") or [{}])[0].get("message") or {}
    hidden = any(message.get(name) for name in ("thinking", "reasoning", "reasoning_content"))
    return "" if hidden else texts(message.get("content"))


def exchanges(corpus: Path) -> Iterator[tuple[str, str, dict[str, Any], list[Any] | None, str]]:
    """Endpoint, model, reported totals, prompt and answer of each exchange that can be compared."""
    for path in sorted(corpus.glob("*/*.json")):
        seen = json.loads(path.read_text())
        request, flags = seen["request"], seen["flags"]
        if not isinstance(request, dict) or not flags["has_usage"] or any(flags[name] for name in HIDDEN) or seen["response_shape"] != "json":
            continue
        if seen["endpoint"] not in ("chat", "ollama_chat", "messages", "responses", "completions", "embeddings") or any(map(request.get, STRUCTURED)):
            continue
        body = json.loads(seen["response_body"])
        reasoned = flags["reasoning"] or seen["expected"].get("reasoning_tokens")
        model = seen["expected"].get("model") or seen["request_model"] or ""
        yield seen["endpoint"], model, seen["expected_totals"], prompt(seen["endpoint"], request), "" if reasoned else answer(seen["endpoint"], body)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    corpus = parser.parse_args().corpus
    if not corpus.is_dir():
        parser.error(f"{corpus} is no folder")
    errors: dict[tuple[str, str, str], tuple[Error, Error]] = defaultdict(lambda: (Error(), Error()))
    for _endpoint, model, reported, asked, answered in exchanges(corpus):
        for half, content, total in (("input", asked, reported["input_total"]), ("output", answered, reported["output_total"])):
            if not content or not total or (half == "output" and len(content) < SHORTEST_OUTPUT):
                continue
            tokens = count_tokens(content, model=model)
            plain = bytes_rule(content) if isinstance(content, str) else count_tokens(content)
            ours, rule = errors[half, model_family(model) or "(none)", tokens.tokenizer]
            ours.pairs.append((int(tokens), total))
            rule.pairs.append((int(plain), total))
    print(f"{'half':7}{'family':16}{'tokenizer':22}{'n':>4}  {'median':>6} {'sum':>7}    {BYTES_RULE}: median, sum")
    for (half, family, tokenizer), (ours, rule) in sorted(errors.items()):
        print(f"{half:7}{family:16}{tokenizer:22}{len(ours.pairs):4}  {ours}    {rule}")


if __name__ == "__main__":
    main()
