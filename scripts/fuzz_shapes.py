"""Tampers with recorded answers for a while, guided by the code that has not run yet: `python scripts/fuzz_shapes.py SECONDS`.

The guide is atheris, which is installed beside the project's tools where its wheel exists (`make fuzz`); without it hypothesis tries as many examples
as fit. What raises is printed as a line for `FOUND` in tests/providers/test_whatever_any_provider_sends.py, and the exit code is 1.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

try:
    import atheris
except ImportError:
    atheris = None

if atheris is not None:
    with atheris.instrument_imports(include=["tokentrail.integrations", "tokentrail.instrumentation.around"]):
        from tests.support.subjects import subjects
        from tests.support.tampering import assert_readable

        SUBJECTS = subjects()
else:
    from tests.support.subjects import subjects
    from tests.support.tampering import assert_readable

    SUBJECTS = subjects()


def try_one(data: bytes) -> None:
    """Reads one tampered answer; the first two bytes choose the recording, each further byte a change."""
    subject = SUBJECTS[int.from_bytes(data[:2], "big") % len(SUBJECTS)]
    numbers = list(data[2:])
    try:
        assert_readable(subject, numbers)
    except Exception:
        print(f"found: ({str(subject)!r}, {numbers}),", flush=True)
        raise


def fuzz_with_atheris(seconds: int) -> None:
    """Runs until the time is over, or something raises."""
    aside = f"-artifact_prefix={tempfile.gettempdir()}/"  # what is found is printed; the guide writes a file too
    atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", "-max_len=60", "-len_control=0", "-print_final_stats=1", aside], try_one)
    atheris.Fuzz()


def fuzz_with_hypothesis(seconds: int) -> None:
    """The same without a guide."""

    @settings(max_examples=2000, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(data=st.binary(max_size=60))
    def some(data: bytes) -> None:
        try_one(data)

    until = time.monotonic() + seconds
    while time.monotonic() < until:
        some()


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code."""
    seconds = int(arguments[0]) if arguments else 60
    print(
        f"{len(SUBJECTS)} recordings, {seconds} s, guided by {'atheris' if atheris is not None else 'nothing (atheris is not installed)'}", flush=True
    )
    (fuzz_with_atheris if atheris is not None else fuzz_with_hypothesis)(seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
