"""What Postmark, Resend and Mailgun tell: believed only when it is genuine, and read by their documents.

Each kind of forgery is tried on each vendor that has a defence against it; where a vendor signs nothing, or not the
body, the test says what stands in its place.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from genuine import (
    AT,
    MAILGUN,
    NO_SUCH,
    POSTMARK,
    RESEND,
    bounce_at_mailgun,
    bounce_at_postmark,
    bounce_at_resend,
    from_mailgun,
    from_postmark,
    from_resend,
)

from newsletter.errors import HookRefused
from newsletter.events import Event, EventKind, Heard, Hook
from newsletter.providers import mailgun, postmark, resend

Hear = Callable[[Hook], Heard]
GENUINE = {
    "postmark": (lambda hook: postmark.hear(hook, POSTMARK, at=AT), from_postmark(bounce_at_postmark())),
    "resend": (lambda hook: resend.hear(hook, RESEND, at=AT), from_resend(bounce_at_resend())),
    "mailgun": (lambda hook: mailgun.hear(hook, MAILGUN, at=AT), from_mailgun(bounce_at_mailgun())),
}


@pytest.mark.parametrize("name", GENUINE)
def test_a_dead_address_is_told_and_believed(name: str) -> None:
    hear, hook = GENUINE[name]
    (event,) = hear(hook).events
    assert (event.kind, event.source, event.recipient) == (EventKind.BOUNCED, name, "ana@example.org")
    assert event.suppress and (event.reply.code, event.reply.status) == (550, "5.1.1")
    assert event.at.replace(microsecond=0) == datetime(2026, 3, 9, 9, 0, tzinfo=UTC)
    assert event.provider_id and event.id


@pytest.mark.parametrize("name", GENUINE)
def test_told_twice_it_has_the_same_id(name: str) -> None:
    hear, hook = GENUINE[name]
    assert hear(hook).events[0].id == hear(hook).events[0].id


# --- forgeries


def forged(**headers: str) -> Callable[[Hook], Hook]:
    return lambda hook: replace(hook, headers={**hook.headers, **{k.replace("_", "-"): v for k, v in headers.items()}})


def without(*names: str) -> Callable[[Hook], Hook]:
    return lambda hook: replace(hook, headers={k: v for k, v in hook.headers.items() if k not in names})


def refused(hear: Hear, hook: Hook) -> bool:
    try:
        hear(hook)
    except HookRefused:
        return True
    return False


MINUTES = timedelta(minutes=1)
FORGERIES = [
    pytest.param("postmark", from_postmark({}, "postmark:guess"), id="postmark, another password"),
    pytest.param("postmark", without("authorization")(from_postmark({})), id="postmark, no password"),
    pytest.param(
        "postmark", forged(authorization="Bearer open-sesame")(from_postmark({})), id="postmark, another scheme"
    ),
    pytest.param("postmark", forged(authorization="Basic ###")(from_postmark({})), id="postmark, no base64"),
    pytest.param("postmark", from_postmark([1, 2]), id="postmark, no events"),
    pytest.param("postmark", replace(from_postmark({}), body=b"{"), id="postmark, no JSON"),
    pytest.param("resend", from_resend({}, at=AT - 6 * MINUTES), id="resend, stale"),
    pytest.param("resend", from_resend({}, at=AT + 6 * MINUTES), id="resend, from the future"),
    pytest.param("resend", from_resend({}, secret="whsec_b3RoZXI="), id="resend, another key"),
    pytest.param("resend", without("svix-signature")(from_resend({})), id="resend, no signature"),
    pytest.param("resend", without("svix-id")(from_resend({})), id="resend, no id"),
    pytest.param("resend", without("svix-timestamp")(from_resend({})), id="resend, no time"),
    pytest.param("resend", forged(svix_id="msg_2")(from_resend({})), id="resend, replayed under another id"),
    pytest.param(
        "resend", forged(svix_timestamp=str(int(AT.timestamp()) + 1))(from_resend({})), id="resend, another time"
    ),
    pytest.param("resend", forged(svix_timestamp="٣")(from_resend({})), id="resend, a time in other digits"),
    pytest.param("resend", replace(from_resend({}), body=b'{"a": 1}'), id="resend, another body"),
    pytest.param("resend", forged(svix_signature="v1,")(from_resend({})), id="resend, an empty signature"),
    pytest.param("mailgun", from_mailgun({}, at=AT - 6 * MINUTES), id="mailgun, stale"),
    pytest.param("mailgun", from_mailgun({}, at=AT + 6 * MINUTES), id="mailgun, from the future"),
    pytest.param("mailgun", from_mailgun({}, secret="other"), id="mailgun, another key"),
    pytest.param("mailgun", Hook(json.dumps({"event-data": {}}).encode()), id="mailgun, no signature"),
    pytest.param(
        "mailgun", Hook(b'{"signature": {"timestamp": "1", "token": "", "signature": ""}}'), id="mailgun, empty"
    ),
    pytest.param("mailgun", Hook(b"["), id="mailgun, no JSON"),
    pytest.param("mailgun", Hook(b"[]"), id="mailgun, nothing"),
    pytest.param("mailgun", Hook(b"[{}, {}]"), id="mailgun, two in one"),
]


@pytest.mark.parametrize(("name", "hook"), FORGERIES)
def test_a_forgery_is_refused(name: str, hook: Hook) -> None:
    assert refused(GENUINE[name][0], hook)


def test_one_bit_changed_anywhere_is_refused() -> None:
    hear, hook = GENUINE["resend"]
    for at in range(len(hook.body)):
        for bit in range(8):
            body = bytearray(hook.body)
            body[at] ^= 1 << bit
            assert refused(hear, replace(hook, body=bytes(body)))
    for name in ("svix-id", "svix-timestamp", "svix-signature"):
        for at, letter in enumerate(hook.headers[name]):
            changed = hook.headers[name][:at] + chr(ord(letter) ^ 1) + hook.headers[name][at + 1 :]
            assert refused(hear, forged(**{name: changed})(hook))


def test_one_bit_changed_in_what_mailgun_signs_is_refused() -> None:
    hear, hook = GENUINE["mailgun"]
    posted = json.loads(hook.body)
    for name in ("timestamp", "token", "signature"):
        value = posted["signature"][name]
        for at in range(len(value)):
            changed = value[:at] + chr(ord(value[at]) ^ 1) + value[at + 1 :]
            signature = posted["signature"] | {name: changed}
            assert refused(hear, Hook(json.dumps(posted | {"signature": signature}).encode()))


def test_mailgun_signs_no_body_so_a_token_counts_once_whatever_stands_beside_it() -> None:
    hear, hook = GENUINE["mailgun"]
    other = json.loads(hook.body) | {"event-data": bounce_at_mailgun(id="other", recipient="bo@example.org")}
    assert hear(hook).once == hear(Hook(json.dumps(other).encode())).once != ""
    assert hear(from_mailgun(bounce_at_mailgun(), token="e" * 50)).once != hear(hook).once


def test_a_key_that_is_being_changed() -> None:
    hook = from_resend(bounce_at_resend())
    hook = forged(svix_signature="v1,b3RoZXI= v1a,x " + hook.headers["svix-signature"])(hook)
    assert len(resend.hear(hook, RESEND, at=AT).events) == 1


@pytest.mark.parametrize("secret", ["", "whsec_", "not base64 !"])
def test_without_a_key_nothing_is_believed(secret: str) -> None:
    hook = from_resend(bounce_at_resend(), secret="whsec_")
    assert refused(lambda one: resend.hear(one, replace(RESEND, webhook_secret=secret), at=AT), hook)
    hook = from_mailgun(bounce_at_mailgun(), secret="")
    assert refused(lambda one: mailgun.hear(one, replace(MAILGUN, webhook_secret=""), at=AT), hook)


def test_without_a_password_postmarks_secret_address_is_believed() -> None:
    assert postmark.hear(Hook(b"{}"), replace(POSTMARK, webhook_secret=""), at=AT) == Heard(ignored=1)


# --- what they mean


def only(heard: Heard) -> Event | None:
    assert len(heard.events) + heard.ignored == 1
    return heard.events[0] if heard.events else None


@pytest.mark.parametrize(
    ("told", "kind", "suppress"),
    [
        pytest.param(bounce_at_postmark(Type="SoftBounce", Details="552 5.2.2 mailbox full"), EventKind.BOUNCED, False, id="full"),
        pytest.param(bounce_at_postmark(Type="HardBounce", Details="550 5.7.1 blocked"), EventKind.BOUNCED, False, id="hard, and the words say blocked"),
        pytest.param(bounce_at_postmark(Type="SoftBounce"), EventKind.BOUNCED, False, id="the words say dead, and Postmark soft"),
        pytest.param(bounce_at_postmark(Type="Transient"), EventKind.DELAYED, False, id="somebody still tries"),
        pytest.param(bounce_at_postmark(Type="AutoResponder"), EventKind.DELAYED, False, id="out of office"),
        pytest.param(bounce_at_postmark(RecordType="SpamComplaint"), EventKind.COMPLAINED, False, id="a complaint"),
        pytest.param(
            {"RecordType": "SubscriptionChange", "Recipient": "ana@example.org", "SuppressSending": True, "Origin": "Recipient",
             "SuppressionReason": "ManualSuppression", "ChangedAt": "2026-03-09T09:00:00Z", "MessageID": "m"},
            EventKind.UNSUBSCRIBED, False, id="left through Postmark's own link"),
        pytest.param(
            {"RecordType": "SubscriptionChange", "Recipient": "ana@example.org", "SuppressSending": False, "Origin": "Recipient",
             "SuppressionReason": "ManualSuppression", "ChangedAt": "2026-03-09T09:00:00Z"}, None, False, id="back again there"),
        pytest.param(
            {"RecordType": "SubscriptionChange", "Recipient": "ana@example.org", "SuppressSending": True, "Origin": "Customer",
             "SuppressionReason": "ManualSuppression", "ChangedAt": "2026-03-09T09:00:00Z"}, None, False, id="taken off there by the owner"),
        pytest.param(bounce_at_postmark(RecordType="Delivery"), None, False, id="a delivery"),
        pytest.param({}, None, False, id="nothing"),
    ],
)  # fmt: skip
def test_postmark_says(told: dict[str, object], kind: EventKind | None, suppress: bool) -> None:
    event = only(postmark.hear(from_postmark(told), POSTMARK, at=AT))
    assert (event.kind if event else None, event.suppress if event else False) == (kind, suppress)


@pytest.mark.parametrize(
    ("told", "kind", "suppress"),
    [
        pytest.param(bounce_at_resend(type="Transient"), EventKind.BOUNCED, False, id="for now"),
        pytest.param(bounce_at_resend(diagnosticCode=["smtp; 550 5.7.1 blocked by policy"]), EventKind.BOUNCED, False, id="blocked"),
        pytest.param(bounce_at_resend(diagnosticCode="no list", message=NO_SUCH), EventKind.BOUNCED, True, id="in the message alone"),
        pytest.param({"type": "email.complained", "data": {"email_id": "e", "to": ["ana@example.org"]}}, EventKind.COMPLAINED, False, id="a complaint"),
        pytest.param({"type": "email.delivery_delayed", "data": {"email_id": "e"}}, EventKind.DELAYED, False, id="delayed"),
        pytest.param({"type": "email.suppressed", "data": {"email_id": "e", "suppressed": {"message": "on the list"}}}, EventKind.BOUNCED, False, id="not sent"),
        pytest.param({"type": "email.failed", "data": {"email_id": "e", "failed": {"reason": "quota"}}}, EventKind.BOUNCED, False, id="failed"),
        pytest.param({"type": "email.delivered", "data": {"email_id": "e"}}, None, False, id="a delivery"),
        pytest.param({"type": ["email.bounced"], "data": 3}, None, False, id="of other kinds than documented"),
    ],
)  # fmt: skip
def test_resend_says(told: dict[str, object], kind: EventKind | None, suppress: bool) -> None:
    event = only(resend.hear(from_resend(told), RESEND, at=AT))
    assert (event.kind if event else None, event.suppress if event else False) == (kind, suppress)
    if event:
        assert event.id == "msg_1"


@pytest.mark.parametrize(
    ("told", "kind", "suppress"),
    [
        pytest.param(bounce_at_mailgun(severity="temporary"), EventKind.DELAYED, False, id="it tries again"),
        pytest.param(bounce_at_mailgun(reason="suppress-unsubscribe"), EventKind.UNSUBSCRIBED, False, id="left before"),
        pytest.param(bounce_at_mailgun(reason="suppress-complaint"), EventKind.COMPLAINED, False, id="complained before"),
        pytest.param(
            bounce_at_mailgun(reason="suppress-bounce", **{"delivery-status": {"code": 605, "message": "", "description": "Not delivering to previously bounced address"}}),
            EventKind.BOUNCED, False, id="bounced before"),
        pytest.param(
            bounce_at_mailgun(**{"delivery-status": {"code": 554, "enhanced-code": "5.7.1", "message": "5.7.1 spam"}}),
            EventKind.BOUNCED, False, id="blocked"),
        pytest.param(bounce_at_mailgun(event="complained"), EventKind.COMPLAINED, False, id="a complaint"),
        pytest.param(bounce_at_mailgun(event="unsubscribed"), EventKind.UNSUBSCRIBED, False, id="left"),
        pytest.param(bounce_at_mailgun(event="delivered"), None, False, id="a delivery"),
        pytest.param({"event": 1, "message": [], "delivery-status": "x"}, None, False, id="of other kinds than documented"),
        pytest.param({"event": "failed", "severity": "permanent", "delivery-status": {"code": "x"}}, EventKind.BOUNCED, False, id="a code that is none"),
    ],
)  # fmt: skip
def test_mailgun_says(told: dict[str, Any], kind: EventKind | None, suppress: bool) -> None:
    event = only(mailgun.hear(from_mailgun(told), MAILGUN, at=AT))
    assert (event.kind if event else None, event.suppress if event else False) == (kind, suppress)
