"""What SendGrid tells: believed only when its key signed these octets within five minutes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tell import AT, SIGNATURE, STAMP
from tell import sendgrid_event as event
from tell import sendgrid_hook as signed
from tell import sendgrid_settings as settings

from newsletter.config import VendorSettings
from newsletter.errors import HookRefused
from newsletter.events import EventKind, Heard, Hook
from newsletter.providers import sendgrid


def hear(events: object) -> Heard:
    return sendgrid.hear(signed(events), settings(), at=AT)


BOUNCE = event("bounce", type="bounce", status="5.1.1", reason="550 5.1.1 <ana@example.org>: user unknown")


def test_a_bounce_names_its_message_twice_over() -> None:
    (told,) = hear([BOUNCE]).events
    assert (told.kind, told.source, told.id) == (EventKind.BOUNCED, "sendgrid", "id-bounce")
    assert (told.message_id, told.provider_id) == ("9e@letters.example.org", "14c5d75ce93")
    assert (told.recipient, told.reply.code, told.reply.status) == ("ana@example.org", 550, "5.1.1")
    assert told.suppress and told.at == datetime(2026, 3, 9, 9, 20, tzinfo=UTC)


def test_replayed_within_the_window_it_has_the_same_id() -> None:
    hook = signed([BOUNCE])
    assert sendgrid.hear(hook, settings(), at=AT) == sendgrid.hear(hook, settings(), at=AT + timedelta(minutes=4))


@pytest.mark.parametrize(
    "minutes", [pytest.param(6, id="stale, or replayed late"), pytest.param(-6, id="from the future")]
)
def test_outside_five_minutes_it_is_refused(minutes: int) -> None:
    with pytest.raises(HookRefused, match="at another time"):
        sendgrid.hear(signed([BOUNCE]), settings(), at=AT + timedelta(minutes=minutes))


def test_every_octet_counts() -> None:
    hook = signed([BOUNCE])
    for place in range(0, len(hook.body), 7):
        flipped = bytearray(hook.body)
        flipped[place] ^= 1
        with pytest.raises(HookRefused, match="does not hold"):
            sendgrid.hear(Hook(bytes(flipped), hook.headers), settings(), at=AT)


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        pytest.param({SIGNATURE: ""}, "not signed", id="no signature"),
        pytest.param({STAMP: ""}, "not signed", id="no time"),
        pytest.param({STAMP: str(int(AT.timestamp()) + 1)}, "does not hold", id="another time"),
        pytest.param({STAMP: "٣"}, "can't be read", id="a time in other digits"),
        pytest.param({STAMP: "1" * 400}, "can't be read", id="a time beyond all times"),
        pytest.param({SIGNATURE: "not base64"}, "does not hold", id="no base64"),
        pytest.param({SIGNATURE: "AAAA"}, "does not hold", id="no signature at all"),
    ],
)
def test_the_signature_is_over_time_and_body(headers: dict[str, str], words: str) -> None:
    hook = signed([BOUNCE])
    with pytest.raises(HookRefused, match=words):
        sendgrid.hear(Hook(hook.body, {**hook.headers, **headers}), settings(), at=AT)


def test_the_body_of_another_request_does_not_pass() -> None:
    other = signed([event("unsubscribe")])
    with pytest.raises(HookRefused, match="does not hold"):
        sendgrid.hear(Hook(other.body, signed([BOUNCE]).headers), settings(), at=AT)


@pytest.mark.parametrize("wrong", ["eve", "another curve"])
def test_another_key_does_not_pass(wrong: str) -> None:
    with pytest.raises(HookRefused, match="does not hold"):
        sendgrid.hear(signed([BOUNCE], signer=wrong), settings(), at=AT)
    with pytest.raises(HookRefused, match="does not hold"):
        sendgrid.hear(signed([BOUNCE], signer=wrong), settings(wrong if wrong != "eve" else "sendgrid"), at=AT)


def test_without_a_key_nothing_is_believed() -> None:
    with pytest.raises(HookRefused, match="webhook_secret_file"):
        sendgrid.hear(signed([BOUNCE]), VendorSettings("https://api.sendgrid.com"), at=AT)


@pytest.mark.parametrize(
    ("item", "kind", "status", "suppress"),
    [
        pytest.param(
            event("bounce", type="blocked", status="5.7.1", reason="550 5.7.1 blocked by spamhaus"),
            EventKind.BOUNCED, "5.7.1", False, id="blocked",
        ),
        pytest.param(
            event("bounce", type="blocked", reason="550 5.1.1 user unknown"),
            EventKind.BOUNCED, "5.1.1", False, id="they disagree",
        ),
        pytest.param(
            event("bounce", status="5.2.2", reason="552 5.2.2 mailbox full"), EventKind.BOUNCED, "5.2.2", False, id="full"
        ),
        pytest.param(
            event("bounce", status="5.0.0", reason="500 unknown recipient"), EventKind.BOUNCED, "5.0.0", True, id="words"
        ),
        pytest.param(
            event("deferred", response="451 4.7.1 greylisted"), EventKind.DELAYED, "4.7.1", False, id="deferred"
        ),
        pytest.param(
            event("dropped", reason="Bounced Address"), EventKind.BOUNCED, "5.1.1", True, id="bounced before"
        ),
        pytest.param(
            event("dropped", reason="Spam Reporting Address"), EventKind.COMPLAINED, "", False, id="complained before"
        ),
        pytest.param(
            event("dropped", reason="Unsubscribed Address"), EventKind.UNSUBSCRIBED, "", False, id="left before"
        ),
        pytest.param(event("dropped", reason="Spam Content"), EventKind.BOUNCED, "5.0.0", False, id="dropped"),
        pytest.param(event("spamreport"), EventKind.COMPLAINED, "", False, id="a complaint"),
        pytest.param(event("unsubscribe"), EventKind.UNSUBSCRIBED, "", False, id="left"),
        pytest.param(event("group_unsubscribe"), EventKind.UNSUBSCRIBED, "", False, id="left a group"),
    ],
)  # fmt: skip
def test_the_table_of_events(item: dict[str, Any], kind: EventKind, status: str, suppress: bool) -> None:
    (told,) = hear([item]).events
    assert (told.kind, told.reply.status, told.suppress) == (kind, status, suppress)


def test_what_changes_nothing_is_counted() -> None:
    others = [event("delivered"), event("open"), event("processed"), {"event": "bounce"}, {}]
    assert hear([*others, BOUNCE]).ignored == len(others)
    assert hear([]) == Heard()


@pytest.mark.parametrize("events", ["text", 3, None, [1], [[]]])
def test_signed_nonsense_is_refused(events: object) -> None:
    with pytest.raises(HookRefused, match="neither an event"):
        hear(events)
