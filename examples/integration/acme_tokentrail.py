"""tokentrail's integration of the SDK `acme`: one file of data, and small functions. Its package has the entry point

[project.entry-points."tokentrail.integrations"]
acme = "acme_tokentrail:INTEGRATION"
"""

from __future__ import annotations

from functools import partial
from typing import Any

from tokentrail.instrumentation.contract import Answer, Exchange, Hook, Integration, Reading, Request
from tokentrail.instrumentation.streams import FollowedStream, follow, follow_async, watch_close


def open_ask(is_async: bool, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange:
    """Before the call: what is asked, of whom. The SDK's own client sends it, which asks no other SDK (`sends`)."""
    url = client.url if hasattr(client, "url") else client._client.url
    request = Request(
        provider="acme",
        endpoint="chat",
        gen_ai_operation="chat",
        model=kwargs["model"],
        stream=bool(kwargs.get("stream")),
        server_address=url.hostname or "",
        server_port=url.port or 0,
        texts=[kwargs["question"]],
        sends=True,
    )
    exchange = Exchange(request=request, args=args, kwargs=kwargs, read=read_answer)
    if request.stream:
        exchange.deliver = partial(follow_parts, is_async)
    return exchange


def count_retry(exchange: Exchange) -> None:
    """Runs before each further try, of which the SDK's call has several."""
    exchange.attempts += 1


def read_answer(answer: Any) -> Reading:
    """After the call: the counts as the provider states them; what it does not state stays `None`."""
    read = Parts()
    read.absorb(answer)
    return read.reading(exhausted=True)


class Parts:
    """Collects a stream, part by part, while the caller reads it."""

    def __init__(self) -> None:
        self.answer, self.texts, self.ended = Answer(), [], False

    def absorb(self, part: Any) -> bool:
        """Takes the text of a part, without a function call, and the names and counts of the last part. False: the caller gets the part."""
        fields = part.__dict__
        if "tokens" in fields:
            self._end(fields)
        text = fields["text"] if "text" in fields else ""
        if type(text) is str:
            self.texts += (text,)
        return False

    def _end(self, fields: dict[str, Any]) -> None:
        tokens = fields["tokens"] if isinstance(fields["tokens"], dict) else {}
        self.answer.model, self.answer.response_id = fields.get("model"), fields.get("id")
        self.answer.input_tokens, self.answer.output_tokens = tokens.get("in"), tokens.get("out")
        self.ended = True

    def reading(self, *, exhausted: bool) -> Reading:
        """Returns the answer so far: complete if the last part came."""
        self.answer.output_texts = self.texts
        return self.answer, "complete" if exhausted and self.ended else "partial"


def follow_parts(is_async: bool, exchange: Exchange, stream: Any) -> Any:
    """Follows a stream: the caller keeps the SDK's own object, of which the iterator is wrapped and `close` watched."""
    followed = FollowedStream(exchange, Parts())
    stream._parts = follow_async(stream._parts, followed) if is_async else follow(stream._parts, followed)
    watch_close(stream, followed, is_async=is_async)
    return stream


INTEGRATION = Integration(
    name="acme",
    package="acme-sdk",
    supports=">=1.2,<3",
    hooks=(
        Hook("acme", "Client.ask", opens=partial(open_ask, False)),
        Hook("acme", "AsyncClient.ask", opens=partial(open_ask, True), is_async=True),
        Hook("acme", "Client._try_again", observes=count_retry),
    ),
)
