"""Webhooks as vendors send them, signed with keys made for a run."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from fake import Took

from newsletter.config import VendorSettings
from newsletter.events import Heard, Hook
from newsletter.providers import brevo, mailjet, sendgrid, ses

# --- Amazon SNS

AT = datetime(2026, 3, 9, 9, 30, tzinfo=UTC)
TOPIC = "arn:aws:sns:eu-west-1:123456789012:letters"
HOST = "https://sns.eu-west-1.amazonaws.com"
PEM = f"{HOST}/SimpleNotificationService-0a1b2c.pem"
SES_SETTINGS = VendorSettings("https://email.eu-west-1.amazonaws.com", topics=(TOPIC,))


@cache
def rsa_key(name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def certificate(name: str) -> bytes:
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")])
    built = x509.CertificateBuilder().subject_name(who).issuer_name(who).public_key(rsa_key(name).public_key())
    built = built.serial_number(7).not_valid_before(AT - timedelta(days=30)).not_valid_after(AT + timedelta(days=30))
    return built.sign(rsa_key(name), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


class Amazon:
    """Stands for the two addresses of SNS that may be asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, url: str) -> bytes:
        self.asked.append(url)
        return certificate("amazon") if url.endswith(".pem") else b"<ConfirmSubscriptionResponse/>"


def sns_fields(version: str = "1", signer: str = "amazon", **fields: str) -> dict[str, str]:
    kind = fields.setdefault("Type", "Notification")
    fields.setdefault("MessageId", "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324")
    fields.setdefault("TopicArn", TOPIC)
    fields.setdefault("Timestamp", AT.strftime("%Y-%m-%dT%H:%M:%S.012Z"))
    fields.setdefault("Message", "{}")
    if kind != "Notification":
        fields.setdefault("Token", "2336412f37")
        url = f"{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37"
        fields.setdefault("SubscribeURL", url)
    names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{fields[name]}\n" for name in names if name in fields)
    digest = hashes.SHA1() if version == "1" else hashes.SHA256()
    signature = rsa_key(signer).sign(text.encode(), padding.PKCS1v15(), digest)
    return {
        "SignatureVersion": version,
        "SigningCertURL": PEM,
        "Signature": b64encode(signature).decode(),
        "UnsubscribeURL": f"{HOST}/?Action=Unsubscribe",
    } | fields


def sns_hook(fields: dict[str, str]) -> Hook:
    return Hook(json.dumps(fields).encode(), {"x-amz-sns-message-type": fields.get("Type", "")})


# --- SendGrid

SIGNATURE = "x-twilio-email-event-webhook-signature"
STAMP = "x-twilio-email-event-webhook-timestamp"


@cache
def ec_key(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP384R1() if name == "another curve" else ec.SECP256R1())


def shown(name: str) -> str:
    """A public key as SendGrid's settings show it."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return b64encode(ec_key(name).public_key().public_bytes(serialization.Encoding.DER, form)).decode()


def sendgrid_settings(name: str = "sendgrid") -> VendorSettings:
    return VendorSettings("https://api.sendgrid.com", webhook_secret=shown(name))


def sendgrid_event(kind: str, **more: object) -> dict[str, Any]:
    return {
        "email": "ana@example.org",
        "timestamp": 1_773_048_000,
        "smtp-id": "<x@ismtpd>",
        "event": kind,
        "message_id": "9e@letters.example.org",
        "sg_event_id": f"id-{kind}",
        "sg_message_id": "14c5d75ce93.filterdrecv-5d.2",
    } | more


def sendgrid_hook(events: object, *, at: datetime = AT, signer: str = "sendgrid") -> Hook:
    body = json.dumps(events).encode()
    stamp = str(int(at.timestamp()))
    signature = ec_key(signer).sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    return Hook(body, {SIGNATURE: b64encode(signature).decode(), STAMP: stamp})


# --- Brevo and Mailjet


def brevos(kind: str, **more: object) -> dict[str, Any]:
    return {
        "event": kind,
        "email": "ana@example.org",
        "id": 26224,
        "date": "2026-03-09 10:20:00",
        "ts": 1_773_051_600,
        "ts_event": 1_773_051_600,
        "ts_epoch": 1_773_048_000_000,
        "message-id": "<202603090920.1@smtp-relay.mailin.fr>",
        "X-Mailin-custom": "9e@letters.example.org",
    } | more


def mailjets(kind: str, **more: object) -> dict[str, Any]:
    return {
        "event": kind,
        "time": 1_773_048_000,
        "MessageID": 13792286917004336,
        "Message_GUID": "1ab23cd4",
        "email": "ana@example.org",
        "mj_campaign_id": 0,
        "CustomID": "9e@letters.example.org",
        "Payload": "",
    } | more


# --- about a letter that a fake took


REFUSED = "550 5.1.1 <x>: User unknown"
UNSIGNED = VendorSettings("https://example.org")


def _by_ses(took: Took, kind: str, at: datetime) -> Heard:
    person = {"emailAddress": took.recipient, "status": "5.1.1", "diagnosticCode": f"smtp; {REFUSED}"}
    what = {
        "bounce": {"notificationType": "Bounce", "bounce": {"bounceType": "Permanent", "bouncedRecipients": [person]}},
        "complaint": {"notificationType": "Complaint", "complaint": {"complainedRecipients": [person]}},
    }[kind]
    stamp = at.isoformat()
    fields = sns_fields(
        "2",
        Message=json.dumps(
            {"mail": {"messageId": took.ident, "headers": [{"name": "Message-ID", "value": took.tag}]}, **what}
        ),
        Timestamp=stamp,
    )
    return ses.hear(sns_hook(fields), SES_SETTINGS, at=at, fetch=Amazon())


def _by_sendgrid(took: Took, kind: str, at: datetime) -> Heard:
    found = sendgrid_event(
        {"bounce": "bounce", "complaint": "spamreport", "leave": "unsubscribe"}[kind],
        email=took.recipient,
        sg_message_id=f"{took.ident}.recvd-5d.1",
        message_id=took.tag,
        reason=REFUSED,
        timestamp=at.timestamp(),
    )
    return sendgrid.hear(sendgrid_hook([found], at=at), sendgrid_settings(), at=at)


def _by_brevo(took: Took, kind: str, at: datetime) -> Heard:
    found = brevos(
        {"bounce": "hard_bounce", "complaint": "spam", "leave": "unsubscribed"}[kind],
        email=took.recipient,
        reason=REFUSED,
        ts_epoch=at.timestamp() * 1_000,
        **{"message-id": f"<{took.ident}>", "X-Mailin-custom": took.tag},
    )
    return brevo.hear(Hook(json.dumps(found).encode()), UNSIGNED, at=at)


def _by_mailjet(took: Took, kind: str, at: datetime) -> Heard:
    found = mailjets(
        {"bounce": "bounce", "complaint": "spam", "leave": "unsub"}[kind],
        email=took.recipient,
        MessageID=int(took.ident or 0),
        CustomID=took.tag,
        hard_bounce=True,
        comment=REFUSED,
        time=at.timestamp(),
    )
    return mailjet.hear(Hook(json.dumps([found]).encode()), UNSIGNED, at=at)


_TELLERS: dict[str, Callable[[Took, str, datetime], Heard]] = {
    "ses": _by_ses,
    "sendgrid": _by_sendgrid,
    "brevo": _by_brevo,
    "mailjet": _by_mailjet,
}


def heard(vendor: str, took: Took, kind: str, *, at: datetime) -> Heard:
    """What *vendor* tells at *at* about a letter: a bounce, a complaint, or that its reader left ("leave")."""
    return _TELLERS[vendor](took, kind, at)
