"""Promises of every call: the counts are exact, each call is one row, and the caller sees what he would see without tokentrail."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tokentrail.testing.conformance.bodies import BAD, pieces_with
from tokentrail.testing.conformance.case import Case
from tokentrail.testing.conformance.kept import keepers_of
from tokentrail.testing.conformance.kit import Kit, promise
from tokentrail.testing.conformance.marks import HALVES, marked
from tokentrail.testing.conformance.records import assert_sound, fields_of, rows
from tokentrail.testing.conformance.seen import difference
from tokentrail.testing.conformance.stage import Stage, UnplayableError
from tokentrail.usage import Usage

__all__ = ["PromisesOfCalls"]


class PromisesOfCalls(Kit):
    """Tests of single calls."""

    def test_counts_are_exact_and_each_call_is_one_row(self, stage: Stage, case: Case) -> None:
        """Every field that the recording expects, and no other row."""
        expected = self.expected(case.recording)
        if expected is None:
            raise AssertionError(f"{case.recording.id} does not say what is to be counted (`expected_usages`, or the method `expected`)")
        self.play(stage, case)
        with self.hooked(stage, case) as usages:
            self.look(stage, case, copies=False)
            found = [fields_of(usage, like) for usage, like in zip(usages.recorded, [*expected, *[{}] * len(usages.recorded)], strict=False)]
        promise(len(found) == len(expected), f"one row per call: {len(expected)} expected, recorded: {rows(usages)}")
        for one, other in zip(found, expected, strict=True):
            wrong = {name: (one[name], value) for name, value in other.items() if one[name] != value and not (name == "error_type" and value is None)}
            promise(not wrong, f"fields that are not as the provider states them (recorded, expected): {wrong}")

    def test_the_caller_sees_the_same(self, stage: Stage, case: Case) -> None:
        """Values, types, exceptions with the SDK's frames, items, copies, pickles, warnings, and requests."""
        self.play(stage, case)
        bare = self.look(stage, case)
        self.play(stage, case)
        with self.hooked(stage, case):
            hooked = self.look(stage, case)
        different = difference(bare, hooked)
        promise(not different, f"the caller sees something else: {different}")

    @pytest.mark.parametrize("bad", BAD)
    def test_bad_answers_harm_nobody(self, stage: Stage, bad: str) -> None:
        """The caller gets what the SDK makes of a bad answer, and the row states what is known: counts of 0 and more, or none."""
        cases = self.some_cases()
        played, unplayable = False, ""
        for case in (cases[0], cases[-1]) if bad == "ten megabytes" else cases:
            pieces = BAD[bad](case.recording)
            content_type = "text/html" if bad == "a page" else None
            try:
                self.play(stage, case, pieces, content_type=content_type)
            except UnplayableError as error:
                unplayable = str(error)
                continue
            played = True
            bare = self.look(stage, case, copies=False)
            self.play(stage, case, pieces, content_type=content_type)
            with self.hooked(stage, case) as usages:
                hooked = self.look(stage, case, copies=False)
                found = usages.recorded
            different = difference(bare, hooked)
            promise(not different, f"{case}, {bad}: the caller sees something else: {different}")
            promise(len(found) <= 1, f"{case}, {bad}: one row per call, recorded: {rows(found)}")
            for usage in found:
                assert_sound(usage)
                if bad == "counts are None":
                    self._assert_not_stated_is_not_0(case, usage)
        if not played:
            pytest.skip(unplayable)

    def _assert_not_stated_is_not_0(self, case: Case, usage: Usage) -> None:
        stated = (self.expected(case.recording) or [{}])[0]
        wrong = [name for name in ("input_tokens", "output_tokens") if getattr(usage, name) == 0 and stated.get(name) != 0]
        promise(not wrong, f"{case}: what the provider does not state was recorded as 0: {wrong}")

    def test_no_prompt_or_answer_is_kept(self, stage: Stage) -> None:
        """Neither in the record nor in memory, once the caller has dropped the answer."""
        cases = self.some_cases()

        def call(plain: Case) -> None:
            recording = replace(plain.recording, request=marked(plain.recording.request))
            asked = replace(plain, recording=recording)
            self.play(stage, asked, pieces_with(recording, marked))
            self.look(stage, asked, copies=False)
            self.play(stage, plain, [])  # what the server remembers of the call

        for case in cases:
            call(case)
        kept_by_the_sdk = keepers_of(HALVES)
        for case in cases:
            with self.hooked(stage, case) as usages:
                call(case)
                record = repr(usages.recorded)
            promise("".join(HALVES) not in record, f"{case}: the record has the text of the prompt or the answer: {record}")
        kept = keepers_of(HALVES) - kept_by_the_sdk
        promise(not kept, f"the text of a prompt or an answer is still in memory after the call, kept by {sorted(kept)}")
