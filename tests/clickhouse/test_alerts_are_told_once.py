"""An alert is told once when it fires and once when it is over, to each target, whatever fails between; and no secret is in any output."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.message import Message
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.support.alert_receivers import Mail, Web, active, mail, web
from tests.support.ledger_rows import Land, usage
from tokentrail.alerts.check import Asked, Told, ask, tell
from tokentrail.alerts.conditions import BY_NAME, Finding
from tokentrail.alerts.messages import harmless
from tokentrail.alerts.states import Alert, advance
from tokentrail.alerts.store import alerts, leased
from tokentrail.alerts.targets import targets
from tokentrail.alerts.thresholds import Thresholds, parse
from tokentrail.budgets.files import parse as budgets
from tokentrail.budgets.store import put
from tokentrail.cli.group import cli
from tokentrail.clickhouse.client import Client
from tokentrail.local.ports import free_port
from tokentrail.prices.files import parse as prices
from tokentrail.prices.store import load

pytest.importorskip("apprise", reason="tokentrail[notify] is not installed")

START = datetime(2026, 11, 27, 12, tzinfo=timezone.utc)
CONDITION = BY_NAME["error_share"]
SECRET = "hunter2-TIiajkdnlazkcOXrIdevi7FQ"
Check = Callable[..., Told]


def finding(subject: str = "p / m", value: float = 20.0, detail: str = "8 of 40 calls") -> Finding:
    return Finding("error_share", subject, value, 10.0, 8.0, value > 10, detail)


@pytest.fixture
def hook() -> Iterator[Web]:
    with web() as server:
        yield server


@pytest.fixture
def post() -> Iterator[tuple[Mail, str]]:
    port = free_port()
    with mail(port) as server:
        yield server, f"mailto://127.0.0.1:{port}?from=alerts@example.com&to=sre@example.com"


@pytest.fixture
def check(database: Client) -> Check:
    def run(minutes: float, found: list[Finding], *addresses: str, thresholds: str = "[error_share]\nhold = 0") -> Told:
        return tell(database, Asked(found, [CONDITION]), parse(thresholds), targets(addresses), now=START + timedelta(minutes=minutes))

    return run


def body_of(message: Message) -> str:
    part = next(each for each in message.walk() if each.get_content_type().startswith("text/"))
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


def test_once_when_it_fires_and_once_when_it_is_over(check: Check, hook: Web, post: tuple[Mail, str]) -> None:
    to = (f"json://{hook.host}/in", f"alertmanager://{hook.host}", post[1])
    for minute in range(0, 20, 5):
        told = check(minute, [finding()], *to)
        assert not told.failed
    assert check(20, [finding(value=9.0)], *to).alerts["error_share", "p / m"].state == "firing", "above 8 it goes on"
    for minute in (25, 30):
        check(minute, [finding(value=8.0)], *to)
    hooks = [body for path, _, body in hook.requests if path == "/in"]
    assert [(each["type"], each["title"]) for each in hooks] == [("failure", "tokentrail: error share"), ("success", "tokentrail: error share")]
    assert "Firing:\n- p / m: 20 percent of calls (threshold 10); 8 of 40 calls\n" in hooks[0]["message"]
    assert "Resolved:\n- p / m: 8 percent of calls" in hooks[1]["message"]
    assert all("What to do: tokentrail check --runbook error_share" in each["message"] for each in hooks)
    assert [each["Subject"] for each in post[0].messages] == ["tokentrail: error share"] * 2
    posts = [body for path, _, body in hook.requests if path == "/api/v2/alerts"]
    assert len(posts) == 6, "as Prometheus does: at each check while it fires, and once with its end"
    assert active(posts[:5]) == {("TokentrailErrorShare", "p / m")}
    assert active(posts) == set()


def test_who_was_not_reached_hears_it_at_the_next_check_and_nobody_twice(check: Check, hook: Web) -> None:
    with web() as other:
        to = (f"json://{hook.host}/", f"json://{other.host}/")
        other.status = 503
        told = check(0, [finding()], *to)
        assert told.failed == ["target 2 (json) has not taken the message on error share: the next check tries again"]
        other.status = 200
        assert not check(5, [finding()], *to).failed
        hook.status = 500
        assert check(10, [], *to).failed
        hook.status = 200
        check(15, [], *to)
        check(20, [], *to)
        kinds = [[each["type"] for each in server.bodies] for server in (hook, other)]
    assert kinds == [["failure", "success", "success"], ["failure", "failure", "success"]], "each refused once, and taken once"


def test_an_alert_that_nobody_heard_of_ends_in_silence_and_a_new_one_is_new(check: Check, hook: Web) -> None:
    hook.status = 500
    check(0, [finding()], f"json://{hook.host}/")
    hook.status = 200
    check(5, [], f"json://{hook.host}/")
    assert len(hook.requests) == 1
    check(10, [finding()], f"json://{hook.host}/")
    assert [each["type"] for each in hook.bodies] == ["failure", "failure"]


def test_a_hold_waits_and_a_blip_is_not_told(check: Check, hook: Web) -> None:
    held = {"thresholds": "[error_share]\nhold = 10"}
    to = f"json://{hook.host}/"
    check(0, [finding()], to, **held)
    check(5, [], to, **held)
    check(6, [finding()], to, **held)
    assert check(15, [finding()], to, **held).sent == 0
    assert check(16, [finding()], to, **held).sent == 1


def test_a_condition_that_is_turned_off_is_over_and_one_that_is_not_asked_is_not(database: Client, check: Check, hook: Web) -> None:
    to = targets([f"json://{hook.host}/", f"alertmanager://{hook.host}"])
    check(0, [finding()], f"json://{hook.host}/", f"alertmanager://{hook.host}")
    told = tell(database, Asked([], [BY_NAME["rise"]]), Thresholds(), to, now=START + timedelta(minutes=5))
    assert told.alerts["error_share", "p / m"].state == "firing"
    told = tell(database, Asked([], [BY_NAME["rise"]]), parse("[error_share]\noff = true"), to, now=START + timedelta(minutes=10))
    assert told.alerts["error_share", "p / m"].state == "ended"
    assert [body["type"] for path, _, body in hook.requests if path == "/"] == ["failure", "success"]
    assert active([body for path, _, body in hook.requests if path != "/"]) == set()


def test_another_subject_is_told_and_the_incident_stays_open_until_the_last(check: Check, hook: Web) -> None:
    to = f"json://{hook.host}/"
    check(0, [finding("a")], to)
    check(5, [finding("a"), finding("b")], to)
    check(10, [finding("b")], to)
    check(15, [], to)
    assert [each["type"] for each in hook.bodies] == ["failure", "failure", "failure", "success"]
    second, third = hook.bodies[1]["message"], hook.bodies[2]["message"]
    assert "- b:" in second
    assert "- a:" not in second
    assert "Resolved:\n- a:" in third
    assert "Still firing: 1 of error share" in third


def test_two_checks_at_once_tell_once(database: Client, check: Check, hook: Web) -> None:
    with leased(database) as lease:
        assert lease is not None
        assert check(0, [finding()], f"json://{hook.host}/").busy
        with leased(database) as second:
            assert second is None
    assert (hook.requests, alerts(database)) == ([], {})
    assert check(1, [finding()], f"json://{hook.host}/").sent == 1


def test_of_many_checks_at_the_same_moment_one_has_the_number(dsn: str, database: Client) -> None:
    from tokentrail.clickhouse.client import connect

    ready, done = threading.Barrier(6), threading.Barrier(6)
    held: list[bool] = []

    def run() -> None:
        client = connect(dsn)
        ready.wait()
        with leased(client) as lease:
            held.append(lease is not None)
            done.wait()
        client.close()

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(held) == [False] * 5 + [True]
    with leased(database) as lease:
        assert lease is not None, "the next check has its turn"


HOSTILE = (
    "<!channel> @everyone [gift](https://evil.example) <img src=x onerror=alert(1)>\r\nBcc: victim@example.com\u202e www.evil.example `x` "
    + "x" * 5000
)


def test_hostile_names_are_texts_in_every_medium(check: Check, hook: Web, post: tuple[Mail, str]) -> None:
    found = [finding(f"{HOSTILE}{number}"[-4000:] if number % 2 else f"{number} {HOSTILE}", detail=HOSTILE) for number in range(30)]
    check(0, found, f"json://{hook.host}/in", f"alertmanager://{hook.host}", post[1] + "&format=html", post[1] + "&format=text")
    texts = [body["message"] for path, _, body in hook.requests if path == "/in"]
    texts += [body_of(each) for each in post[0].messages]
    (posted,) = [body for path, _, body in hook.requests if path == "/api/v2/alerts"]
    texts += [text for each in posted for part in ("labels", "annotations") for text in each[part].values()]
    assert len(posted) == 30
    assert len(post[0].messages) == 2
    for text in texts:
        for sign in ("<!channel", "<img", "@everyone", "](http", "https://evil", "www.evil", "\u202e", "victim@", "`x`"):
            assert sign not in text
        assert len(text) < 6000
    assert all("and 20 more" in text for text in texts[:1])
    for each in post[0].messages:
        assert each["To"] == "sre@example.com"
        assert each["Bcc"] is None


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("", "(none)"),
        ("\u200b\u202e\x00", "(none)"),
        ("gpt-4o / AT&T's *team*", "gpt-4o / AT&T's *team*"),
        ("日本語", "日本語"),
        ("a\r\nb\u2028c", "a b c"),
    ],
)
def test_a_text_is_one_line(given: str, seen: str) -> None:
    assert harmless(given) == seen


@pytest.fixture
def run(dsn: str, database: Client, land: Land) -> Callable[..., Result]:
    now = datetime.now(timezone.utc)
    ts = int(now.timestamp()) * 10**9 - 60 * 10**9
    land(*(usage(seq=number, ts=ts + number, content=str(number), more={"ended": "error", "error_type": "500"}) for number in range(1, 31)))
    return lambda *arguments, **env: CliRunner(env={"TOKENTRAIL_CLICKHOUSE_DSN": dsn, "TOKENTRAIL_NOTIFY": None} | env).invoke(
        cli, ["check", *arguments]
    )


def test_the_command_says_what_the_questions_say(run: Callable[..., Result], database: Client, tmp_path: Path) -> None:
    shown = run("--json")
    assert shown.exit_code == 1
    rows = json.loads(shown.stdout)
    found = ask(database, list(BY_NAME.values()), Thresholds()).firing
    assert [(row["condition"], row["subject"], row["value"]) for row in rows] == [(each.condition, each.subject, each.value) for each in found]
    assert "error_share" in {row["condition"] for row in rows}
    assert "✗" in run("error_share").stdout
    quiet = tmp_path / "thresholds.toml"
    quiet.write_text("[error_share]\nleast_calls = 100\n[missing_events]\noff = true\n")
    calm = run("error_share", "quarantine", "--thresholds", str(quiet))
    assert (calm.exit_code, calm.stdout) == (0, "✓ nothing fires, 2 conditions looked at\n")
    assert "## Look at" in run("--runbook", "error_share").stdout
    assert [row["condition"] for row in json.loads(run("--list", "--json").stdout)] == list(BY_NAME)


def test_no_secret_is_shown_or_kept(run: Callable[..., Result], database: Client, hook: Web, caplog: pytest.LogCaptureFixture) -> None:
    hook.status = 500
    addresses = [
        f"json://user:{SECRET}@{hook.host}/{SECRET}",
        f"alertmanager://user:{SECRET}@{hook.host}/{SECRET}",
        f"mailto://user:{SECRET}@127.0.0.1:{free_port()}?from=a@example.com&to=b@example.com",
        f"json://127.0.0.1:{free_port()}/{SECRET}",
    ]
    with caplog.at_level("DEBUG"):
        told = run("error_share", "--notify", "--thresholds", "/dev/null", TOKENTRAIL_NOTIFY=" ".join(addresses))
        thresholds = parse("[error_share]\nhold = 0")
        again = tell(database, ask(database, [CONDITION], thresholds), thresholds, targets(addresses))
    assert told.exit_code == 1
    assert len(again.failed) == 4
    kept = str(database.query("SELECT * FROM alerts").rows) + str(database.query("SELECT * FROM alert_checks").rows)
    for text in (told.output, kept, caplog.text, "".join(again.failed)):
        assert SECRET not in text
    sent = next(headers for path, headers, _ in hook.requests if "/api/v2/" in path)
    assert "Basic" in {name.lower(): value for name, value in sent.items()}["authorization"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["eror_share"], "there is no condition 'eror_share'. Did you mean error_share?"),
        (["--runbook", "x"], "there is no condition 'x'. There are error_share"),
        (["--notify"], "has nobody to tell"),
        (["--notify", "--target", f"nonsense://{SECRET}"], "target 1 cannot be used: apprise does not know it"),
        (["--notify", "--target", f"json://h/{SECRET}", "--target", f"slack://{SECRET}"], "target 2 cannot be used"),
        (["--notify", "--target", f"alertmanager://:{SECRET}@"], "target 1 cannot be used: it is no alertmanager://host:port"),
        (["--notify", "--target", "@/nowhere"], "the file /nowhere cannot be read"),
        (["--thresholds", "/nowhere"], "/nowhere cannot be read"),
    ],
)
def test_misuse_is_one_sentence_without_secrets(arguments: list[str], sentence: str) -> None:
    asked = CliRunner(env={"TOKENTRAIL_CLICKHOUSE_DSN": "http://127.0.0.1:9/none", "TOKENTRAIL_NOTIFY": None}).invoke(cli, ["check", *arguments])
    assert asked.exit_code == 2
    assert sentence in asked.output
    assert asked.output.count("\n") == 1
    assert SECRET not in asked.output


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[eror_share]", "there is no condition 'eror_share'. Did you mean error_share?"),
        ("error_share = 1", "error_share is a table: write \\[error_share\\]"),
        ("[error_share]\npercnt = 1", "error_share has 'percnt', which is not known. Did you mean percent?"),
        ("[error_share]\npercent = -1", "percent is '-1': a whole number from 0 to 65535"),
        ("[error_share]\npercent = 1.5", "error_share: percent is 1.5: a whole number, a text or a list of texts"),
        ("[error_share]\npercent = nan", "error_share: percent is NaN: a whole number"),
        ("[error_share]\npercent = 'nan'", "percent is 'nan': a whole number from 0 to 65535"),
        ("[error_share]\npercent = []", "percent is one value, and 0 are given"),
        ("[error_share]\npercent = true", "percent is True: a whole number"),
        ("[error_share]\nminutes = 0", "minutes is 0, and nothing is ever found"),
        ("[rise]\nleast_tokens = -5", "least_tokens is '-5': a whole number from 0"),
        ("[[error_share]]", "error_share is a table: write \\[error_share\\]"),
        ("[error_share]\nto = '2026'", "error_share has 'to'"),
        ("[error_share]\nhold = -1", "hold is -1: whole minutes"),
        ("[error_share]\nseverity = 'loud'", "severity is 'loud': one of page, ticket"),
        ("[error_share]\noff = 1", "off is 1: true or false"),
        ("[rise]\nby = 'modell'", "by is 'modell'. Did you mean model"),
        ("runbooks = 1", "runbooks is 1"),
        ("[error_share", "this is no TOML"),
    ],
)
def test_a_file_of_thresholds_is_read_strictly(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        parse(text)


def test_a_message_that_a_kill_cut_off_is_told_by_the_next_check(database: Client, check: Check, hook: Web) -> None:
    class Killed(BaseException):
        pass

    class Deadly:
        repeats, id, name = False, "deadly", "a target"

        def send(self, _message: object) -> bool:
            raise Killed

    with ExitStack() as stack:
        stack.enter_context(pytest.raises(Killed))
        tell(database, Asked([finding()], [CONDITION]), parse("[error_share]\nhold = 0"), [*targets([f"json://{hook.host}/"]), Deadly()], now=START)  # type: ignore[list-item]
    assert len(hook.requests) == 1
    assert check(5, [finding()], f"json://{hook.host}/").sent == 0, "who has heard does not hear it again"


def test_a_hold_ends_with_its_last_moment_and_an_alert_below_clear() -> None:
    holds = {"error_share": timedelta(minutes=10)}
    pending = advance({}, [finding()], holds, START)
    (key,) = pending
    assert pending[key].state == "pending"
    assert advance(pending, [finding()], holds, START + timedelta(minutes=10, microseconds=-1))[key].state == "pending"
    assert advance(pending, [], holds, START + timedelta(minutes=10))[key].state == "ended"
    firing = advance(pending, [finding()], holds, START + timedelta(minutes=10))
    assert (firing[key].state, firing[key].fired_at) == ("firing", START + timedelta(minutes=10))
    later = START + timedelta(minutes=11)
    assert advance(firing, [finding(value=9)], holds, later)[key].state == "firing", "between clear and threshold it goes on"
    assert advance(firing, [finding(value=8)], holds, later)[key].state == "ended", "nobody was told, so nobody is told that it is over"
    assert advance({}, [finding(value=9)], holds, later) == {}, "between clear and threshold none begins"
    told = {key: replace(firing[key], told=frozenset({"gone"}))}
    assert advance(told, [], holds, later, targets=frozenset({"a"}))[key].state == "ended", "a target that is no longer told keeps nothing open"


def test_states_follow_from_what_was_found() -> None:
    holds = {"error_share": timedelta(0)}
    first = advance({}, [finding()], holds, START)
    (alert,) = first.values()
    assert (alert.state, alert.fired_at) == ("firing", START)
    told = Alert(**{**{name: getattr(alert, name) for name in alert.__dataclass_fields__}, "told": frozenset({"a", "b"})})
    over = advance({told.key: told}, [], holds, START, targets=frozenset({"a", "b"}))[told.key]
    assert over.state == "resolved"
    half = Alert(**{**{name: getattr(over, name) for name in over.__dataclass_fields__}, "told_resolved": frozenset({"a"})})
    again = advance({half.key: half}, [finding()], holds, START, targets=frozenset({"a", "b"}))[told.key]
    assert (again.state, again.told) == ("firing", frozenset({"b"})), "for b it has never ended"
    assert advance({half.key: half}, [], {}, START) == {half.key: half}, "a condition that was not asked stays"


def test_a_question_that_fails_leaves_the_others_alone(run: Callable[..., Result], database: Client) -> None:
    load(database, prices('[[price]]\nprovider = "openai"\nmodel = "*"\ncurrency = "CHF"\ninput = 1\noutput = 2\n'))
    put(database, budgets('[[budget]]\nname = "b"\nmoney = 5\nper = "month"\n'))
    shown = run("error_share", "budget_spent", "--json")
    assert shown.exit_code == 1
    assert [row["condition"] for row in json.loads(shown.stdout)] == ["error_share"]
    assert "budget_spent cannot be answered, and stays as it was" in shown.stderr
    alone = run("budget_spent")
    assert (alone.exit_code, alone.stderr.count("Error")) == (2, 1)
