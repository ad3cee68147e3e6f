"""Finds the endpoint of a path that names a job or a file: `GET batches/*` is the endpoint of `GET /v1/batches/batch_1`, whose id is `batch_1`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tokentrail.instrumentation.contract import Endpoint

__all__ = ["NamedPaths"]


class NamedPaths:
    """Endpoints by method and the end of the path, where `*` is the id."""

    __slots__ = ("_paths",)

    def __init__(self, endpoints: Mapping[str, Endpoint]) -> None:
        self._paths = [(method.lower(), path.split("/"), each) for name, each in endpoints.items() for method, path in (name.split(" "),)]

    def find(self, method: str, steps: Sequence[str]) -> tuple[Endpoint | None, str]:
        """Returns the endpoint, and the id in the path; None and "" for any other path."""
        method = method.lower()
        for wanted, path, endpoint in self._paths:
            end = steps[-len(path) :]
            if method == wanted and len(end) == len(path) and all(want in ("*", step) for want, step in zip(path, end, strict=True)):
                return endpoint, next((step for want, step in zip(path, end, strict=True) if want == "*"), "")
        return None, ""
