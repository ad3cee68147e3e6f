"""`tokentrail count`: counts the tokens of a text, a file or chat messages."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from tokentrail.cli.stdout import as_json_text, say
from tokentrail.counting import count_tokens, vocabularies
from tokentrail.counting.tokenizers import BYTES_RULE, choose
from tokentrail.wording import of_number

__all__ = ["command"]


def _read(file: str) -> str:
    if file == "-" and sys.stdin is None:
        raise click.BadParameter("standard input is closed: name a file, or give it the text.", param_hint="FILE")
    try:
        with click.open_file(file, "rb") as opened:
            data = opened.read()
    except OSError as error:
        raise click.BadParameter(f"{file} cannot be read: {error.strerror}", param_hint="FILE") from error
    try:
        return bytes(data).decode("utf-8")
    except UnicodeDecodeError as error:
        raise click.BadParameter(f"{file} is not UTF-8 text: byte {error.start} does not fit", param_hint="FILE") from error


def _messages(file: str, text: str) -> list[dict[str, Any]]:
    """Parses chat messages as JSON: a list of messages, or a whole request with `messages`."""
    try:
        given = json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"{file} is not JSON: {error}", param_hint="FILE") from error
    found = given.get("messages") if isinstance(given, dict) else given
    if not isinstance(found, list) or not all(isinstance(message, dict) for message in found):
        raise click.BadParameter(f'{file} holds no chat messages: a list of objects, or an object with "messages", is needed', param_hint="FILE")
    return found


@click.command(name="count")
@click.argument("file", type=click.Path(allow_dash=True), default="-")
@click.option("--model", default="", help="Count as this model does; without it the count is an estimate.")
@click.option("--provider", default="", help="The model's provider, where the model's name does not show it.")
@click.option("--messages", is_flag=True, help="FILE is JSON: chat messages, or a request with them.")
@click.option("--download", is_flag=True, help="Let tiktoken download the model's vocabulary if it is not on this machine.")
@click.option("--json", "as_json", is_flag=True, help="Answer one JSON object.")
def command(*, file: str, model: str, provider: str, messages: bool, download: bool, as_json: bool) -> None:
    """Count the tokens of FILE, or of standard input.

    \b
    Example:
        echo -n "How many tokens?" | tokentrail count --model gpt-4o
    """
    text = _read(file)
    # without --download the setting decides
    tokens = count_tokens(_messages(file, text) if messages else text, model=model, provider=provider, download=download or None)
    wanted = choose(model, provider).vocabulary
    if wanted is not None and tokens.tokenizer == BYTES_RULE:
        say(f"tokentrail: {vocabularies.problem(wanted)}", err=True)
    if as_json:
        answer = {"tokens": int(tokens), "tokenizer": tokens.tokenizer, "exact": tokens.exact, "source": tokens.source.value, "model": model}
        say(as_json_text(answer | {"characters": len(text)}))
    else:
        how = "the model's own tokenizer" if tokens.exact else "an estimate"
        say(f"{int(tokens)} {of_number(tokens, 'token')} by {tokens.tokenizer}, {how}")
