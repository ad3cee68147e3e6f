"""Providers with a key or an address are asked at their own place, the others are the stand-in: one server more plays the real Ollama."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx

from examples.services.local.parts import SERVICES, Parts, real_providers
from tokentrail.local.child import Child
from tokentrail.local.collector import Built
from tokentrail.local.ports import answers, free_port


def test_a_key_or_an_address_says_so() -> None:
    assert real_providers({}) == []
    assert real_providers({"GROQ_API_KEY": "k", "OPENAI_API_KEY": ""}) == ["groq"]
    assert real_providers({"OLLAMA_HOST": "http://127.0.0.1:11434", "OPENAI_API_KEY": "k"}) == ["openai", "ollama"]


def test_the_others_are_the_stand_in(collector_binary: Path, tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, str(SERVICES / "local" / "providers.py"), "--port", str(port)]
    with (
        Child("a real Ollama", command, ready=lambda: answers(url)).start(),
        Parts(tmp_path / "services", Built(collector_binary, ""), real=["ollama"], settings={"OLLAMA_HOST": url}) as parts,
    ):
        answer = httpx.post(f"{parts.url['query']}/query", json={"question": "[limit] Who answers?"}, headers={"X-Tenant-ID": "acme"}, timeout=60)
        assert answer.status_code == 200, answer.text
        asked = {name: httpx.get(f"{where}/truth").json()["answered"] for name, where in {"real": url, "stand-in": parts.url["providers"]}.items()}
    assert [(told["provider"], told["status"]) for told in asked["real"]] == [("ollama", 200)]
    assert [(told["provider"], told["status"]) for told in asked["stand-in"]] == [("groq", 429)]
