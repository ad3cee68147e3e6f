"""The promise that nothing of prompts, answers and keys leaves the process: not in the journal's files, in spans, in metrics, nor in logs."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from tokentrail.testing.conformance.bodies import pieces_with
from tokentrail.testing.conformance.case import Case
from tokentrail.testing.conformance.kept import without_collections
from tokentrail.testing.conformance.kit import Kit, promise
from tokentrail.testing.conformance.left import SETTINGS, Left, leaving
from tokentrail.testing.conformance.marks import HALVES, marked
from tokentrail.testing.conformance.promises_of_failures import broken_hooks
from tokentrail.testing.conformance.stage import Stage, UnplayableError

__all__ = ["PromisesOfPrivacy"]

_MARK: Final = "".join(HALVES)


class PromisesOfPrivacy(Kit):
    """Tests of what a call leaves behind."""

    def test_no_prompt_no_answer_and_no_key_leaves(self, stage: Stage, tmp_path: Path) -> None:
        """Read to the end, left in the middle, cut, refused by an error that repeats prompt and key, and where the integration itself fails."""
        sent = answered = keyed = False
        asks = any(marked(case.recording.request) != case.recording.request for case in self.private_cases())
        for number, plain in enumerate(self.private_cases()):
            case = replace(plain, recording=replace(plain.recording, request=marked(plain.recording.request)))
            with leaving(tmp_path / str(number)) as left:
                for seen in self._calls(stage, case, left):
                    sent = sent or any(_MARK.encode() in asked.body for asked in stage.asked)
                    keyed = keyed or any(self.key in asked.head for asked in stage.asked)
                    answered = answered or _MARK in seen
            kinds = {place.partition(" ")[0] for place in left.places}
            promise({"file", "log"} <= kinds, f"{case}: the calls left no journal or no log: {kinds}")
            found = {place: left.places[place] for place in left.where(_MARK, self.key)}
            promise(not found, f"{case}: the text of a prompt, an answer or a key is in {found}")
        promise(sent or not asks, "no request had a text of a prompt: nothing was looked for")
        promise(answered, "the caller saw no text of an answer: nothing was looked for")
        promise(keyed, "no request had the key in its headers: `client` has to give the SDK `key`")

    def private_cases(self) -> Sequence[Case]:
        """Returns the calls that are made: the plain and the streamed cases. To be overridden where the request of none of them has a text."""
        return self.some_cases()

    def _calls(self, stage: Stage, case: Case, left: Left) -> Iterator[str]:
        """Makes calls of all ways; yields what the caller saw of each, as a text."""
        pieces = pieces_with(case.recording, marked)
        plays: list[Callable[[], None]] = [partial(self.play, stage, case, pieces)]
        plays.append(partial(self.play, stage, case, [self._refusal()], content_type="application/json", status=400))
        if case.stream:
            plays.append(partial(self.play, stage, case, pieces, cut_after=len(pieces) // 2))
            plays.append(partial(self.play, stage, case, self._failing(case, pieces)))
        settings = {**SETTINGS, "journal_dir": str(left.folder)}
        with self.running(stage, case, **settings) as runtime:
            for play in plays:
                with suppress(UnplayableError):
                    play()
                    yield repr(self.look(stage, case, copies=False))
            if case.stream:
                plays[0]()
                yield self._leave(stage, case)
            runtime.settle(10)
            left.read()
        for before in (True, False):
            plays[0]()
            with self.running(stage, case, tuple(broken_hooks(self.the_hooks(), self._fail, before=before)), **settings):
                yield repr(self.look(stage, case, copies=False))
                left.read()

    def _leave(self, stage: Stage, case: Case) -> str:
        """Reads the first item of a stream, and drops the stream."""
        with without_collections(), self.calling(stage, case) as (client, steps):
            stream = self.items(steps.wait(self.ask(client, case)), case)
            items = steps.iterate(stream)
            seen = repr(next(items, None))
            items.close()  # type: ignore[attr-defined]
            del stream, items
            gc.collect()
            steps.idle()
        return seen

    def _refusal(self) -> bytes:
        """An error that repeats prompt and key in each of its fields."""
        text = f"{_MARK}: {self.key}"
        inner = {"message": text, "type": text, "code": text, "status": text, "param": text, "metadata": {"raw": text}}
        return json.dumps({"error": inner, "message": text, "code": text, "type": "error", "detail": text, "id": "e1"}).encode()

    def _failing(self, case: Case, pieces: Sequence[bytes]) -> list[bytes]:
        """Returns the first half of a stream, and an error in the place of the other, in the body's shape: of AWS frames no frame."""
        error = self._refusal()
        ends = {"sse": b"event: error\ndata: " + error + b"\n\n", "ndjson": error + b"\n"}
        return [*pieces[: len(pieces) // 2], ends.get(case.recording.shape, error)]

    def _fail(self, *_: Any, **__: Any) -> Any:
        """The integration's mistake, whose message holds all that must not be told."""
        raise ValueError(f"no number: {_MARK} {self.key}") from KeyError(_MARK, self.key)
