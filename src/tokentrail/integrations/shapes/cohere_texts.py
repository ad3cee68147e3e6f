"""The texts of requests in Cohere's shapes, which rerank has at other providers too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tokentrail.integrations.shapes.json_objects import fields_of, items_of

__all__ = ["contents_of", "texts_in", "texts_of_chat", "texts_of_inputs"]


def texts_of_chat(body: Mapping[str, Any]) -> Sequence[str]:
    """Returns the texts of a chat request: messages (version 2), or preamble, history and message (version 1), and the documents."""
    found: list[str] = []
    if "messages" in body:
        for message in items_of(body["messages"]):
            content = message["content"] if type(message) is dict and "content" in message else fields_of(message).get("content")
            found += (content,) if type(content) is str else texts_in(contents_of(content))
    else:
        turns = (fields_of(turn).get("message") for turn in items_of(body.get("chat_history")))
        found += texts_in((body.get("preamble"), *turns, body.get("message")))
    if "documents" in body and body["documents"] is not ...:  # the SDK's mark for "not given"
        for document in items_of(body["documents"]):
            found += texts_in((document,) if isinstance(document, str) else _values_of(fields_of(document).get("data", document)))
    return found


def texts_in(values: Iterable[Any]) -> list[str]:
    """Returns the texts among values."""
    return [value for value in values if isinstance(value, str)]


def contents_of(content: Any) -> Iterator[Any]:
    """Yields the texts of a content: a text, one part, or parts. What a part does not have is None."""
    if isinstance(content, str):
        yield content
    for part in map(fields_of, items_of(content) or (content,)):
        yield part.get("text")
        yield part.get("thinking")


def _values_of(document: Any) -> Iterable[Any]:
    """Returns the values of a document; its id is no text of the prompt."""
    return [value for name, value in fields_of(document).items() if name != "id"]


def texts_of_inputs(body: Mapping[str, Any]) -> Sequence[str]:
    """Returns the texts of every other request: a prompt, a text, a query with its documents, texts or contents to embed, inputs to classify."""
    found = [body.get("prompt"), body.get("text"), body.get("query"), *items_of(body.get("texts"))]
    for document in items_of(body.get("documents")):
        found += (document,) if isinstance(document, str) else _values_of(document)
    for each in items_of(body.get("inputs")):
        found += (each,) if isinstance(each, str) else contents_of(fields_of(each).get("content"))
    found += [fields_of(example).get("text") for example in items_of(body.get("examples"))]
    return texts_in(found)
