"""The class that an author of an integration fills in, and what every promise is checked with: cases, hooks on and off, one look at one call."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tokentrail.instrumentation import patching
from tokentrail.instrumentation.contract import Hook, Integration
from tokentrail.instrumentation.registry import instrument, instrumented, integrations, uninstrument
from tokentrail.process.current import current
from tokentrail.recording.runtime import Runtime
from tokentrail.testing.conformance.case import Case, Steps
from tokentrail.testing.conformance.http_stage import HttpStage
from tokentrail.testing.conformance.kept import without_collections
from tokentrail.testing.conformance.requests import sent
from tokentrail.testing.conformance.seen import Seen, copies_of, shown, shown_error
from tokentrail.testing.conformance.stage import Stage
from tokentrail.testing.recording import Recording, read_recordings
from tokentrail.testing.usages import Usages, collect_usages

__all__ = ["Kit", "promise"]

_read = lru_cache(maxsize=32)(read_recordings)


def promise(holds: object, broken: str) -> None:
    """Fails the test with a sentence if a promise does not hold."""
    if not holds:
        raise AssertionError(broken)


class Kit:
    """What an author fills in; see `Conformance`."""

    integration: ClassVar[str | Integration]
    """The entry point (`acme_tokentrail:INTEGRATION`), or the name of an installed integration."""
    recordings: ClassVar[str | Path | Sequence[Recording] | None] = None
    """The folder of recorded exchanges, or the recordings (`tokentrail.testing.read_recordings`)."""
    server: ClassVar[type[Stage]] = HttpStage
    """The server that plays the recordings: `http_stage.HttpStage`, or `grpc_stage.GrpcStage`."""
    key: ClassVar[str] = ""
    """What `client` gives the SDK as its API key, a text of its own such as "sk-planted-0123456789"; "": the SDK sends no key."""
    kinds: ClassVar[Sequence[str]] = ("sync", "async")
    """The kinds of clients that the SDK has."""
    styles: ClassVar[Sequence[str]] = ()
    """Names of further ways to call the SDK; `ask` returns what the caller sees of such a call, read to its end."""
    retries: ClassVar[int] = 2
    """The retries of a client that retries; 0: the SDK has none."""
    retries_streams: ClassVar[bool] = True
    """Whether the SDK also tries again where the answer is a stream."""
    shows_retries: ClassVar[bool] = True
    """Whether a Python function runs before each further try; otherwise a call that was tried again is one row of one attempt."""
    partial_rows: ClassVar[bool] = True
    """Whether a stream that is left, cut or cancelled is a row; False where only its last items state a usage, and say that there was a call."""
    adds_to_requests: ClassVar[Sequence[str]] = ()
    """The fields that the integration adds to a request so that the answer states its usage."""
    sends_through: ClassVar[Sequence[str]] = ()
    """The integrations of other SDKs through which the SDK sends some of its calls: their hooks are on too, and count these calls."""
    calls_per_chunk: ClassVar[int] = 3
    calls_per_call: ClassVar[int] = 150
    """The function calls that the integration may add: for each chunk of a stream, and for a call."""

    def client(self, url: str, case: Case) -> Any:
        """Returns a client of the SDK for a server at this address: of the case's kind, with so many retries as the case says, without waiting.

        The address is that of `server`: a URL without a slash at the end, or for gRPC a host and a port.
        """
        raise NotImplementedError

    def ask(self, client: Any, case: Case) -> Any:
        """Calls the SDK with the case's request; returns its answer, its stream, or an awaitable of either."""
        raise NotImplementedError

    def items(self, answer: Any, case: Case) -> Iterable[Any]:  # noqa: ARG002 - for those who override it
        """Returns what is iterated to read a stream: the answer itself, or a part of it."""
        return answer  # type: ignore[no-any-return]

    def whole(self, answer: Any, case: Case) -> Any:  # noqa: ARG002 - for those who override it
        """Returns what is read of an answer that is no stream, or an awaitable of it: the answer itself, or with a body that is read later."""
        return answer

    def earlier(self, case: Case) -> Sequence[Recording]:  # noqa: ARG002 - for those who override it
        """Returns the recordings that answer the requests before the last one of a call: a job is created, and polled before its end."""
        return ()

    def styles_of(self, recording: Recording) -> Sequence[str]:  # noqa: ARG002 - for those who override it
        """Returns the styles in which a recording can be asked for."""
        return self.styles

    def kinds_of(self, recording: Recording) -> Sequence[str]:  # noqa: ARG002 - for those who override it
        """Returns the kinds of clients that can ask for a recording."""
        return self.kinds

    def repeatable(self) -> AbstractContextManager[Any]:
        """Returns the context of a call, where equal calls have to give equal answers: what an SDK makes up (ids, times) is always the same there."""
        return nullcontext()

    def expected(self, recording: Recording) -> Sequence[Any] | None:
        """Returns the usages that a recording gives: mappings from fields of `tokentrail.usage.Usage` to values."""
        return recording.expected_usages

    # What pytest collects

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Makes one test for each case of the author's recordings."""
        for name, cases in (("case", self.every_case), ("plain", self.plain_cases), ("streamed", self.streamed_cases)):
            if name in metafunc.fixturenames:
                metafunc.parametrize(name, list(cases()), ids=str)

    @pytest.fixture
    def stage(self) -> Iterator[Stage]:
        """The server of the recordings; every integration is off, and on again afterwards as it was."""
        before = list(instrumented())
        uninstrument()
        with self.server() as stage:
            yield stage
        if before:
            instrument(before)

    def every_case(self) -> Iterator[Case]:
        """Every recording by every kind of client, in every style."""
        for recording in self.all_recordings():
            for kind in self.kinds_of(recording):
                for style in ("", *self.styles_of(recording)):
                    yield Case(recording, kind == "async", style=style)

    def plain_cases(self) -> Iterator[Case]:
        """The shortest answer in one piece of each endpoint, by every kind of client."""
        return self._one_of_each(lambda recording: not recording.stream)

    def streamed_cases(self) -> Iterator[Case]:
        """The longest stream of each endpoint, by every kind of client."""
        return self._one_of_each(_can_be_left)

    def every_streamed_case(self) -> Iterator[Case]:
        """Every stream of some length: of texts, thoughts, tool calls."""
        for recording in self.all_recordings():
            if _can_be_left(recording) and self._is_whole(recording) and not self.is_job(recording):
                yield from (Case(recording, kind == "async") for kind in self.kinds_of(recording))

    def some_cases(self) -> list[Case]:
        """The plain and the streamed cases."""
        return [*self.plain_cases(), *self.streamed_cases()]

    def _one_of_each(self, fits: Callable[[Recording], bool]) -> Iterator[Case]:
        best: dict[tuple[str, str], Recording] = {}
        whole = [recording for recording in self.all_recordings() if fits(recording) and self._is_whole(recording)]
        for recording in [each for each in whole if not self.is_job(each)] or whole:  # some SDKs have no calls but jobs
            place = recording.provider, recording.endpoint
            if place not in best or _suits(recording) > _suits(best[place]):
                best[place] = recording
        for recording in best.values():
            yield from (Case(recording, kind == "async") for kind in self.kinds_of(recording))

    def _is_whole(self, recording: Recording) -> bool:
        """Whether a recording is one call that ended well."""
        usages = self.expected(recording)
        return bool(usages) and usages[0].get("ended") == "complete" and recording.status < 400  # type: ignore[index]  # noqa: PLR2004 - errors

    def is_job(self, recording: Recording) -> bool:
        """Whether a recording is of a provider's job: it counts once, however often it is requested, and an error tells nothing of it."""
        return any(usage.get("key_kind") == "object" for usage in self.expected(recording) or ())

    def all_recordings(self) -> Sequence[Recording]:
        """The author's recordings."""
        given = self.recordings
        return _read(given) if given is None or isinstance(given, (str, Path)) else given

    def play(self, stage: Stage, case: Case, pieces: list[bytes] | None = None, **more: Any) -> None:
        """Answers the case's requests from now on; see `Stage.play`."""
        stage.play(case.recording, pieces, earlier=self.earlier(case), **more)

    # With and without hooks

    def entry_point(self) -> tuple[str, str]:
        """The module of the integration, and the name in it."""
        given = self.integration
        if isinstance(given, str):
            from importlib.metadata import entry_points  # noqa: PLC0415 - only for names

            found = next((point.value for point in entry_points(group="tokentrail.integrations") if point.name == given), given)
            module, _, name = found.partition(":")
            return module, name or "INTEGRATION"
        return next((name, key) for name, module in tuple(sys.modules.items()) for key, value in tuple(vars(module).items()) if value is given)

    def the_integration(self) -> Integration:
        """The integration that is checked."""
        if isinstance(self.integration, Integration):
            return self.integration
        module, name = self.entry_point()
        return getattr(import_module(module), name)  # type: ignore[no-any-return]

    def the_hooks(self) -> tuple[Hook, ...]:
        """The hooks of the integration that is checked, and those of the SDKs through which the SDK sends."""
        below = [integrations()[name] for name in self.sends_through]
        return tuple(hook for each in (self.the_integration(), *below) for hook in each.hooks)

    @contextmanager
    def hooked(self, stage: Stage, case: Case | None = None, hooks: Sequence[Hook] | None = None, *, failures: bool = False) -> Iterator[Usages]:
        """Puts the hooks on; gives the usages that are recorded. Afterwards no exception of the integration may have been swallowed."""
        with self.running(stage, case, hooks) as runtime:
            with collect_usages() as usages:
                yield usages
            errors = dict(runtime.diagnostics.internal_errors)
        promise(bool(errors) == failures or not errors, f"the integration raised exceptions, which were swallowed: {errors}")
        promise(errors or not failures, "the integration's exceptions were neither counted nor logged")

    @contextmanager
    def running(self, stage: Stage, case: Case | None, hooks: Sequence[Hook] | None = None, **settings: Any) -> Iterator[Runtime]:
        """Puts the hooks on, in a runtime of their own with these settings."""
        hosts = {stage.url.rpartition("/")[2]: case.recording.provider} if case is not None else {}
        put = tuple(hooks if hooks is not None else self.the_hooks())
        with Runtime(current.settings.with_(**{"estimate": False, "provider_hosts": hosts, **settings})).in_place() as runtime:
            try:
                for hook in put:
                    patching.apply(hook)
                yield runtime
            finally:
                for hook in put:
                    patching.remove(hook)

    @contextmanager
    def calling(self, stage: Stage, case: Case) -> Iterator[tuple[Any, Steps]]:
        """A client of the case, and the steps in which it is called."""
        steps = Steps(asynchronous=case.asynchronous)
        with self.repeatable():
            try:
                client, leave = steps.enter(steps.make(lambda: self.client(stage.url, case)))
                try:
                    yield client, steps
                finally:
                    leave()
            finally:
                steps.end()

    def look(self, stage: Stage, case: Case, *, copies: bool = True) -> Seen:
        """Makes one call and reads its answer; returns all that the caller saw."""
        seen = Seen()
        with without_collections(), warnings.catch_warnings(record=True) as warned, self.calling(stage, case) as (client, steps):
            warnings.simplefilter("always")
            try:
                self._read_all(stage, case, client, steps, seen, copies)
            except Exception as error:
                seen.error = shown_error(error)
        told = [each for each in warned if not issubclass(each.category, ResourceWarning)]
        seen.warnings = [(each.category, str(each.message), each.filename, each.lineno) for each in told]
        seen.requests = [sent(each, self.adds_to_requests) for each in stage.asked]
        return seen

    def requests_so_far(self, stage: Stage, case: Case, steps: Steps) -> int:
        """Returns how many requests the client has sent; those that are on their way have a moment to arrive."""
        began = time.monotonic()
        while len(stage.asked) <= len(self.earlier(case)) and stage.may_come(time.monotonic() - began):
            steps.idle()
            time.sleep(0.002)
        return len(stage.asked)

    def _read_all(self, stage: Stage, case: Case, client: Any, steps: Steps, seen: Seen, copies: bool) -> None:
        answer = steps.wait(self.ask(client, case))
        if not case.stream or case.style:
            if copies:
                seen.copies_of_the_answer = copies_of(answer)
            seen.answer = shown(answer if case.style else steps.wait(self.whole(answer, case)))
            return
        seen.answer = names_of(answer)
        seen.requests_before_the_first_item = self.requests_so_far(stage, case, steps)
        for item in steps.iterate(self.items(answer, case)):
            seen.items.append(shown(item))
            if copies and len(seen.items) <= 2:  # noqa: PLR2004 - the others are of the same types
                seen.copies_of_items.append(copies_of(item))


def _suits(recording: Recording) -> int:
    """A stream of many pieces can be left in the middle; a short answer shows as much as a long one."""
    return len(recording.chunks) if recording.stream else -len(recording.body)


def _can_be_left(recording: Recording) -> bool:
    """Whether a recording is a stream with a middle."""
    return recording.stream and len(recording.chunks) > 3  # noqa: PLR2004


def names_of(stream: Any) -> Any:
    """What can be seen of a stream that is not read yet: its types and names, and those of its parts."""
    names = [getattr(stream, name, None) for name in ("__name__", "__qualname__")]
    parts = {name: type(each) for name, each in stream.items()} if isinstance(stream, dict) else {}
    return type(stream), names, parts, sorted(name for name in dir(stream) if not name.startswith("_"))
