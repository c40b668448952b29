"""A message of plain text alone, for mail outside the sequence that nobody subscribes to. Pure.

Sources: RFC 5322 (fields), RFC 2045 (MIME), RFC 3834 section 5 (Auto-Submitted: no machine should answer it).
"""

from __future__ import annotations

from datetime import datetime

from newsletter.compose import fields, quoted
from newsletter.mail import Mailbox


def plain_message(
    sender: Mailbox, recipient: Mailbox, *, subject: str, text: str, date: datetime, message_id: str
) -> bytes:
    """*text* (lines ending in LF) to one recipient; *message_id* without angle brackets."""
    return b"".join(
        (
            fields.mailbox("From", sender),
            fields.mailbox("To", recipient),
            fields.unstructured("Subject", subject),
            b"Date: %s\r\nMessage-ID: <%s>\r\n" % (fields.date(date), message_id.encode()),
            b"Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n",
            b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n",
            quoted.encode(text),
            b"\r\n",
        )
    )
