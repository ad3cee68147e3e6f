"""Promises of the integration itself: its data, its hooks on and off, imports, forks, and the function calls that it adds."""

from __future__ import annotations

import gc
import inspect
import json
import os
import pydoc
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import FunctionType
from typing import Any

import pytest

from tokentrail.instrumentation import patching
from tokentrail.instrumentation.contract import Hook
from tokentrail.instrumentation.versions import is_supported
from tokentrail.testing.conformance.bodies import place_of_usual_piece
from tokentrail.testing.conformance.case import Case
from tokentrail.testing.conformance.forking import code_of_child
from tokentrail.testing.conformance.kit import Kit, promise
from tokentrail.testing.conformance.records import rows
from tokentrail.testing.conformance.seen import look_of
from tokentrail.testing.conformance.stage import Stage
from tokentrail.testing.usages import Usages

__all__ = ["PromisesOfPackages"]

LINES = 150
"""The most lines of an integration's own file."""
TRIES = 3


class PromisesOfPackages(Kit):
    """Tests of hooks and of the package."""

    def test_the_file_is_short(self) -> None:
        """An integration is data: what is longer belongs into a transport or a shape."""
        module = import_module(self.entry_point()[0])
        lines = len(inspect.getsource(module).splitlines())
        promise(lines <= LINES, f"{module.__name__} has {lines} lines, and may have {LINES}")

    def test_supported_versions_are_stated(self) -> None:
        """The range has both ends, and the installed version is in the range."""
        integration = self.the_integration()
        bounds = [each.strip()[:2].rstrip("0123456789") for each in integration.supports.split(",")]
        promise(sorted(bounds) == ["<", ">="], f"`supports` is a range with both ends, as in '>=1.2,<3': {integration.supports!r}")
        try:
            installed = version(integration.package)
        except PackageNotFoundError:
            pytest.skip(f"{integration.package} is not installed as a distribution")
        promise(is_supported(installed, integration.supports), f"{integration.package} {installed} is outside of {integration.supports}")

    def test_the_sdk_is_not_imported_before_the_application_imports_it(self) -> None:
        """Loading the integration and putting its hooks on imports nothing of the SDK; its import then applies the hooks."""
        module, name = self.entry_point()
        packages = sorted({hook.module.partition(".")[0] for hook in self.the_integration().hooks} - {"google"})
        modules = [hook.module for hook in self.the_integration().hooks if hook.module in sys.modules]
        program = f"""
            import importlib, json, sys
            from tokentrail.instrumentation import patching
            integration = getattr(importlib.import_module({module!r}), {name!r})
            for hook in integration.hooks:
                patching.apply(hook, integration)
            early = [name for name in {packages!r} + {modules!r} if name in sys.modules]
            for name in {modules!r}:
                importlib.import_module(name)
            missing = [hook.name for hook in integration.hooks if hook.module in {modules!r} and not hook.optional and not patching.is_on(hook)]
            print(json.dumps([early, missing]))
            """
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        ran = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-c", textwrap.dedent(program)], env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        promise(ran.returncode == 0, f"the integration cannot be loaded in a new process: {ran.stderr}")
        early, missing = json.loads(ran.stdout.splitlines()[-1])
        promise(not early, f"imported before the application did: {early}")
        promise(not missing, f"not patched when the application imported the SDK: {missing}")

    def test_functions_look_the_same(self, stage: Stage) -> None:
        """`help()`, signatures, kinds, names, copies and pickles of every patched function, and `help()` of its class.

        Of a class that inherits the function, `help()` has to say that the class has one of its own.
        """
        places = [(hook, *patching.owner_of(hook, module)) for hook, module in self._hooks_there()]
        promise(places, "no hook's module can be imported")
        classes = [owner for _, owner, name in places if inspect.isclass(owner) and name in vars(owner)]

        def look() -> list[Any]:
            functions = [look_of(getattr(owner, name)) for _, owner, name in places]
            return functions + [pydoc.plain(pydoc.render_doc(owner)).splitlines() for owner in classes]

        look()  # the first `help()` of a class leaves an empty `__annotations__` there, which the second one shows
        bare = look()
        with self.hooked(stage):
            promise(all(patching.is_on(hook) for hook, *_ in places), "a hook is not on")
            hooked = look()
        for one, other in zip(bare, hooked, strict=True):
            differences = [pair for pair in zip(one, other, strict=False) if pair[0] != pair[1]]
            promise(not differences and len(one) == len(other), f"looks different (without tokentrail, with it): {differences[:3]}")

    def test_uninstrumenting_restores_the_originals(self, stage: Stage) -> None:
        """Every attribute of every owner is the very object that it was, with the code that it had."""
        owners = {id(owner): owner for hook, module in self._hooks_there() for owner in (patching.owner_of(hook, module)[0], module)}

        def everything() -> dict[Any, Any]:
            return {(number, name): (id(value), *_inside(value)) for number, owner in owners.items() for name, value in tuple(vars(owner).items())}

        case = self.some_cases()[0]
        before = everything()
        for _ in range(2):
            self.play(stage, case)
            with self.hooked(stage, case):
                promise(everything() != before, "no hook was put on")
                self.look(stage, case, copies=False)
            changed = [name for (number, name), value in everything().items() if before.get((number, name)) != value and not name.startswith("__")]
            promise(not changed, f"not as they were after the hooks were taken off: {changed}")

    def test_hooks_that_are_put_on_twice_count_once(self, stage: Stage) -> None:
        """And those that are taken off count nothing."""
        for case in self.some_cases():
            self.play(stage, case)
            with self.hooked(stage, case) as usages:
                hooks = self.the_hooks()
                for hook in hooks:
                    patching.apply(hook)
                self.look(stage, case, copies=False)
                promise(len(usages.recorded) == 1, f"{case}: hooks that were put on twice count once: {rows(usages)}")
                for hook in hooks:
                    patching.remove(hook)
                self.play(stage, case)
                self.look(stage, case, copies=False)
                promise(len(usages.recorded) == 1, f"{case}: hooks that were taken off count nothing: {rows(usages)}")

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
    def test_a_forked_child_counts_its_own_calls(self, stage: Stage) -> None:
        """A call in the child is one row there, and none in the parent, which goes on."""
        for number, case in enumerate(self.some_cases()):
            self.play(stage, case)
            if not stage.forks:
                self._assert_counted_after_a_fork(stage, case, number)
                continue
            with self.hooked(stage, case) as usages:
                self.look(stage, case, copies=False)
                self.play(stage, case)
                code = code_of_child(partial(self._counts_a_second, stage, case, usages))
                promise(code == 0, f"{case}: the child of a fork did not count its own call once (exit code {code})")
                self.play(stage, case)
                self.look(stage, case, copies=False)
                promise(len(usages.recorded) == 2, f"{case}: the parent counts its own calls: {rows(usages)}")  # noqa: PLR2004

    def _assert_counted_after_a_fork(self, stage: Stage, case: Case, number: int) -> None:
        """Starts a process that forks before its first call; then the child calls, or the parent."""
        kind = type(self)
        for who in ("child", "parent"):
            self.play(stage, case)
            command = [
                sys.executable,
                "-m",
                "tokentrail.testing.conformance.forking",
                kind.__module__,
                kind.__qualname__,
                stage.url,
                str(number),
                who,
            ]
            environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
            ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603 - our own program
            promise(ran.returncode == 0, f"{case}: the {who} of a fork did not count its own call once: {ran.stderr}")

    def _counts_a_second(self, stage: Stage, case: Case, usages: Usages) -> bool:
        return self.look(stage, case, copies=False).error is None and len(usages.recorded) == 2  # noqa: PLR2004

    def test_few_calls_are_added(self, stage: Stage) -> None:
        """Functions of tokentrail and of the integration that run for a call, and for the usual chunk of each stream: counted, not timed."""
        for case in self.plain_cases():
            added = self._calls_added(stage, case)
            promise(added <= self.calls_per_call, f"{case}: {added} function calls are added to a call, more than {self.calls_per_call}")
        for case in self.every_streamed_case():
            place = place_of_usual_piece(case.recording)
            if place is None:
                continue
            for _ in range(TRIES):  # waits for the network add calls, and more of them on a busy machine
                each = self._calls_for_each(stage, case, place)
                if each <= self.calls_per_chunk:
                    break
            promise(each <= self.calls_per_chunk, f"{case}: {each} function calls are added to a chunk, more than {self.calls_per_chunk}")

    def _calls_for_each(self, stage: Stage, case: Case, place: int) -> int:
        """Counts the calls that one more piece costs, in whole calls: how a body is cut into packets adds some to forty pieces."""
        chunks = case.recording.chunks
        found = [self._calls_added(stage, case, [*chunks[:place], *[chunks[place]] * times, *chunks[place:]]) for times in (20, 60)]
        return round((found[1] - found[0]) / 40) - case.asynchronous  # a step that waits for the network is entered twice

    def _calls_added(self, stage: Stage, case: Case, pieces: list[bytes] | None = None) -> int:
        self.play(stage, case, pieces)
        with self.hooked(stage, case), self.calling(stage, case) as (client, steps):

            def call() -> None:
                answer = steps.wait(self.ask(client, case))
                if not case.stream:
                    steps.wait(self.whole(answer, case))
                else:
                    for _ in steps.iterate(self.items(answer, case)):
                        pass

            call()
            self.play(stage, case, pieces)
            return _calls_in(call, ("tokentrail.instrumentation", "tokentrail.integrations", self.entry_point()[0]))

    def _hooks_there(self) -> Iterator[tuple[Hook, Any]]:
        for hook in self.the_integration().hooks:
            try:
                module = import_module(hook.module)
            except ImportError:
                promise(hook.optional or len(self.the_integration().hooks) > 1, f"the module {hook.module} of a hook cannot be imported")
                continue
            if patching.is_there(hook, module):
                patching.owner_of(hook, module)
                if not hook.optional or hasattr(*patching.owner_of(hook, module)):
                    yield hook, module


def _inside(value: Any) -> tuple[Any, ...]:
    return (value.__code__, value.__defaults__, value.__kwdefaults__) if type(value) is FunctionType else ()


def _calls_in(action: Callable[[], Any], modules: tuple[str, ...]) -> int:
    """Counts the calls of Python functions of these modules, and of C functions from there, in this thread."""
    found = 0

    def count(frame: Any, event: str, _argument: Any) -> None:
        nonlocal found
        found += event in {"call", "c_call"} and str(frame.f_globals.get("__name__")).startswith(modules)

    gc.collect()
    gc.disable()
    try:
        sys.setprofile(count)
        action()
    finally:
        sys.setprofile(None)
        gc.enable()
    return found
