"""The publish pipe on a real store: offered once, delivered until it is there, whatever fails on the way."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from aggregator.app import App
from aggregator.clock import ProgramClock
from aggregator.errors import DeliveryError
from aggregator.model import Delivery, Digest, Period
from aggregator.publishing import LONGEST_WAIT, is_due, wait_after
from tests.databases import database_of
from tests.smtp_sink import SmtpSink
from tests.store.make import item, poll

pytestmark = pytest.mark.usefixtures("every_kind")

START = datetime(2023, 12, 27, 6, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


class SetClock(ProgramClock):
    """A clock that stands until it is set."""

    def __init__(self, now: datetime = START) -> None:
        super().__init__(now)
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@contextmanager
def running(folder: Path, text: str = "", environ: dict[str, str] | None = None) -> Iterator[tuple[App, SetClock]]:
    (folder / "aggregator.toml").write_text(f'database = "{database_of(folder)}"\nzone = "UTC"\n{text}')
    app = App.from_options(config=str(folder / "aggregator.toml"), environ={"HOME": str(folder), **(environ or {})})
    clock = app.clock = SetClock()
    with app:
        yield app, clock


def bring(app: App, *keys: str, arrived_at: datetime | None = None) -> None:
    """Store items that nothing else resembles, as a poll brings them."""
    at = arrived_at or app.clock()
    words = {key: f"{key} alone {hashlib.sha256(key.encode()).hexdigest()}" for key in keys}
    poll(app.store, "a", [item(key, words[key], summary=words[key], at=at, arrived_at=at) for key in keys], now=at)


def offered(digest: Digest) -> list[str]:
    """The keys of the items that a digest offers as new."""
    return sorted(
        each.key for story in digest.stories for each in story.items if each.arrived_at and each.arrived_at > digest.period.from_at
    )


def make_new(app: App, name: str = "x") -> list[str]:
    """`digest --new --as NAME`, to its end."""
    last = app.last_digest(name)
    now = app.clock()
    made = app.digest(Period(last.to_at if last else now - 24 * HOUR, now), by="arrived", name=name, limit=0)
    app.record_digest(made, "plain")
    return offered(made)


# --- offered once --------------------------------------------------------------------------------------------------------


def test_an_item_whose_arrival_lies_before_the_last_digest_but_was_stored_after_it_is_offered(tmp_path: Path) -> None:
    with running(tmp_path) as (app, clock):
        bring(app, "first")
        clock.now += HOUR
        assert make_new(app) == ["first"]
        bring(app, "slow", arrived_at=clock.now - timedelta(minutes=5))  # another process had it in hand
        clock.now += HOUR
        assert make_new(app) == ["slow"]
        assert make_new(app) == []


def test_a_clock_that_is_set_back_offers_nothing_twice_and_loses_nothing(tmp_path: Path) -> None:
    with running(tmp_path) as (app, clock):
        bring(app, "first")
        assert make_new(app) == ["first"]
        clock.now -= 5 * HOUR
        bring(app, "second")
        assert make_new(app) == ["second"]
        clock.now += 9 * HOUR
        bring(app, "third")
        assert make_new(app) == ["third"]


def test_each_name_has_a_past_of_its_own_and_the_first_digest_reaches_back_by_time(tmp_path: Path) -> None:
    with running(tmp_path) as (app, clock):
        bring(app, "old", arrived_at=clock.now - 30 * HOUR)
        bring(app, "new")
        assert make_new(app, "one") == ["new"]
        bring(app, "newer")
        assert make_new(app, "one") == ["newer"]
        assert make_new(app, "other") == ["new", "newer"]


def test_items_that_wait_for_a_story_are_offered_once_they_are_in_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(tmp_path) as (app, clock):
        bring(app, "first")
        app.organise()
        bring(app, "waiting")
        with monkeypatch.context() as patch:
            patch.setattr(app, "organise", lambda: 0)  # another process has the lock and works on
            assert make_new(app) == ["first"]
        clock.now += HOUR
        assert make_new(app) == ["waiting"]


def test_digests_made_by_several_threads_while_others_store_offer_each_item_once(tmp_path: Path) -> None:
    with running(tmp_path) as (app, _):
        app.organise()
        heard: list[str] = []
        keys = [f"{who}-{number}" for who in range(2) for number in range(15)]

        def store(who: int) -> None:
            for number in range(15):
                bring(app, f"{who}-{number}")

        def read() -> None:
            for _ in range(6):
                with app.naming("x"):
                    heard.extend(make_new(app))

        bring(app, "before")
        threads = [threading.Thread(target=store, args=(who,)) for who in range(2)] + [threading.Thread(target=read) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        heard.extend(make_new(app))
        assert sorted(heard) == sorted([*keys, "before"])


# --- made once -----------------------------------------------------------------------------------------------------------


NAMED = '[digest]\nenabled = false\n[digests.morning]\ntime = "07:00"\n[digests.late]\ntime = "22:00"\nzone = "Europe/Berlin"\n'


def test_digests_by_name_are_made_once_when_their_times_come(tmp_path: Path) -> None:
    with running(tmp_path, NAMED) as (app, clock):
        app.expect_digests()
        made = []
        for _ in range(48):
            made += [(record.name, clock.now.strftime("%d %H:%M")) for record in app.publish()]
            clock.now += HOUR
        assert made == [("morning", "27 07:00"), ("late", "27 21:00"), ("morning", "28 07:00"), ("late", "28 21:00")]


def test_what_was_missed_is_one_digest_that_says_its_period(tmp_path: Path) -> None:
    with running(tmp_path, NAMED) as (app, clock):
        app.expect_digests()
        clock.now += timedelta(days=9)
        bring(app, "x")
        assert [(record.name, record.to_at) for record in app.publish()] == [("morning", clock.now), ("late", clock.now)]
        assert app.publish() == []
        clock.now += timedelta(days=3)
        again = app.publish()
        assert [(record.from_at, record.to_at) for record in again] == [(clock.now - timedelta(days=3), clock.now)] * 2
        assert all(sent.error is None for sent in app.deliver())
        assert any("5 January 2024" in path.read_text() and "8 January" in path.read_text() for path in tmp_path.rglob("digest-*.md"))


def test_tags_of_a_digest_are_its_filter(tmp_path: Path) -> None:
    text = '[digests.tech]\ntags = ["tech", "science"]\n'
    with running(tmp_path, text) as (app, clock):
        (tmp_path / "feeds.toml").write_text(
            '[[feed]]\nname = "a"\nurl = "https://a.example/feed"\ntags = ["tech"]\n[[feed]]\nname = "b"\nurl = "https://b.example/feed"\n'
        )
        app.subscribed()
        poll(app.store, "a", [item("one", at=clock.now, arrived_at=clock.now)], now=clock.now)
        poll(app.store, "b", [item("two", "Something else", summary="Nothing alike", at=clock.now, arrived_at=clock.now)], now=clock.now)
        hour = Period(clock.now - timedelta(hours=1), clock.now, "UTC")
        assert offered(app.digest(hour, by="arrived", name="tech")) == ["one"], "as on the command line: --new --as tech"
        assert offered(app.digest(hour, by="arrived", name="else")) == ["one", "two"]
        assert len(app.digest(hour, name="tech").stories) == 2, "a look at a period is of all feeds"
        record = app.publishing.make(app.plan("tech"), clock.now)
        assert len(record.story_ids) == 1


# --- delivered until it is there -----------------------------------------------------------------------------------------


def mail_settings(port: int, more: str = "") -> str:
    mail = f'[mail]\nhost = "127.0.0.1"\nport = {port}\nsecurity = "none"\nsender = "News <news@home.example>"\n{more}'
    return f'[digest]\ntargets = ["mail"]\nto = ["ann@a.example", "bob@b.example"]\n{mail}'


def test_a_digest_goes_to_each_address_as_one_mail_with_text_and_html(tmp_path: Path) -> None:
    with SmtpSink() as sink, running(tmp_path, mail_settings(sink.port)) as (app, clock):
        bring(app, "first")
        app.publishing.make(app.plan("daily"), clock.now)
        assert [(sent.target, sent.error) for sent in app.deliver()] == [("mail:ann@a.example", None), ("mail:bob@b.example", None)]
        assert app.deliver() == []
        ann = sink.mails[0]
        assert (ann["To"], ann["From"], ann["Auto-Submitted"]) == ("ann@a.example", "News <news@home.example>", "auto-generated")
        assert ann["Subject"] == "News, daily: Wednesday 27 December 2023"
        assert [part.get_content_type() for part in ann.walk()] == ["multipart/alternative", "text/plain", "text/html"]
        body = ann.get_body(("plain",))
        assert body is not None
        assert "first alone" in body.get_content()
        page = ann.get_body(("html",))
        assert page is not None
        assert '<h1 style="' in page.get_content(), "mail readers know no style sheets"
        assert "<svg" not in page.get_content()
        assert ann["References"].split()[-1] == "<daily.20231227@home.example>"
        assert ann["List-Id"] == "Digest daily <daily.digest.home.example>"
        assert len(set(sink.keys)) == 2
        assert all(key.endswith("@home.example>") for key in sink.keys)


def test_an_address_that_is_refused_is_tried_again_with_the_same_key_and_holds_up_no_other(tmp_path: Path) -> None:
    with SmtpSink() as sink, running(tmp_path, mail_settings(sink.port)) as (app, clock):
        sink.refusals += [b"450 greylisted, come back"]
        app.publishing.make(app.plan("daily"), clock.now)
        first, second = app.deliver()
        assert first.error is not None
        assert "refused the address ann@a.example (450 greylisted" in first.error
        assert (second.error, first.next_try_at) == (None, clock.now + timedelta(minutes=1))
        key = app.store.digests.waiting()[0].key
        assert app.deliver() == [], "not before its time"
        clock.now += timedelta(minutes=1)
        sink.refusals += [b"550 still\x1b[31m not"]
        (again,) = app.deliver()
        assert "\x1b" not in (again.error or "")
        assert again.next_try_at == clock.now + timedelta(minutes=2)
        clock.now += timedelta(minutes=2)
        assert [sent.error for sent in app.deliver()] == [None]
        assert [str(mail["To"]) for mail in sink.mails] == ["bob@b.example", "ann@a.example"]
        assert sink.keys[1] == f"<{key}@home.example>"
        assert app.store.digests.waiting() == []


def test_what_cannot_be_delivered_skips_nothing_and_waits_through_a_restart(tmp_path: Path) -> None:
    with SmtpSink() as sink:
        settings = mail_settings(sink.port)
    with running(tmp_path, settings) as (app, clock):  # the server is gone
        for number in range(3):
            bring(app, f"day {number}")
            app.publishing.make(app.plan("daily"), clock.now)
            assert all("cannot be reached" in (sent.error or "") for sent in app.deliver())
            clock.now += timedelta(days=1)
        end = clock.now
    with SmtpSink() as sink, running(tmp_path, mail_settings(sink.port)) as (app, clock):
        clock.now = end
        assert all(sent.error is None for sent in app.deliver())
        texts = [str(mail.get_body(("plain",))) for mail in sink.mails if mail["To"] == "ann@a.example"]
        assert ["day 0" in texts[0], "day 1" in texts[1], "day 2" in texts[2], len(texts)] == [True, True, True, 3]


def test_login_uses_the_secret_and_no_error_shows_it(tmp_path: Path) -> None:
    login = 'user = "me"\npassword = "env:MAIL_PASSWORD"\n'
    with SmtpSink(login=("me", "s3cret")) as sink:
        with running(tmp_path, mail_settings(sink.port, login), {"MAIL_PASSWORD": "s3cret-wrong"}) as (app, clock):
            app.publishing.make(app.plan("daily"), clock.now)
            errors = [sent.error or "" for sent in app.deliver()]
            assert all("535" in error and "s3cret" not in error for error in errors)
        with running(tmp_path, mail_settings(sink.port, login), {"MAIL_PASSWORD": "s3cret"}) as (app, clock):
            clock.now += HOUR
            assert [sent.error for sent in app.deliver()] == [None, None]
        with running(tmp_path, mail_settings(sink.port, login)) as (app, clock):
            app.publishing.make(app.plan("daily"), clock.now)
            assert "MAIL_PASSWORD, named by mail.password, is not set" in (app.deliver()[0].error or "")


def test_a_secret_in_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret\n")
    (tmp_path / "password").chmod(0o644)
    login = 'user = "me"\npassword = "file:password"\n'
    with SmtpSink(login=("me", "s3cret")) as sink, running(tmp_path, mail_settings(sink.port, login)) as (app, clock):
        app.publishing.make(app.plan("daily"), clock.now)
        errors = [sent.error or "" for sent in app.deliver()]
        assert all("chmod 600" in error and "s3cret" not in error for error in errors)
        (tmp_path / "password").chmod(0o600)
        clock.now += HOUR
        assert [sent.error for sent in app.deliver()] == [None, None]


def test_a_target_that_the_settings_no_longer_name_is_dropped(tmp_path: Path) -> None:
    with running(tmp_path, mail_settings(1)) as (app, clock):
        app.publishing.make(app.plan("daily"), clock.now)
    with running(tmp_path) as (app, clock):
        assert app.deliver() == []
        assert app.store.digests.waiting() == []


@pytest.fixture
def hook(httpserver: HTTPServer) -> tuple[str, list[Request], list[int]]:
    asked: list[Request] = []
    answers: list[int] = []

    def answer(request: Request) -> Response:
        request.get_data()
        asked.append(request)
        status = answers.pop(0) if answers else 204
        return Response(status=status, headers={"Location": httpserver.url_for("/elsewhere")})

    httpserver.expect_request("/hook").respond_with_handler(answer)
    return httpserver.url_for("/hook?token=t0ken"), asked, answers


def test_a_webhook_gets_signed_json_with_the_same_key_at_each_attempt(tmp_path: Path, hook: tuple[str, list[Request], list[int]]) -> None:
    url, asked, answers = hook
    text = f'[digest]\ntargets = ["webhook"]\n[webhook]\nurl = "{url}"\nsecret = "env:HOOK"\n'
    answers += [503, 302]
    with running(tmp_path, text, {"HOOK": "k3y"}) as (app, clock):
        bring(app, "first")
        app.publishing.make(app.plan("daily"), clock.now)
        errors = []
        for _ in range(4):
            errors += [sent.error for sent in app.deliver()]
            clock.now += HOUR
    assert [error and error.rpartition(" ")[2] for error in errors] == ["503", "302", None]
    assert all("t0ken" not in (error or "") for error in errors)
    assert len({request.headers["Idempotency-Key"] for request in asked}) == 1
    last = asked[-1]
    signed = f"{last.headers['webhook-id']}.{last.headers['webhook-timestamp']}.".encode() + last.get_data()
    expected = base64.b64encode(hmac.new(b"k3y", signed, hashlib.sha256).digest()).decode()
    assert last.headers["webhook-signature"] == f"v1,{expected}"
    assert json.loads(last.get_data())["stories"][0]["title"].startswith("first alone")


def test_deliver_by_hand_says_that_the_digest_is_kept_when_it_fails(tmp_path: Path) -> None:
    with running(tmp_path, '[digest]\nfolder = "taken"\n') as (app, clock):
        (tmp_path / "taken").write_text("a file")
        bring(app, "first")
        made = app.digest(Period(clock.now - HOUR, clock.now), by="arrived", name="daily")
        with pytest.raises(DeliveryError, match="the digest is kept"):
            app.deliver_digest(made)
        (tmp_path / "taken").unlink()
        made = app.digest(Period(clock.now - HOUR, clock.now), by="arrived", name="daily")
        assert offered(made) == []
        assert len(app.deliver_digest(made).split(", ")) == 2, "the one that waited goes, too"


@pytest.mark.parametrize(("attempts", "minutes"), [(1, 1), (2, 2), (3, 4), (9, 256), (10, 360), (400, 360)])
def test_waits_double_up_to_six_hours(attempts: int, minutes: int) -> None:
    assert wait_after(attempts) == timedelta(minutes=minutes)


def test_a_next_try_noted_by_a_clock_that_was_ahead_does_not_hold_a_delivery_up() -> None:
    def waits(next_try_at: datetime | None) -> Delivery:
        fixed: dict[str, Any] = {"key": "k", "name": "n", "target": "folder", "period": Period(START, START), "parts": {}}
        return Delivery(**fixed, next_try_at=next_try_at)

    assert is_due(waits(None), START)
    assert not is_due(waits(START + LONGEST_WAIT), START)
    assert is_due(waits(START + LONGEST_WAIT + HOUR), START)
