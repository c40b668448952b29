"""Delivery statuses as they come: mistyped, encoded twice, in the wrong place, cut from their boundary."""

from __future__ import annotations

from base64 import encodebytes

import pytest
from returned import US, dsn, letter

from newsletter.reports import Kind, mails, read

FIELDS = (
    "Reporting-MTA: dns; mx.example.net\n\nFinal-Recipient: rfc822; ana@example.org\nAction: failed\nStatus: 5.1.1\n"
    "Diagnostic-Code: smtp; 550 5.1.1 unknown\n"
)
HEADER = (
    f"Return-Path: <>\nFrom: Mail Delivery System <MAILER-DAEMON@mx.example.net>\nTo: {US}\nSubject: Undelivered\n"
    "MIME-Version: 1.0\n"
)
NOTICE = "Content-Type: text/plain\n\nIt could not be delivered.\n"
BACK = f"Content-Type: message/rfc822\n\n{letter()}\n"
STATUS = f"Content-Type: message/delivery-status\n\n{FIELDS}"
PAGE = (
    "<html><body><p>Delivery has failed to these recipients or groups:</p><p><a href='mailto:ana@example.org'>ana@example.org</a><br>"
    "The email address you entered couldn't be found.</p><p>Remote Server returned '550 5.1.10 RESOLVER.ADR.RecipientNotFound;"
    " Recipient ana@example.org not found by SMTP address lookup'</p></body></html>"
)
OCTETS = "Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n"


def report(
    *parts: str, kind: str = "multipart/report; report-type=delivery-status", boundary: str = "b", named: str = "b"
) -> bytes:
    """A report of *parts*, whose header names the boundary *named*."""
    pieces = "".join(f"--{boundary}\n{part}\n" for part in parts)
    return f'{HEADER}Content-Type: {kind}; boundary="{named}"\n\n{pieces}--{boundary}--\n'.encode()


def with_status(old: str, new: str) -> bytes:
    return report(NOTICE, STATUS.replace(old, new), BACK)


def encoded(text: str, charset: str = "utf-8") -> str:
    return encodebytes(text.encode(charset)).decode()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(report(NOTICE, f"Content-Type: text/plain\n\n{FIELDS}", BACK), id="typed as text"),
        pytest.param(report(NOTICE, f"\n{FIELDS}", BACK), id="without a type"),
        pytest.param(report(NOTICE, OCTETS + encoded(FIELDS), BACK), id="typed as octets, in base64"),
        pytest.param(
            report(NOTICE, STATUS.replace("\n\n", "\nContent-Transfer-Encoding: base64\n\n", 1).partition("\n\n")[0] + "\n\n" + encoded(FIELDS), BACK),
            id="in base64",
        ),
        pytest.param(report(NOTICE, STATUS, BACK, named="other"), id="another boundary than is named"),
        pytest.param(report(NOTICE, STATUS, BACK).replace(b'; boundary="b"', b""), id="no boundary named"),
        pytest.param(report(NOTICE, STATUS, BACK, kind="multipart/mixed"), id="not called a report"),
        pytest.param(f"{HEADER}\n{FIELDS}\n{letter()}".encode(), id="no parts"),
        pytest.param(f"{HEADER}\nThe report follows.\n\n> ".encode() + FIELDS.replace("\n", "\n> ").encode(), id="quoted"),
        pytest.param(report(NOTICE, STATUS, BACK).replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(report(NOTICE, STATUS, BACK).replace(b"\n", b"\r"), id="CR"),
        pytest.param(b"\xef\xbb\xbf" + report(NOTICE, STATUS, BACK), id="a byte order mark in front"),
        pytest.param(with_status("rfc822; ", ""), id="a recipient without a type"),
        pytest.param(with_status("rfc822; ana@example.org", "RFC822;<ana@example.org>"), id="angle brackets"),
        pytest.param(with_status("rfc822; ana@example.org", "rfc822;SMTP:ana@example.org"), id="SMTP: in front"),
        pytest.param(with_status("rfc822; ana@example.org", "rfc822;\n ana@example.org"), id="folded"),
        pytest.param(with_status("rfc822; ana@example.org", "X400; /C=us/S=ana"), id="an X.400 name"),
        pytest.param(with_status("rfc822; ana@example.org", "local; ana"), id="a local name"),
        pytest.param(with_status("Status: 5.1.1\n", ""), id="no status"),
        pytest.param(with_status("Action: failed\n", ""), id="no action"),
        pytest.param(with_status("5.1.1\n", "5.1.1 (bad destination mailbox address)\n"), id="a status with words"),
        pytest.param(with_status("message/delivery-status", "MESSAGE/Global-Delivery-Status; name=x"), id="RFC 6533"),
        pytest.param(report("Content-Type: text/plain\n\nDelivery to ana@example.org failed: 550 5.1.1 unknown\n", BACK), id="a report of text alone"),
        pytest.param(f"{HEADER}Content-Type: text/html; charset=utf-8\n\n{PAGE}".encode(), id="a page alone"),
        pytest.param(
            f"{HEADER}Content-Type: text/html; charset=utf-16\nContent-Transfer-Encoding: base64\n\n{encoded(PAGE, 'utf-16')}".encode(),
            id="a page in UTF-16",
        ),
        pytest.param(report(NOTICE, f"Content-Type: message/rfc822\n\n{dsn().decode()}", kind="multipart/mixed"), id="a report within a letter"),
        pytest.param(f"{HEADER}X-Failed-Recipients: ana@example.org\n\nNope. 550 5.1.1\n".encode(), id="a field of the header"),
        pytest.param(
            report("Content-Type: text/plain\n\nYour message could not be delivered: no such user (5.1.1).\n", BACK, kind="multipart/mixed"),
            id="named by the letter alone",
        ),
    ],
)  # fmt: skip
def test_it_is_read_all_the_same(data: bytes) -> None:
    assert [(told.kind, told.recipient, told.suppress) for told in read(data)] == [
        (Kind.BOUNCE, "ana@example.org", True)
    ]


def test_an_mbox_holds_several_mails() -> None:
    line = b"From MAILER-DAEMON Tue Mar  3 09:00:00 2026\n"
    both = mails(line + dsn() + b"\n" + line + dsn("ben@example.org"))
    assert [told.recipient for mail in both for told in read(mail)] == ["ana@example.org", "ben@example.org"]


@pytest.mark.parametrize("mail", [b"", dsn(), b"From here on it is a letter.\n" + dsn()])
def test_what_is_no_mbox_is_one_mail(mail: bytes) -> None:
    assert mails(mail) == [mail]


def test_a_letter_that_quotes_an_mbox_is_one_mail() -> None:
    assert len(mails(dsn() + b"\nFrom ben@example.org Tue Mar  3 09:00:00 2026\n")) == 1
