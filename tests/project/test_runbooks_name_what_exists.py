"""Every condition has a page, and every command, question and page that a page names exists."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from tokentrail.alerts.conditions import CONDITIONS
from tokentrail.alerts.runbooks import page
from tokentrail.alerts.thresholds import parse
from tokentrail.cli.group import cli
from tokentrail.ledger.query import questions, read

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted((DOCS / "runbooks").glob("*.md"))


def test_every_condition_has_a_page_and_no_page_is_left_over() -> None:
    assert {path.stem for path in PAGES} == {condition.name for condition in CONDITIONS}
    assert all(page(path.stem) == path.read_text("utf-8") for path in PAGES)


@pytest.mark.parametrize("path", [*PAGES, DOCS / "alerts.md", DOCS / "sre.md"], ids=lambda path: path.stem)
def test_what_a_page_names_exists(path: Path) -> None:
    text = path.read_text("utf-8")
    context = click.Context(cli)
    for name in re.findall(r"tokentrail query (\w+)", text):
        assert name in (*questions(), "condition_NAME"), name
    for name, parameter in re.findall(r"tokentrail query (\w+)[^\n`#]*?-p (\w+)=", text):
        assert parameter in [wanted.name for wanted in read(name).parameters], (name, parameter)
    for words in re.findall(r"(?:^|`)tokentrail ([a-z]+(?: [a-z]+)?)", text, re.MULTILINE):
        first, _, second = words.partition(" ")
        command = cli.get_command(context, first)
        assert command is not None, words
        if isinstance(command, click.Group) and (second or not command.invoke_without_command):
            assert command.get_command(context, second) is not None, words
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (path.parent / link).exists(), link


def test_the_page_for_sres_leads_to_every_runbook() -> None:
    text = (DOCS / "sre.md").read_text("utf-8")
    assert {*re.findall(r"\]\(runbooks/(\w+)\.md\)", text)} == {condition.name for condition in CONDITIONS}


def test_the_example_of_thresholds_is_read() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", (DOCS / "alerts.md").read_text("utf-8"), re.DOTALL)
    assert {name for name, chosen in parse(example).chosen.items() if chosen.off} == {"cache_share_drop"}
