"""What Brevo and Mailjet tell. Neither signs: the address is secret, and may carry a password as well."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import pytest
from tell import AT, brevos, mailjets

from newsletter.config import VendorSettings
from newsletter.errors import HookRefused
from newsletter.events import EventKind, Heard, Hook
from newsletter.providers import brevo, mailjet

VENDORS = pytest.mark.parametrize("vendor", [brevo, mailjet], ids=["brevo", "mailjet"])


BOUNCES = {
    "brevo": brevos("hard_bounce", reason="550 5.1.1 <ana@example.org>: user unknown"),
    "mailjet": mailjets(
        "bounce",
        hard_bounce=True,
        error_related_to="recipient",
        error="user unknown",
        comment="550 5.1.1 <ana@example.org>: user unknown",
    ),
}


def settings(secret: str = "") -> VendorSettings:
    return VendorSettings("https://example.org", webhook_secret=secret)


def hook(found: object, password: str | None = None, scheme: str = "Basic") -> Hook:
    given = b64encode(f"hooks:{password}".encode()).decode()
    headers = {} if password is None else {"authorization": f"{scheme} {given}"}
    return Hook(json.dumps(found).encode(), headers)


def hear(vendor: ModuleType, found: object) -> Heard:
    heard: Heard = vendor.hear(hook(found), settings(), at=AT)
    return heard


def name(vendor: ModuleType) -> str:
    return vendor.__name__.rpartition(".")[2]


@VENDORS
def test_a_bounce_names_its_message_twice_over(vendor: ModuleType) -> None:
    (event,) = hear(vendor, BOUNCES[name(vendor)]).events
    assert (event.kind, event.source, event.recipient) == (EventKind.BOUNCED, name(vendor), "ana@example.org")
    assert event.message_id == "9e@letters.example.org"
    assert event.provider_id in ("202603090920.1@smtp-relay.mailin.fr", "13792286917004336")
    assert (event.reply.code, event.reply.status, event.suppress) == (550, "5.1.1", True)
    assert event.at == datetime(2026, 3, 9, 9, 20, tzinfo=UTC)


@VENDORS
def test_told_twice_it_has_the_same_id_and_another_event_another(vendor: ModuleType) -> None:
    once = BOUNCES[name(vendor)]
    make = brevos if vendor is brevo else mailjets
    others = [make("spam"), once | {"email": "b@example.org"}, once | {"ts_epoch": 1, "time": 1}]
    assert hear(vendor, once).events[0].id == hear(vendor, dict(once)).events[0].id
    assert len({event.id for event in hear(vendor, [once, *others]).events}) == 4


@VENDORS
def test_a_batch_is_heard_whole(vendor: ModuleType) -> None:
    make = brevos if vendor is brevo else mailjets
    heard = hear(vendor, [BOUNCES[name(vendor)], make("spam"), make("delivered"), make("click"), {}])
    assert [event.kind for event in heard.events] == [EventKind.BOUNCED, EventKind.COMPLAINED] and heard.ignored == 3


@VENDORS
@pytest.mark.parametrize(
    ("password", "scheme", "passes"),
    [
        pytest.param("s3cret", "Basic", True, id="the password"),
        pytest.param("s3cret", "basic", True, id="in small letters"),
        pytest.param("s3creT", "Basic", False, id="one letter is wrong"),
        pytest.param("", "Basic", False, id="none"),
        pytest.param("s3cret", "Bearer", False, id="in another way"),
        pytest.param(None, "", False, id="nothing"),
    ],
)
def test_a_password_that_is_set_is_asked_for(
    vendor: ModuleType, password: str | None, scheme: str, passes: bool
) -> None:
    given = hook(BOUNCES[name(vendor)], password, scheme)
    if passes:
        assert vendor.hear(given, settings("s3cret"), at=AT).events
    else:
        with pytest.raises(HookRefused, match="password"):
            vendor.hear(given, settings("s3cret"), at=AT)


@VENDORS
@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"3", b"null", b'"text"', b"[1]", b"[[]]", b"[" * 100_000])
def test_what_is_no_event_is_refused(vendor: ModuleType, body: bytes) -> None:
    with pytest.raises(HookRefused, match="neither an event"):
        vendor.hear(Hook(body), settings(), at=AT)


@VENDORS
def test_nothing_comes_through_that_no_database_takes(vendor: ModuleType) -> None:
    odd = "\ud800 \x00 \x1b[2J \n"
    found = {
        key: odd if isinstance(value, str) and key != "event" else value for key, value in BOUNCES[name(vendor)].items()
    }
    (event,) = hear(vendor, found).events
    for told in (event.id, event.recipient, event.message_id, event.provider_id, event.reply.text):
        assert told.isprintable() and told.encode()


@VENDORS
def test_a_time_that_is_none_is_now(vendor: ModuleType) -> None:
    for wrong in (None, "soon", 10**30, [], True):
        (event,) = hear(vendor, BOUNCES[name(vendor)] | {"ts_epoch": wrong, "time": wrong}).events
        assert event.at.tzinfo is not None


@pytest.mark.parametrize(
    ("found", "kind", "status", "suppress"),
    [
        pytest.param(brevos("soft_bounce", reason="452 4.2.2 full"), EventKind.BOUNCED, "4.2.2", False, id="full"),
        pytest.param(
            brevos("soft_bounce", reason="550 5.1.1 user unknown"),
            EventKind.BOUNCED,
            "5.1.1",
            False,
            id="they disagree",
        ),
        pytest.param(
            brevos("hard_bounce", reason="550 5.7.1 blocked by spamhaus"), EventKind.BOUNCED, "5.7.1", False, id="ours"
        ),
        pytest.param(brevos("hard_bounce"), EventKind.BOUNCED, "5.0.0", False, id="nobody said why"),
        pytest.param(brevos("invalid_email"), EventKind.BOUNCED, "5.1.3", True, id="no address"),
        pytest.param(brevos("blocked", reason="blocked"), EventKind.BOUNCED, "4.0.0", False, id="held back"),
        pytest.param(brevos("deferred", reason="451 4.7.1 greylisted"), EventKind.DELAYED, "4.7.1", False, id="later"),
        pytest.param(brevos("spam"), EventKind.COMPLAINED, "", False, id="a complaint"),
        pytest.param(brevos("unsubscribed"), EventKind.UNSUBSCRIBED, "", False, id="left"),
    ],
)
def test_the_table_of_brevos_events(found: dict[str, Any], kind: EventKind, status: str, suppress: bool) -> None:
    (event,) = hear(brevo, found).events
    assert (event.kind, event.reply.status, event.suppress) == (kind, status, suppress)


@pytest.mark.parametrize(
    ("found", "kind", "status", "suppress"),
    [
        pytest.param(
            mailjets("bounce", hard_bounce=False, error="quota exceeded", comment="452 4.2.2 over quota"),
            EventKind.BOUNCED, "4.2.2", False, id="full",
        ),
        pytest.param(
            mailjets("bounce", hard_bounce=True, error="user unknown", comment=""),
            EventKind.BOUNCED, "5.1.1", True, id="in Mailjet's words alone",
        ),
        pytest.param(
            mailjets("bounce", hard_bounce=False, error="user unknown", comment="550 5.1.1 user unknown"),
            EventKind.BOUNCED, "5.1.1", False, id="they disagree",
        ),
        pytest.param(
            mailjets("bounce", hard_bounce=False, error="greylisted", comment="451 try later"),
            EventKind.DELAYED, "4.7.1", False, id="later",
        ),
        pytest.param(mailjets("blocked", error="preblocked"), EventKind.BOUNCED, "5.7.1", False, id="held back"),
        pytest.param(mailjets("blocked", error="spam reporter"), EventKind.COMPLAINED, "5.7.1", False, id="complained"),
        pytest.param(mailjets("spam", source="JMRPP"), EventKind.COMPLAINED, "", False, id="a complaint"),
        pytest.param(mailjets("unsub"), EventKind.UNSUBSCRIBED, "", False, id="left"),
    ],
)  # fmt: skip
def test_the_table_of_mailjets_events(found: dict[str, Any], kind: EventKind, status: str, suppress: bool) -> None:
    (event,) = hear(mailjet, found).events
    assert (event.kind, event.reply.status, event.suppress) == (kind, status, suppress)
