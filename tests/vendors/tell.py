"""Webhooks as vendors send them, signed with keys made for a run."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from fake import Took
from genuine import (
    SVIX,
    bounce_at_mailgun,
    bounce_at_postmark,
    bounce_at_resend,
    from_mailgun,
    from_postmark,
    from_resend,
)

from newsletter.config import VendorSettings
from newsletter.events import Heard, Hook
from newsletter.providers import ses
from newsletter.providers import vendor as module_of

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


UNSIGNED = VendorSettings("https://example.org")
REFUSED = "550 5.1.1 <x>: User unknown"
KINDS = ("bounce", "complaint", "leave")
#: what each vendor's requests are signed with, or carry; "" where it can be nothing
SECRETS = {
    "postmark": "open-sesame", "resend": SVIX, "mailgun": "signing-key", "ses": "", "sendgrid": "", "brevo": "open-sesame",
    "mailjet": "open-sesame",
}  # fmt: skip


def secret_of(vendor: str) -> str:
    """What is set as webhook_secret; SendGrid's is a public key, made for this run."""
    return shown("sendgrid") if vendor == "sendgrid" else SECRETS[vendor]


def _by_postmark(took: Took, kind: str, at: datetime) -> Hook:
    told = bounce_at_postmark(MessageID=took.ident, Email=took.recipient, ID=f"{kind} {took.ident}", BouncedAt=_z(at))
    told |= {"Details": f"smtp;{REFUSED}", "Metadata": {"newsletter": took.tag}}
    if kind == "complaint":
        told |= {"RecordType": "SpamComplaint"}
    if kind == "leave":
        told = {
            "RecordType": "SubscriptionChange", "MessageID": took.ident, "Recipient": took.recipient, "Origin": "Recipient",
            "ChangedAt": _z(at), "SuppressSending": True, "SuppressionReason": "ManualSuppression",
        }  # fmt: skip
    return from_postmark(told)


def _by_resend(took: Took, kind: str, at: datetime) -> Hook:
    told = bounce_at_resend(diagnosticCode=[f"smtp; {REFUSED}"])
    told |= {"type": "email.bounced" if kind == "bounce" else "email.complained", "created_at": _z(at)}
    told["data"] |= {"email_id": took.ident, "to": [took.recipient]}  # type: ignore[operator]
    return from_resend(told, at=at, ident=f"msg_{kind}_{took.ident}")


def _by_mailgun(took: Took, kind: str, at: datetime) -> Hook:
    told = bounce_at_mailgun(id=f"{kind} {took.ident}", timestamp=at.timestamp(), recipient=took.recipient)
    told |= {"message": {"headers": {"message-id": took.ident.strip("<>")}}}
    told |= {} if kind == "bounce" else {"event": {"complaint": "complained", "leave": "unsubscribed"}[kind]}
    token = hashlib.sha256(f"{kind} {took.ident} {at}".encode()).hexdigest()[:50]
    return from_mailgun(told, at=at, token=token)


def _by_ses(took: Took, kind: str, at: datetime) -> Hook:
    person = {"emailAddress": took.recipient, "status": "5.1.1", "diagnosticCode": f"smtp; {REFUSED}"}
    what = {
        "bounce": {"notificationType": "Bounce", "bounce": {"bounceType": "Permanent", "bouncedRecipients": [person]}},
        "complaint": {"notificationType": "Complaint", "complaint": {"complainedRecipients": [person]}},
    }[kind]
    mail = {"messageId": took.ident, "headers": [{"name": "Message-ID", "value": took.tag}]}
    text = json.dumps({"mail": mail, **what})
    ident = str(uuid5(NAMESPACE_OID, f"{kind} {took.ident}"))
    return sns_hook(sns_fields("2", Message=text, MessageId=ident, Timestamp=at.isoformat()))


def _by_sendgrid(took: Took, kind: str, at: datetime) -> Hook:
    found = sendgrid_event(
        {"bounce": "bounce", "complaint": "spamreport", "leave": "unsubscribe"}[kind],
        email=took.recipient,
        sg_event_id=f"{kind} {took.ident}",
        sg_message_id=f"{took.ident}.recvd-5d.1",
        message_id=took.tag,
        reason=REFUSED,
        timestamp=at.timestamp(),
    )
    return sendgrid_hook([found], at=at)


def _by_brevo(took: Took, kind: str, at: datetime) -> Hook:
    found = brevos(
        {"bounce": "hard_bounce", "complaint": "spam", "leave": "unsubscribed"}[kind],
        email=took.recipient,
        reason=REFUSED,
        ts_epoch=at.timestamp() * 1_000,
        **{"message-id": f"<{took.ident}>", "X-Mailin-custom": took.tag},
    )
    return Hook(json.dumps(found).encode(), BASIC)


def _by_mailjet(took: Took, kind: str, at: datetime) -> Hook:
    found = mailjets(
        {"bounce": "bounce", "complaint": "spam", "leave": "unsub"}[kind],
        email=took.recipient,
        MessageID=int(took.ident or 0),
        CustomID=took.tag,
        hard_bounce=True,
        comment=REFUSED,
        time=at.timestamp(),
    )
    return Hook(json.dumps([found]).encode(), BASIC)


BASIC = from_postmark({}).headers


def _z(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


_TELLERS: dict[str, Callable[[Took, str, datetime], Hook]] = {
    "postmark": _by_postmark,
    "resend": _by_resend,
    "mailgun": _by_mailgun,
    "ses": _by_ses,
    "sendgrid": _by_sendgrid,
    "brevo": _by_brevo,
    "mailjet": _by_mailjet,
}


def kinds_of(vendor: str) -> tuple[str, ...]:
    """What it can tell: Amazon and Resend know of no reader who left."""
    return KINDS[:2] if vendor in ("ses", "resend") else KINDS


def request(vendor: str, took: Took, kind: str, *, at: datetime) -> Hook:
    """What *vendor* posts at *at* about a letter: a bounce, a complaint, or that its reader left ("leave")."""
    return _TELLERS[vendor](took, kind, at)


def heard(vendor: str, took: Took, kind: str, *, at: datetime) -> Heard:
    """What its webhook is taken for."""
    hook, settings = request(vendor, took, kind, at=at), VendorSettings("", webhook_secret=secret_of(vendor))
    if vendor == "ses":
        return ses.hear(hook, SES_SETTINGS, at=at, fetch=Amazon())
    found: Heard = module_of(vendor).hear(hook, settings, at=at)
    return found
