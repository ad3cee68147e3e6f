"""JSON as an SDK's models are read: by attribute, what is not there is None; a field that a provider leaves out is not an error."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["Body", "fields_of", "items_of"]


class Body(dict[str, Any]):
    """A JSON object that is read by attribute, as the SDK's models are; what is not there is None."""

    def __getattr__(self, name: str) -> Any:
        return self.get(name)

    @staticmethod
    def parse(text: bytes) -> Any:
        """Parse JSON; raises `ValueError`."""
        return json.loads(text, object_hook=Body)

    @staticmethod
    def of(value: Any) -> Any:
        """Turn dictionaries, however deep, into bodies; leave anything else as it is."""
        if isinstance(value, Mapping):
            return Body({key: Body.of(item) if isinstance(item, (Mapping, list)) else item for key, item in value.items()})
        if isinstance(value, list):
            return [Body.of(item) if isinstance(item, (Mapping, list)) else item for item in value]
        return value


_JSON_OBJECTS = (dict, Body)


def fields_of(value: Any) -> Mapping[str, Any]:
    """The fields of an SDK's model, with those that it does not declare, or of a JSON object; of anything else, none.

    Asking a pydantic model for a field that is not there is an exception and five calls; asking a dictionary is one.
    """
    if type(value) in _JSON_OBJECTS:
        return value  # type: ignore[no-any-return]
    extra = getattr(value, "__pydantic_extra__", None)
    try:
        return {**value.__dict__, **extra} if extra else value.__dict__
    except AttributeError:
        return {}


def items_of(value: Any) -> Sequence[Any]:
    """The items of a list; of anything else that a server may send instead, none."""
    return value if isinstance(value, (list, tuple)) else ()
