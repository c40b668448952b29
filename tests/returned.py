"""Mails that come back, as mail systems and people write them."""

from __future__ import annotations

from email.utils import formatdate
from zlib import crc32

US = "maya@letters.example.org"
LETTER = (
    "Received: from mx.example.net (mx.example.net [192.0.2.1]) by relay.example.net; Tue, 3 Mar 2026 09:00:00 +0000\n"
    f"From: Maya Thorne <{US}>\nTo: Ana <ana@example.org>\nSubject: No. 1\n"
    "Message-ID: <{message_id}>\nList-Unsubscribe: {listed}\n\nDear Ana\n"
)


def letter(message_id: str = "m1@letters.example.org", listed: str = "<mailto:maya@example.org>") -> str:
    """A letter of ours, as far as it comes back."""
    return LETTER.replace("{message_id}", message_id).replace("{listed}", listed)


def dsn(
    recipient: str = "ana@example.org",
    *,
    to: str = US,
    status: str = "5.1.1",
    said: str = "smtp; 550 5.1.1 <ana@example.org>: User unknown",
    action: str = "failed",
    back: str | None = None,
    ident: str = "d1",
    more: str = "",
) -> bytes:
    """A delivery status notification (RFC 3464) as Postfix writes it; *more* are fields of further recipients."""
    return (
        f"Return-Path: <>\nFrom: MAILER-DAEMON@mx.example.net (Mail Delivery System)\nTo: {to}\n"
        f"Date: {formatdate(1_772_528_400)}\n"
        "Subject: Undelivered Mail Returned to Sender\nAuto-Submitted: auto-replied\nMIME-Version: 1.0\n"
        f"Message-ID: <{ident}@mx.example.net>\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        "--b\nContent-Type: text/plain\n\nThis is the mail system. I'm sorry to have to inform you that your message\n"
        f"could not be delivered.\n\n<{recipient}>: {said.partition('; ')[2]}\n\n"
        "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n\n"
        f"Final-Recipient: rfc822; {recipient}\nAction: {action}\nStatus: {status}\nDiagnostic-Code: {said}\n{more}\n"
        f"--b\nContent-Type: message/rfc822\n\n{letter() if back is None else back}\n--b--\n"
    ).encode()


def prose(words: str, *, subject: str = "Mail delivery failed", sender: str = "MAILER-DAEMON@mx.example.net") -> bytes:
    """A failure told in words alone."""
    return (
        f"Return-Path: <>\nFrom: {sender}\nTo: {US}\nSubject: {subject}\nMessage-ID: <p1@mx.example.net>\n\n{words}\n"
    ).encode()


def complaint(back: str | None = None, *, kind: str = "abuse", more: str = "") -> bytes:
    """An abuse report (RFC 5965)."""
    return (
        f"From: fbl@provider.example\nTo: {US}\nSubject: FW: No. 1\nMIME-Version: 1.0\nMessage-ID: <c1@provider.example>\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\n\n'
        "--b\nContent-Type: text/plain\n\nThis is an email abuse report.\n\n"
        f"--b\nContent-Type: message/feedback-report\n\nFeedback-Type: {kind}\nUser-Agent: FBL/1\nVersion: 1\n{more}\n"
        f"--b\nContent-Type: message/rfc822\n\n{letter() if back is None else back}\n--b--\n"
    ).encode()


def person(
    words: str = "Thank you, that was lovely.",
    *,
    subject: str = "Re: No. 1",
    sender: str = "Ana <ana@example.org>",
    to: str = "maya@example.org",
    more: str = "",
) -> bytes:
    """What a person writes, or a machine in their place with the fields *more*."""
    return (
        f"Return-Path: <ana@example.org>\nFrom: {sender}\nTo: {to}\nSubject: {subject}\n"
        f"Message-ID: <{crc32(f'{words}{subject}{sender}'.encode())}@example.org>\n{more}\n{words}\n"
    ).encode()
