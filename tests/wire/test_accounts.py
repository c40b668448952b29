"""One's account with a vendor, asked of a server on loopback that answers as the vendor's reference has it."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from newsletter.config import VENDORS, VendorSettings
from newsletter.findings import Finding, Record, Severity
from newsletter.providers.accounts import examine
from newsletter.providers.visits import Account

NOW = datetime(2026, 3, 3, 9, tzinfo=UTC)
HOME = "thorne.net"
Answers = dict[str, tuple[int, Any]]

PATHS = {
    "ses": f"/v2/email/identities/{HOME}",
    "mailgun": f"/v3/domains/{HOME}",
    "postmark": "/message-streams/broadcast",
    "resend": "/domains",
    "brevo": f"/v3/senders/domains/{HOME}",
    "mailjet": f"/v3/REST/dns/{HOME}",
    "sendgrid": "/v3/whitelabel/domains?limit=500",
}
ACCOUNT = {"/v2/email/account": (200, {"ProductionAccessEnabled": True, "SendingEnabled": True})}
DKIM = {"DKIMStatus": "OK", "DKIMRecordName": f"mailjet._domainkey.{HOME}.", "DKIMRecordValue": "k=rsa; p=AAAA"}
FINE: dict[str, Any] = {
    "ses": {"VerifiedForSendingStatus": True, "DkimAttributes": {"Status": "SUCCESS", "SigningEnabled": True}},
    "mailgun": {
        "domain": {"name": HOME, "state": "active"},
        "sending_dns_records": [{"record_type": "TXT", "valid": "valid", "name": HOME, "value": "v=spf1 ~all"}],
    },
    "postmark": {"ID": "broadcast", "MessageStreamType": "Broadcasts", "ArchivedAt": None},
    "resend": {"data": [{"name": HOME, "status": "verified"}]},
    "brevo": {"domain": HOME, "verified": True, "authenticated": True},
    "mailjet": {"Count": 1, "Data": [DKIM]},
    "sendgrid": [{"domain": HOME, "subdomain": "em", "valid": True}],
}


@contextlib.contextmanager
def serving(answers: Answers) -> Iterator[tuple[str, list[tuple[str, dict[str, str]]]]]:
    """The base URL, and what was asked: path and header fields."""
    asked: list[tuple[str, dict[str, str]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            status, document = answers.get(self.path, (404, {"message": "no such thing"}))
            body = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response_only(status)
            self.send_header("Date", "Tue, 03 Mar 2026 08:59:30 GMT")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def settings(url: str) -> VendorSettings:
    return VendorSettings(url, key="KEY", secret="SECRET", region="eu-west-1", message_stream="broadcast")


def findings(name: str, answers: Answers) -> list[Finding]:
    with serving(answers) as (url, _):
        return list(examine(name, settings(url), HOME, now=lambda: NOW).findings)


every = pytest.mark.parametrize("name", VENDORS)


@every
def test_an_account_in_order_has_nothing_to_say_and_tells_the_time(name: str) -> None:
    with serving({PATHS[name]: (200, FINE[name]), **ACCOUNT}) as (url, asked):
        account = examine(name, settings(url), HOME, now=lambda: NOW)
    assert account == Account(signs=name != "postmark", ahead=timedelta(seconds=30))
    assert [path for path, _ in asked] == [PATHS[name], *(ACCOUNT if name == "ses" else ())]
    _, fields = asked[0]
    carried = {
        "ses": fields.get("authorization", "").startswith("AWS4-HMAC-SHA256 Credential=KEY/20260303/eu-west-1/ses/"),
        "mailgun": fields.get("authorization") == "Basic YXBpOktFWQ==",
        "postmark": fields.get("x-postmark-server-token") == "KEY",
        "brevo": fields.get("api-key") == "KEY",
        "mailjet": fields.get("authorization") == "Basic S0VZOlNFQ1JFVA==",
    }
    assert carried.get(name, fields.get("authorization") == "Bearer KEY")


@every
@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_refused(name: str, status: int) -> None:
    (found,) = findings(name, {PATHS[name]: (status, {"message": "no"})})
    assert (found.severity, found.place) == (Severity.ERROR, VENDORS[name].title)
    assert "refused the key" in found.problem
    assert f"[provider.{name}]" in found.remedy
    assert "KEY" not in found.problem + found.remedy


@every
def test_what_a_vendor_does_not_know(name: str) -> None:
    first = {PATHS[name]: (404, {}), **ACCOUNT}
    if name == "resend":
        first = {PATHS[name]: (200, {"data": [{"name": "other.net", "status": "verified"}]})}
    elif name == "sendgrid":
        first = {PATHS[name]: (200, [{"domain": "other.net", "valid": True}])}
    (found,) = findings(name, first)
    strict = name in ("postmark", "resend")  # without it nothing leaves; elsewhere a single address may be enough
    assert found.severity is (Severity.ERROR if strict else Severity.WARNING)
    assert ("no stream broadcast" if name == "postmark" else f"does not know the domain {HOME}") in found.problem


@every
@pytest.mark.parametrize(
    ("status", "body"),
    [(500, b"oops"), (200, b"<html>"), (200, b"[]"), (200, b"{}"), (200, b'{"data": 7}'), (302, b"")],
)
def test_an_answer_that_tells_nothing_is_no_crash(name: str, status: int, body: bytes) -> None:
    found = findings(name, {PATHS[name]: (status, body), **ACCOUNT})
    (weights) = {f.severity for f in found}
    assert weights == {Severity.WARNING}, found


@every
def test_nobody_there(name: str) -> None:
    with serving({}) as (url, _):
        pass
    account = examine(name, settings(url), HOME, now=lambda: NOW)
    (found,) = account.findings
    assert (found.severity, "refused the connection" in found.problem) == (Severity.ERROR, True)
    assert (account.signs, account.ahead) == (False, None)


@pytest.mark.parametrize(
    ("name", "document", "severity", "words"),
    [
        ("ses", {"VerifiedForSendingStatus": False, "DkimAttributes": {}}, Severity.ERROR, "has not found"),
        (
            "ses",
            {"VerifiedForSendingStatus": True, "DkimAttributes": {"Status": "PENDING", "SigningEnabled": True}},
            Severity.WARNING,
            "does not sign",
        ),
        ("mailgun", {"domain": {"state": "disabled"}, "sending_dns_records": []}, Severity.ERROR, "“disabled”"),
        ("postmark", {"MessageStreamType": "Transactional"}, Severity.ERROR, "for transactional mail"),
        ("postmark", {"MessageStreamType": "Broadcasts", "ArchivedAt": "2026-01-01"}, Severity.ERROR, "is archived"),
        ("resend", {"data": [{"name": HOME, "status": "pending"}]}, Severity.ERROR, "has not found"),
        ("brevo", {"verified": True, "authenticated": False}, Severity.ERROR, "has not found"),
        ("sendgrid", [{"domain": HOME, "valid": False}], Severity.ERROR, "has not found"),
    ],
)
def test_a_domain_that_is_not_ready(name: str, document: Any, severity: Severity, words: str) -> None:
    (found,) = findings(name, {PATHS[name]: (200, document), **ACCOUNT})
    assert (found.severity, words in found.problem) == (severity, True)


def test_records_that_a_vendor_misses_are_there_to_copy() -> None:
    missing = {"record_type": "TXT", "valid": "unknown", "name": f"k1._domainkey.{HOME}", "value": "k=rsa; p=AAAA"}
    mailgun = {"domain": {"state": "unverified"}, "sending_dns_records": [missing]}
    (found,) = findings("mailgun", {PATHS["mailgun"]: (200, mailgun)})
    assert found.record == Record(f"k1._domainkey.{HOME}", "k=rsa; p=AAAA")
    (found,) = findings("mailjet", {PATHS["mailjet"]: (200, {"Data": [DKIM | {"DKIMStatus": "Error"}]})})
    assert found.record == Record(f"mailjet._domainkey.{HOME}", "k=rsa; p=AAAA")


@pytest.mark.parametrize(
    ("name", "status", "document"),
    [
        ("resend", 401, {"name": "restricted_api_key", "message": "This API key is restricted to only send emails"}),
        ("sendgrid", 403, {"errors": [{"field": None, "message": "access forbidden"}]}),
        ("ses", 403, {"message": "User: arn:aws:iam::1:user/n is not authorized to perform: ses:GetEmailIdentity"}),
    ],
)
def test_a_key_that_may_only_send_is_a_good_key(name: str, status: int, document: Any) -> None:
    (found,) = findings(name, {PATHS[name]: (status, document), **ACCOUNT})
    assert (found.severity, "may send and do nothing else" in found.problem) == (Severity.NOTE, True)


@pytest.mark.parametrize(
    ("account", "words"),
    [
        ({"ProductionAccessEnabled": False, "SendingEnabled": True}, "sandbox"),
        ({"ProductionAccessEnabled": True, "SendingEnabled": False}, "has paused sending"),
    ],
)
def test_amazon_s_sandbox_and_pause(account: Any, words: str) -> None:
    (found,) = findings("ses", {PATHS["ses"]: (200, FINE["ses"]), "/v2/email/account": (200, account)})
    assert (found.severity, words in found.problem) == (Severity.ERROR, True)


def test_mailgun_is_asked_for_the_domain_that_is_set() -> None:
    with serving({}) as (url, asked):
        examine("mailgun", VendorSettings(url, key="KEY", domain="mg.thorne.net"), HOME, now=lambda: NOW)
    assert asked[0][0] == "/v3/domains/mg.thorne.net"
