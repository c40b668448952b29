"""What Postmark, Resend and Mailgun really send to a webhook: signed, or with its password."""

from __future__ import annotations

import hmac
import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from typing import Any

from newsletter.config import VendorSettings
from newsletter.events import Hook

AT = datetime(2026, 3, 9, 9, 30, tzinfo=UTC)
SVIX = "whsec_" + b64encode(b"a secret key of tests").decode()
POSTMARK = VendorSettings("https://api.postmarkapp.com", webhook_secret="open-sesame")
RESEND = VendorSettings("https://api.resend.com", webhook_secret=SVIX)
MAILGUN = VendorSettings("https://api.mailgun.net", webhook_secret="signing-key")
NO_SUCH = "550 5.1.1 <ana@example.org>: Recipient address rejected: User unknown"


def from_postmark(told: object, password: str = "postmark:open-sesame") -> Hook:
    return Hook(json.dumps(told).encode(), {"authorization": "Basic " + b64encode(password.encode()).decode()})


def from_resend(told: object, *, at: datetime = AT, secret: str = SVIX, ident: str = "msg_1") -> Hook:
    body, stamp = json.dumps(told).encode(), str(int(at.timestamp()))
    signed = b"%b.%b.%b" % (ident.encode(), stamp.encode(), body)
    signature = b64encode(hmac.digest(b64decode(secret.removeprefix("whsec_")), signed, "sha256")).decode()
    return Hook(body, {"svix-id": ident, "svix-timestamp": stamp, "svix-signature": f"v1,{signature}"})


def from_mailgun(told: object, *, at: datetime = AT, secret: str = "signing-key", token: str = "f" * 50) -> Hook:
    stamp = str(int(at.timestamp()))
    signature = hmac.digest(secret.encode(), f"{stamp}{token}".encode(), "sha256").hex()
    signed = {"timestamp": stamp, "token": token, "signature": signature}
    return Hook(json.dumps({"signature": signed, "event-data": told}).encode(), {"content-type": "application/json"})


def bounce_at_postmark(**more: object) -> dict[str, object]:
    return {
        "RecordType": "Bounce", "ID": 4323372036854775807, "Type": "HardBounce", "TypeCode": 1,
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483", "Details": f"smtp;{NO_SUCH}",
        "Email": "ana@example.org", "BouncedAt": "2026-03-09T09:00:00.0000000Z", "MessageStream": "broadcast",
    } | more  # fmt: skip


def bounce_at_resend(**more: object) -> dict[str, object]:
    bounce = {
        "type": "Permanent",
        "subType": "General",
        "message": "It bounced.",
        "diagnosticCode": [f"smtp; {NO_SUCH}"],
    }
    data = {"email_id": "56761188-7520-42d8-8898-ff6fc54ce618", "to": ["ana@example.org"], "bounce": bounce | more}
    return {"type": "email.bounced", "created_at": "2026-03-09T09:00:00.000Z", "data": data}


def bounce_at_mailgun(**more: object) -> dict[str, Any]:
    return {
        "id": "G9Bn5sl1TC6nu79C8C0bwg", "timestamp": 1_773_046_800.5, "event": "failed", "severity": "permanent",
        "reason": "bounce", "recipient": "ana@example.org",
        "message": {"headers": {"message-id": "0a1b@letters.example.org"}},
        "delivery-status": {"code": 550, "enhanced-code": "5.1.1", "message": NO_SUCH, "attempt-no": 1},
    } | more  # fmt: skip
