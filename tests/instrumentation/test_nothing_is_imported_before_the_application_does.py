"""`import tokentrail` and `instrument()` import no SDK; what the application imports later is patched then; what it imported before, at once."""

from __future__ import annotations

import pytest

from tests.support.installed import ALL
from tests.support.programs import run

pytestmark = pytest.mark.slow

SDKS = "aiobotocore anthropic boto3 botocore openai groq ollama httpx httpx2 pydantic"


def test_instrument_imports_no_sdk() -> None:
    assert (
        run(
            """
            import json, sys
            from tokentrail.instrumentation.registry import instrument
            instrument()
            print(json.dumps([name for name in sys.argv[1].split() if name in sys.modules]))
            """,
            SDKS,
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
