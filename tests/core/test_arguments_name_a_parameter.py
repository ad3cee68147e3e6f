"""`argument` finds a parameter of the decorated function however the function is called, and what its attributes lead to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.calls import call
from tokentrail import argument, track_tokens
from tokentrail.testing import Usages

USER = SimpleNamespace(org={"id": "acme"})


def test_by_position_by_name_by_default(tokentrail_usages: Usages) -> None:
    @track_tokens(tenant_id=argument("tenant"), metadata={"n": argument("number"), "fixed": 1})
    def ask(question: str, tenant: str = "of the default", *, number: int = 7) -> str:
        call()
        return f"{question} {tenant} {number}"

    assert ask("q", "acme") == "q acme 7"
    assert ask("q", tenant="globex", number=8) == "q globex 8"
    assert ask("q") == "q of the default 7"
    assert [usage.tenant_id for usage in tokentrail_usages] == ["acme", "globex", "of the default"]
    assert [usage.metadata for usage in tokentrail_usages] == [f'{{"n": {number}, "fixed": 1}}' for number in (7, 8, 7)]


def test_attributes_keys_methods_and_what_is_none(tokentrail_usages: Usages) -> None:
    class Service:
        org = "globex"

        @track_tokens(tenant_id=argument("user.org.id"))
        def of_user(self, user: Any) -> None:
            call()

        @track_tokens(tenant_id=argument("self.org"))
        def of_service(self) -> None:
            call()

        @classmethod
        @track_tokens(tenant_id=argument("cls.org"))
        def of_class(cls) -> None:
            call()

        @track_tokens(tenant_id=argument("org"))
        @staticmethod
        def of_nobody(org: str) -> None:
            call()

        @track_tokens(tenant_id=argument("anything"))
        def with_any(self, **_any: Any) -> None:
            call()

    service = Service()
    for run in (lambda: service.of_user(USER), lambda: service.of_user(user=None), service.of_service, service.of_class):
        run()
    service.of_nobody("initech")
    service.with_any(anything="acme")
    service.with_any()
    assert [usage.tenant_id for usage in tokentrail_usages] == ["acme", "", "globex", "globex", "initech", "acme", ""]


def test_an_attribute_that_is_missing_costs_only_the_value(tokentrail_usages: Usages) -> None:
    @track_tokens(tenant_id=argument("user.name"), operation="query")
    def ask(user: Any) -> None:
        call()

    ask(USER)
    assert [(usage.tenant_id, usage.operation) for usage in tokentrail_usages] == [("", "query")]


def test_a_parameter_that_is_not_there_stops_the_decorator() -> None:
    def ask(question: str, *rest: str) -> None:
        call(question, *rest)

    with pytest.raises(TypeError, match="no such parameter; it has question, rest"):
        track_tokens(tenant_id=argument("tenant"))(ask)
    with pytest.raises(TypeError, match="no such parameter"):
        track_tokens(metadata={"t": argument("rest")})(ask)


@pytest.mark.parametrize("path", ["", "a b", ".a", "a.", "1a", 7, None])
def test_a_text_that_is_no_name_stops_at_once(path: Any) -> None:
    with pytest.raises(ValueError, match="name of a parameter"):
        argument(path)


def test_a_block_has_no_parameters(tokentrail_usages: Usages) -> None:
    with track_tokens(operation="query", tenant_id=argument("tenant")):
        call()
    assert [(usage.tenant_id, usage.operation) for usage in tokentrail_usages] == [("", "query")]
