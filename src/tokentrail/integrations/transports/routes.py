"""Finds the endpoint of a request's method and URL, for every form of the path.

    /chat/completions    chat/completions/    /v1//chat/completions?beta=true    https://gateway/team/v1/chat/completions    /responses/resp_1/cancel
    /openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21           /openai/v1/embeddings

The last steps of the path decide, because the steps before belong to the host: a gateway's prefix, a version, a deployment. Only a path at which a
model answers is an endpoint: listing, files, counting (`/responses/input_tokens`), stored completions (`/chat/completions/{id}`) are none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from tokentrail.instrumentation.contract import Endpoint
from tokentrail.integrations.transports.http_errors import http_errors
from tokentrail.integrations.transports.named_paths import NamedPaths

__all__ = ["Routes"]


class Routes:
    """The endpoints of an API by path. `known` has the SDK's own paths, below `prefix`, which need no parsing of the URL.

    `jobs`: endpoints of objects that are retrieved by id (`GET {path}/{id}`, `POST {path}/{id}/cancel`); `no_ids`: words in an id's place that are
    no ids. `named`: endpoints by method and path, where `*` is the id of a job or of a file, as in `GET batches/*`. `models_after`: the steps of a
    path that precede the model's name. `queries`: query strings that the SDK appends to some of its paths.
    """

    def __init__(
        self,
        paths: Mapping[str, Endpoint],
        *,
        jobs: Mapping[str, Endpoint] | None = None,
        no_ids: Sequence[str] = (),
        named: Mapping[str, Endpoint] | None = None,
        models_after: Sequence[str] = (),
        queries: Sequence[str] = (),
        prefix: str = "",
    ) -> None:
        written = ("", *(f"?{query}" for query in queries))
        self.known: Final[dict[str, Endpoint]] = {f"{prefix}/{path}{query}": endpoint for path, endpoint in paths.items() for query in written}
        self._paths = {tuple(path.split("/")): endpoint for path, endpoint in paths.items()}
        self._longest = max(map(len, self._paths))
        self._jobs = jobs or {}
        self._no_ids = no_ids
        self._named = NamedPaths(named or {})
        self._models_after = models_after

    def find(self, client: Any, options: Any) -> tuple[Endpoint, Any, str] | None:
        """Returns the endpoint of any other path, the URL of the answering host, and the model or the job if the path names one.

        The URL is the SDK's result: the client merges, prefixes and replaces paths. An absolute URL need not be on the client's host.
        """
        method = options.method.lower()
        if method not in {"post", "get"} or not (isinstance(options.url, str) or hasattr(options.url, "raw_path")):
            return None  # the SDK is about to refuse any other type
        try:
            url = client._prepare_url(options.url)  # noqa: SLF001 - the URL that is requested, Azure's rewriting included
        except http_errors("InvalidURL", UnicodeError):  # no URL: the SDK is about to raise the same exception
            return None
        steps = [step for step in url.path.split("/") if step]
        endpoint = self._by_path(steps) if method == "post" else None
        name = next((after for before, after in pairwise(steps) if before in self._models_after), "")
        if endpoint is None:
            endpoint = self._by_id(method, steps)
        if endpoint is None:
            endpoint, name = self._named.find(method, steps)
        if endpoint is None:
            return None
        base = client.base_url
        return endpoint, base if (url.host, url.port) == (base.host, base.port) else url, name

    def _by_path(self, steps: list[str]) -> Endpoint | None:
        for length in range(min(self._longest, len(steps)), 0, -1):
            endpoint = self._paths.get(tuple(steps[-length:]))
            if endpoint is not None:
                return endpoint
        return None

    def _by_id(self, method: str, steps: list[str]) -> Endpoint | None:
        if method == "post":
            if steps[-1:] != ["cancel"]:
                return None
            steps = steps[:-1]
        if len(steps) < 2 or steps[-1] in self._no_ids:  # noqa: PLR2004 - the path's last step, and the id
            return None
        return self._jobs.get(steps[-2])
