"""`import tokentrail` and `instrument()` import no SDK; what the application imports later is patched then; what it imported before, at once."""

from __future__ import annotations

import sys

import pytest

from tests.support.installed import ALL
from tests.support.programs import run
from tokentrail.instrumentation.arrivals import Arrivals
from tokentrail.instrumentation.packages import SDKS
from tokentrail.instrumentation.registry import integrations

pytestmark = pytest.mark.slow

NOT_YET = "aiobotocore anthropic boto3 botocore openai groq ollama httpx httpx2 pydantic"


def test_instrument_imports_no_sdk() -> None:
    assert (
        run(
            """
            import json, sys
            from tokentrail.instrumentation.registry import instrument
            instrument()
            print(json.dumps([name for name in sys.argv[1].split() if name in sys.modules]))
            """,
            NOT_YET,
        )
        == []
    )


def test_an_sdk_that_is_imported_later_is_patched_then() -> None:
    told = run(
        """
        import json
        from tokentrail.instrumentation.registry import instrument, instrumented, uninstrument
        instrument()
        before = {name: len(hooks) for name, hooks in instrumented().items()}
        import ollama, openai
        after = {name: len(hooks) for name, hooks in instrumented().items()}
        uninstrument(["groq"])
        import groq
        print(json.dumps([before, after, type(vars(groq._base_client.SyncAPIClient)["request"]).__name__]))
        """
    )
    assert told == [dict.fromkeys(ALL, 0), dict.fromkeys(ALL, 0) | {"ollama": 2, "openai": 3}, "function"]


def test_an_integration_is_loaded_with_its_sdk() -> None:
    told = run(
        """
        import json, sys
        from tokentrail.instrumentation.registry import instrument, instrumented, uninstrument
        def loaded():
            return sorted(name.split(".")[-1] for name in sys.modules if name.count(".") == 2 and name.startswith("tokentrail.integrations.")
                          and not name.endswith(("shapes", "transports")))
        instrument()
        seen = [loaded()]
        import ollama
        seen += [loaded()]
        uninstrument()
        import groq
        seen += [loaded(), instrumented()]
        instrument()
        print(json.dumps([*seen, loaded(), {name: len(hooks) for name, hooks in instrumented().items() if hooks}]))
        """
    )
    # groq shares the endpoints of openai
    assert told == [[], ["ollama"], ["ollama"], {}, ["groq", "ollama", "openai", "openai_endpoints"], {"groq": 3, "ollama": 2}]


BELOW = {"azure-ai-inference": ("azure.core",)}
"""Packages that an SDK imports and that others use too: alone they are no reason to load the integration."""


@pytest.mark.parametrize("name", ALL)
def test_every_integration_says_which_packages_it_patches(name: str) -> None:
    modules = {hook.module for hook in integrations()[name].hooks}
    packages = BELOW.get(name, SDKS[name])
    assert all(any(module.startswith(f"{package}.") for package in packages) for module in modules)
    assert all(any(module.startswith(f"{package}.") for module in modules) for package in packages)


def test_a_package_that_another_thread_has_begun_to_import() -> None:
    """The finder was passed before the wait began, and the package is not among the modules yet: a module below it tells."""
    heard: list[str] = []
    arrivals = Arrivals(heard.append)
    try:
        arrivals.wait("acme", ("acme_client", "acme.sdk"))
        arrivals.wait("acme", ("acme_client",))
        for module in ("acme", "acme.sdkit", "acme_clients.x"):
            arrivals.find_spec(module)
        assert heard == []
        arrivals.find_spec("acme_client.core")
        arrivals.find_spec("acme_client.core")
        assert heard == ["acme"]
        arrivals.find_spec("acme.sdk")
        assert heard == ["acme", "acme"]
        arrivals.wait("json", ("json",))
        assert heard == ["acme", "acme", "json"]
    finally:
        sys.meta_path.remove(arrivals)  # type: ignore[arg-type]


def test_an_sdk_that_is_imported_while_hooks_are_off_is_patched_when_they_are_on_again() -> None:
    assert run(
        """
            import json
            from tokentrail.instrumentation.registry import instrument, instrumented, uninstrument
            instrument()
            uninstrument()
            import openai
            off = instrumented()
            instrument()
            print(json.dumps([off, len(instrumented()["openai"])]))
            """
    ) == [{}, 3]


def test_opentelemetry_instrument_arms_the_hooks() -> None:
    told = run(
        """
        import json
        from opentelemetry.instrumentation.auto_instrumentation import _load
        from opentelemetry.instrumentation.distro import DefaultDistro
        from opentelemetry.util._importlib_metadata import entry_points
        point = next(p for p in entry_points(group="opentelemetry_instrumentor") if p.name == "tokentrail")
        DefaultDistro().load_instrumentor(point)
        import openai
        from tokentrail.instrumentation.registry import instrumented
        on = len(instrumented()["openai"])
        point.load()().uninstrument()
        print(json.dumps([on, instrumented()]))
        """
    )
    assert told == [3, {}]
