"""What Amazon SES tells through SNS: believed only when it is signed, fresh, and of a topic that is listened to."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fake import Asked, Fake, Said
from tell import AT, HOST, PEM, TOPIC, Amazon, certificate, sns_fields
from tell import SES_SETTINGS as SETTINGS
from tell import sns_hook as hook

from newsletter.errors import HookRefused, ProviderError
from newsletter.events import EventKind, Heard, Hook
from newsletter.providers import ses, sns


def signed(version: str = "1", signer: str = "amazon", **fields: str) -> dict[str, str]:
    return sns_fields(version, signer, **{"Message": json.dumps(BOUNCE)} | fields)


def hear(fields: dict[str, str], *, at: datetime = AT, amazon: Amazon | None = None) -> Heard:
    return ses.hear(hook(fields), SETTINGS, at=at, fetch=amazon or Amazon())


MAIL: dict[str, Any] = {
    "timestamp": "2026-03-09T09:00:00.000Z",
    "source": "maya@letters.example.org",
    "messageId": "0102018c-7a-000000",
    "destination": ["ana@example.org"],
    "headers": [{"name": "From", "value": "maya@letters.example.org"}, {"name": "Message-ID", "value": "<9e@l.org>"}],
}
BOUNCE: dict[str, Any] = {
    "notificationType": "Bounce",
    "bounce": {
        "bounceType": "Permanent",
        "bounceSubType": "General",
        "bouncedRecipients": [
            {
                "emailAddress": "ana@example.org",
                "action": "failed",
                "status": "5.1.1",
                "diagnosticCode": "smtp; 550 5.1.1 <ana@example.org>... User unknown",
            }
        ],
        "timestamp": "2026-03-09T09:29:38.237Z",
        "feedbackId": "0102018c-fb-000000",
    },
    "mail": MAIL,
}


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_bounce_names_its_message_twice_over(version: str) -> None:
    (event,) = hear(signed(version)).events
    assert (event.kind, event.source, event.recipient) == (EventKind.BOUNCED, "ses", "ana@example.org")
    assert (event.message_id, event.provider_id) == ("9e@l.org", "0102018c-7a-000000")
    assert (event.reply.code, event.reply.status, event.suppress) == (550, "5.1.1", True)
    assert event.at == datetime(2026, 3, 9, 9, 29, 38, 237000, UTC)
    assert event.id == "0102018c-fb-000000/ana@example.org"


def test_told_twice_it_has_the_same_id_also_by_the_other_of_both_ways() -> None:
    first = hear(signed()).events
    assert hear(signed()).events == first
    published = {"eventType": "Bounce"} | {k: v for k, v in BOUNCE.items() if k != "notificationType"}
    again = hear(signed(MessageId="another", Message=json.dumps(published))).events
    assert again[0].id == first[0].id


def test_a_subject_is_signed_too() -> None:
    assert hear(signed(Subject="Amazon SES Email Event Notification")).events


def flipped(fields: dict[str, str]) -> None:
    octets = bytearray(b64decode(fields["Signature"]))
    octets[17] ^= 1
    fields["Signature"] = b64encode(octets).decode()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(flipped, "does not hold", id="a bit of the signature is flipped"),
        pytest.param(lambda f: f.pop("Signature"), "lacks Signature", id="there is no signature"),
        pytest.param(lambda f: f.update(Signature="%%%"), "can't be read", id="a signature that is no base64"),
        pytest.param(
            lambda f: f.update(Message=f["Message"].replace("ana@", "eve@")), "does not hold", id="another body"
        ),
        pytest.param(lambda f: f.update(Subject="late"), "does not hold", id="a subject was added"),
        pytest.param(lambda f: f.update(MessageId="replayed-1"), "does not hold", id="another id"),
        pytest.param(lambda f: f.update(Timestamp="2026-03-09T09:31:00Z"), "does not hold", id="another time"),
        pytest.param(lambda f: f.update(SignatureVersion="2"), "does not hold", id="another version"),
        pytest.param(lambda f: f.update(SignatureVersion="3"), "not known", id="an unknown version"),
        pytest.param(lambda f: f.update(TopicArn=f"{TOPIC}2"), "not in topics", id="a topic nobody listens to"),
        pytest.param(
            lambda f: f.update(SigningCertURL="https://sns.eu-west-1.amazonaws.com.example.org/a.pem"),
            "not at",
            id="a certificate elsewhere",
        ),
        pytest.param(
            lambda f: f.update(SigningCertURL="https://sns.us-east-1.amazonaws.com/a.pem"),
            "not at",
            id="a certificate of another region",
        ),
        pytest.param(
            lambda f: f.update(SigningCertURL=PEM.replace("https", "http")), "not at", id="a certificate without TLS"
        ),
        pytest.param(
            lambda f: f.update(SigningCertURL=PEM.replace("//", "//eve@")), "not at", id="a name before the host"
        ),
        pytest.param(
            lambda f: f.update(SigningCertURL=f"{HOST}/?Action=a.pem"), "not at", id="not a certificate but an action"
        ),
        pytest.param(lambda f: f.update(Timestamp="yesterday"), "can't be read", id="a time that is none"),
        pytest.param(lambda f: f.update(Timestamp="2026-03-09T09:30:00"), "no zone", id="a time without a zone"),
        pytest.param(lambda f: f.update(Type="Greeting"), "no message", id="an unknown type"),
    ],
)
def test_what_is_not_genuine_is_refused(change: Callable[[dict[str, str]], object], words: str) -> None:
    fields = signed()
    change(fields)
    amazon = Amazon()
    with pytest.raises(HookRefused, match=words):
        hear(fields, amazon=amazon)
    assert set(amazon.asked) <= {PEM}


def test_another_key_does_not_count() -> None:
    with pytest.raises(HookRefused, match="does not hold"):
        hear(signed(signer="eve"))


@pytest.mark.parametrize(
    ("at", "heard"),
    [
        pytest.param(AT + timedelta(minutes=60), True, id="SNS tries for an hour"),
        pytest.param(AT + timedelta(minutes=66), False, id="later it is a replay"),
        pytest.param(AT - timedelta(minutes=4), True, id="our clock is slow"),
        pytest.param(AT - timedelta(minutes=6), False, id="from the future"),
    ],
)
def test_a_message_is_good_for_an_hour(at: datetime, heard: bool) -> None:
    if heard:
        assert hear(signed(), at=at).events
    else:
        with pytest.raises(HookRefused, match="too old or from the future"):
            hear(signed(), at=at)


def test_a_certificate_counts_while_it_is_valid_and_is_fetched_once() -> None:
    late = AT + timedelta(days=31)
    with pytest.raises(HookRefused, match="not valid now"):
        hear(signed(Timestamp=late.isoformat()), at=late)
    amazon = Amazon()
    for _ in range(3):
        hear(signed(), amazon=amazon)
    assert amazon.asked == [PEM]


def test_what_is_no_certificate_is_asked_for_again() -> None:
    asked: list[str] = []

    def maintenance(url: str) -> bytes:
        asked.append(url)
        return b"<html>" if len(asked) == 1 else certificate("amazon")

    with pytest.raises(HookRefused, match="can't be read"):
        ses.hear(hook(signed()), SETTINGS, at=AT, fetch=maintenance)
    assert ses.hear(hook(signed()), SETTINGS, at=AT, fetch=maintenance).events


def test_when_amazon_cannot_be_asked_it_is_no_refusal() -> None:
    def away(url: str) -> bytes:
        raise ProviderError("away")

    with pytest.raises(ProviderError, match="away"):
        ses.hear(hook(signed()), SETTINGS, at=AT, fetch=away)


def test_a_subscription_to_a_topic_that_is_listened_to_is_confirmed() -> None:
    amazon, fields = Amazon(), signed(Type="SubscriptionConfirmation", Message="You have chosen to subscribe …")
    assert hear(fields, amazon=amazon) == Heard()
    assert amazon.asked == [PEM, fields["SubscribeURL"]]


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"TopicArn": "arn:aws:sns:eu-west-1:666666666666:evil"}, id="of another topic"),
        pytest.param({"SubscribeURL": f"https://example.org/?Action=ConfirmSubscription&TopicArn={TOPIC}"}, id="there"),
        pytest.param({"SubscribeURL": f"{HOST}/?Action=DeleteTopic&TopicArn={TOPIC}"}, id="to do something else"),
        pytest.param({"SubscribeURL": f"{HOST}/?Action=ConfirmSubscription&TopicArn=other"}, id="of two topics"),
        pytest.param({"SubscribeURL": f"{HOST}/x?Action=ConfirmSubscription&TopicArn={TOPIC}"}, id="somewhere else"),
    ],
)
def test_nothing_else_is_confirmed(fields: dict[str, str]) -> None:
    amazon = Amazon()
    with pytest.raises(HookRefused):
        hear(signed(Type="SubscriptionConfirmation", **fields), amazon=amazon)
    assert set(amazon.asked) <= {PEM}


def test_the_end_of_a_subscription_changes_nothing() -> None:
    amazon = Amazon()
    assert hear(signed(Type="UnsubscribeConfirmation"), amazon=amazon) == Heard()
    assert amazon.asked == [PEM]


def bounce(kind: str, subtype: str, **person: str) -> dict[str, Any]:
    what = {"bounceType": kind, "bounceSubType": subtype, "feedbackId": "f"}
    return {
        "eventType": "Bounce",
        "mail": MAIL,
        "bounce": what | {"bouncedRecipients": [{"emailAddress": "a@example.org"} | person]},
    }


@pytest.mark.parametrize(
    ("message", "status", "suppress"),
    [
        pytest.param(bounce("Permanent", "NoEmail"), "5.0.0", False, id="nobody said what was wrong"),
        pytest.param(bounce("Permanent", "Suppressed"), "5.1.1", True, id="on Amazon's list"),
        pytest.param(bounce("Permanent", "OnAccountSuppressionList"), "5.1.1", True, id="on the account's list"),
        pytest.param(
            bounce("Permanent", "General", status="5.7.1", diagnosticCode="smtp; 550 5.7.1 blocked by spamhaus"),
            "5.7.1",
            False,
            id="blocked for our sake",
        ),
        pytest.param(bounce("Transient", "MailboxFull", status="5.2.2"), "5.2.2", False, id="a full mailbox"),
        pytest.param(bounce("Transient", "General"), "4.0.0", False, id="an absence notice, perhaps"),
        pytest.param(
            bounce("Transient", "General", status="5.1.1", diagnosticCode="smtp; 550 5.1.1 user unknown"),
            "5.1.1",
            False,
            id="Amazon and the server disagree",
        ),
        pytest.param(bounce("Undetermined", "Undetermined"), "4.0.0", False, id="nobody knows"),
    ],
)
def test_a_bounce_is_judged_by_what_the_server_said(message: dict[str, Any], status: str, suppress: bool) -> None:
    (event,) = hear(signed(Message=json.dumps(message))).events
    assert (event.kind, event.reply.status, event.suppress) == (EventKind.BOUNCED, status, suppress)


def complaint(kind: str | None) -> dict[str, Any]:
    what: dict[str, Any] = {"complainedRecipients": [{"emailAddress": '"Ana" <ana@example.org>'}], "feedbackId": "c"}
    return {
        "notificationType": "Complaint",
        "mail": MAIL,
        "complaint": what | ({"complaintFeedbackType": kind} if kind else {}),
    }


@pytest.mark.parametrize(
    ("kind", "counts"),
    [("abuse", True), (None, True), ("other", True), ("not-spam", False), ("auth-failure", False)],
)
def test_a_complaint_counts_unless_it_says_the_opposite(kind: str | None, counts: bool) -> None:
    heard = hear(signed(Message=json.dumps(complaint(kind))))
    assert [(e.kind, e.recipient) for e in heard.events] == [(EventKind.COMPLAINED, "ana@example.org")] * counts
    assert heard.ignored == (not counts)


def test_delays_and_rejections_are_told() -> None:
    delay = {"delayType": "MailboxFull", "delayedRecipients": [{"emailAddress": "ana@example.org", "status": "4.2.2"}]}
    (event,) = hear(
        signed(Message=json.dumps({"eventType": "DeliveryDelay", "mail": MAIL, "deliveryDelay": delay}))
    ).events
    assert (event.kind, event.reply.status) == (EventKind.DELAYED, "4.2.2")
    reject = {"eventType": "Reject", "mail": MAIL, "reject": {"reason": "Bad content"}}
    (event,) = hear(signed(Message=json.dumps(reject))).events
    assert (event.kind, event.recipient, event.suppress) == (EventKind.BOUNCED, "ana@example.org", False)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param("Successfully validated SNS topic for Amazon SES event publishing.", id="the first message"),
        pytest.param(json.dumps({"eventType": "Open", "mail": MAIL, "open": {}}), id="opened"),
        pytest.param(json.dumps({"eventType": "Delivery", "mail": MAIL, "delivery": {}}), id="delivered"),
        pytest.param(json.dumps({"eventType": "Bounce", "bounce": [], "mail": 3}), id="in another shape"),
        pytest.param("[]", id="no object"),
    ],
)
def test_what_changes_nothing_is_counted(message: str) -> None:
    assert hear(signed(Message=message)) == Heard(ignored=1)


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b"null", b"{}", b"[" * 100_000, b'{"Type": ["Notification"]}'])
def test_what_is_no_message_of_sns_is_refused(body: bytes) -> None:
    with pytest.raises(HookRefused):
        ses.hear(Hook(body), SETTINGS, at=AT, fetch=Amazon())


class Pages(Fake):
    """What may stand at an address."""

    name = "pages"

    def answer(self, asked: Asked) -> Said:
        return {
            "/a.pem": Said(200, b"a certificate"),
            "/moved.pem": Said(302, b"", {"Location": f"{self.url}/a.pem"}),
            "/gone.pem": Said(404, b"a page"),
            "/endless.pem": Said(200, b"x" * 100_000),
        }[asked.path]


def test_an_address_is_asked_plainly_and_nothing_else_is_taken() -> None:
    with Pages().running() as pages:
        assert sns.fetch(f"{pages.url}/a.pem") == b"a certificate"
        for path in ("moved", "gone", "endless"):
            with pytest.raises(ProviderError, match="Amazon SNS answered"):
                sns.fetch(f"{pages.url}/{path}.pem")
        assert [asked.path for asked in pages.asked].count("/a.pem") == 1, "no redirect is followed"
        assert not {"authorization", "cookie"} & set(pages.asked[0].headers)
    with pytest.raises(ProviderError, match="could not be asked"):
        sns.fetch(f"{pages.url}/a.pem")
