"""One's account with a vendor: whether it knows the key, and lets it send for the domain. Nothing is sent.

What a vendor is asked, and what its answer means, is a `_Question`; `examine` asks. A key that may only send is a good
key: where a vendor says that it is one, the domain can't be looked at, and that is a note.

Sources: the vendors' API references, November 2026.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from newsletter.config import VENDORS, VendorSettings
from newsletter.errors import ProviderError
from newsletter.findings import Finding, Record, error, note, warning
from newsletter.providers import ses
from newsletter.providers.exchange import Answer, Request, basic_auth, exchange, new_session
from newsletter.providers.sigv4 import signed
from newsletter.providers.visits import Account, clock_ahead

_RULE = "provider"
_PATIENCE = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class _Customer:
    """Who asks."""

    settings: VendorSettings
    domain: str  #: that letters come from
    at: datetime


@dataclass(frozen=True, slots=True)
class _Question:
    """What one vendor is asked about its customer."""

    path: Callable[[_Customer], str]
    headers: Callable[[_Customer, str], Mapping[str, str]]  #: *path* too, as some sign it
    judge: Callable[[Any, _Customer], Iterator[Finding]]  #: of a 200's JSON
    only_sends: Callable[[Answer], bool] = lambda answer: False  #: a refusal that says: this key may send, and no more
    refused: Callable[[Answer], object] = lambda answer: None  #: a refusal in the vendor's own terms, if it has some
    absent: str = ""  #: what a 404 says; "" = it does not know the domain
    about_domain: bool = True  #: nothing wrong means: the domain is set up, signatures and all


def examine(name: str, settings: VendorSettings, domain: str, *, now: Callable[[], datetime]) -> Account:
    """What is wrong with the account."""
    title, account = VENDORS[name].title, Account()
    settings = replace(settings, timeout=min(settings.timeout, _PATIENCE))
    for question in _QUESTIONS[name]:
        customer = _Customer(settings, settings.domain or domain, now())
        path = question.path(customer)
        with new_session() as session:
            answer = exchange(session, settings, Request(path, question.headers(customer, path), method="GET"))
        if not isinstance(answer, Answer):
            remedy = f"See whether this machine is online, and check base_url in [provider.{name}]."
            return Account((error(_RULE, title, f"{title} {answer.why}.", remedy),))
        found = tuple(_judged(name, title, question, customer, answer))
        account = Account(
            (*account.findings, *found),
            account.signs or (question.about_domain and not found),
            clock_ahead(answer.headers.get("date", ""), now),
        )
        if answer.status in (401, 403):
            break  # the next question would have the same answer
    return account


def _judged(name: str, title: str, question: _Question, customer: _Customer, answer: Answer) -> Iterator[Finding]:
    section = f"[provider.{name}]"
    if answer.status == 200:
        try:
            yield from question.judge(answer.json(), customer)
        except (ValueError, LookupError, TypeError, AttributeError):
            yield warning(_RULE, title, f"What {title} answered can't be read.", f"Check base_url in {section}.")
    elif question.only_sends(answer):
        yield note(
            _RULE,
            title,
            f"The key for {title} may send and do nothing else, so whether the domain is set up can't be asked.",
            "That is a good key. Look into your account there whether the domain is verified.",
        )
    elif answer.status in (401, 403):
        refusal = question.refused(answer)
        said = str(refusal) if isinstance(refusal, ProviderError) else f"{title} refused the key ({answer.status})."
        yield error(_RULE, title, said, f"Check the key, and base_url, in {section}.")
    elif answer.status == 404:
        if question.absent:
            problem = question.absent.format(stream=customer.settings.message_stream)
            yield error(_RULE, title, f"{title} {problem}.", f"Make it in your account there, or correct {section}.")
        else:
            yield warning(_RULE, title, *_unknown(title, customer.domain))
    else:
        said = f": {answer.text}" if answer.text else ""
        yield warning(_RULE, title, f"{title} did not tell how it stands ({answer.status}){said}.", "Try again later.")


# -- each vendor


def _unready(title: str, domain: str, record: Record | None = None) -> Finding:
    """The vendor knows the domain, and does not find its records."""
    return error(
        _RULE,
        title,
        f"{title} has not found {domain} in order, so letters in its name are not signed for it, or refused.",
        "Add this record." if record else "Add the records that your account there shows for the domain.",
        record,
    )


def _ses(found: Any, customer: _Customer) -> Iterator[Finding]:
    if not found["VerifiedForSendingStatus"]:
        yield _unready("Amazon SES", customer.domain)
    elif found["DkimAttributes"]["Status"] != "SUCCESS" or not found["DkimAttributes"]["SigningEnabled"]:
        yield warning(
            _RULE,
            "Amazon SES",
            f"Amazon SES does not sign letters for {customer.domain} (Easy DKIM: {found['DkimAttributes']['Status']}).",
            "Set up Easy DKIM for the domain in its console, and add the records that it shows.",
        )


def _ses_account(found: Any, customer: _Customer) -> Iterator[Finding]:
    if not found["ProductionAccessEnabled"]:
        yield error(
            _RULE,
            "Amazon SES",
            f"Your account ({customer.settings.region}) is in Amazon's sandbox: only verified readers get letters.",
            "Ask for production access in its console.",
        )
    if not found["SendingEnabled"]:
        yield error(
            _RULE,
            "Amazon SES",
            "Amazon SES has paused sending for your account.",
            "Its console says why, and what to do.",
        )


def _mailgun(found: Any, customer: _Customer) -> Iterator[Finding]:
    state = found["domain"]["state"]
    wrong = [r for r in found["sending_dns_records"] if r["valid"] != "valid" and r["record_type"] == "TXT"]
    for record in wrong:
        yield _unready("Mailgun", customer.domain, Record(str(record["name"]), str(record["value"])))
    if state != "active" and not wrong:
        yield error(
            _RULE,
            "Mailgun",
            f"Mailgun calls {customer.domain} “{state}”.",
            "Look into your account there: it says what is missing.",
        )


def _postmark(found: Any, customer: _Customer) -> Iterator[Finding]:
    kind = found["MessageStreamType"]
    if kind != "Broadcasts":
        yield error(
            _RULE,
            "Postmark",
            f"The stream {customer.settings.message_stream} is for {str(kind).lower()} mail, not for newsletters.",
            "Name a stream for broadcasts as message_stream in [provider.postmark].",
        )
    if found.get("ArchivedAt"):
        yield error(
            _RULE,
            "Postmark",
            f"The stream {customer.settings.message_stream} is archived.",
            "Bring it back there, or name another as message_stream in [provider.postmark].",
        )


def _resend(found: Any, customer: _Customer) -> Iterator[Finding]:
    statuses = {one["name"].lower(): one["status"] for one in found["data"]}
    if customer.domain not in statuses:
        yield error(_RULE, "Resend", *_unknown("Resend", customer.domain))
    elif statuses[customer.domain] != "verified":
        yield _unready("Resend", customer.domain)


def _brevo(found: Any, customer: _Customer) -> Iterator[Finding]:
    if not (found["verified"] and found["authenticated"]):
        yield _unready("Brevo", customer.domain)


def _mailjet(found: Any, customer: _Customer) -> Iterator[Finding]:
    (one,) = found["Data"]
    if one["DKIMStatus"] != "OK":
        name = str(one["DKIMRecordName"]).rstrip(".")
        yield _unready("Mailjet", customer.domain, Record(name, str(one["DKIMRecordValue"])))


def _sendgrid(found: Any, customer: _Customer) -> Iterator[Finding]:
    known = [one for one in found if f".{customer.domain}".endswith(f".{one['domain'].lower()}")]
    if not known:
        yield warning(_RULE, "SendGrid", *_unknown("SendGrid", customer.domain))
    elif not any(one["valid"] for one in known):
        yield _unready("SendGrid", customer.domain)


def _unknown(title: str, domain: str) -> tuple[str, str]:
    """Problem and remedy. Some let a single address send as well, which receivers trust less."""
    return f"{title} does not know the domain {domain}.", "Add the domain in your account there, with its records."


def _bearer(customer: _Customer, _: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {customer.settings.key}"}


def _signed(customer: _Customer, path: str) -> Mapping[str, str]:
    s = customer.settings
    return signed(
        "GET", s.base_url + path, {}, b"", key=s.key, secret=s.secret, region=s.region, service="ses", at=customer.at
    )


def _says(answer: Answer, *words: str) -> bool:
    return answer.status in (401, 403) and any(word in answer.text.lower() for word in words)


_QUESTIONS: Mapping[str, tuple[_Question, ...]] = {
    "ses": (
        _Question(
            lambda customer: f"/v2/email/identities/{quote(customer.domain, safe='')}",
            _signed,
            _ses,
            lambda answer: _says(answer, "is not authorized to perform"),
            ses.refused,
        ),
        _Question(
            lambda customer: "/v2/email/account",
            _signed,
            _ses_account,
            lambda answer: _says(answer, "is not authorized to perform"),
            ses.refused,
            about_domain=False,
        ),
    ),
    "mailgun": (
        _Question(
            lambda customer: f"/v3/domains/{quote(customer.domain, safe='')}",
            lambda customer, _: {"Authorization": basic_auth("api", customer.settings.key)},
            _mailgun,
        ),
    ),
    "postmark": (
        _Question(
            lambda customer: f"/message-streams/{quote(customer.settings.message_stream, safe='')}",
            lambda customer, _: {"X-Postmark-Server-Token": customer.settings.key},
            _postmark,
            absent="has no stream {stream} on this server",
            about_domain=False,
        ),
    ),
    "resend": (
        _Question(lambda customer: "/domains", _bearer, _resend, lambda answer: _says(answer, "restricted_api_key")),
    ),
    "brevo": (
        _Question(
            lambda customer: f"/v3/senders/domains/{quote(customer.domain, safe='')}",
            lambda customer, _: {"api-key": customer.settings.key},
            _brevo,
        ),
    ),
    "mailjet": (
        _Question(
            lambda customer: f"/v3/REST/dns/{quote(customer.domain, safe='')}",
            lambda customer, _: {"Authorization": basic_auth(customer.settings.key, customer.settings.secret)},
            _mailjet,
        ),
    ),
    "sendgrid": (
        _Question(
            lambda customer: "/v3/whitelabel/domains?limit=500",
            _bearer,
            _sendgrid,
            lambda answer: answer.status == 403 and _says(answer, "access forbidden"),
        ),
    ),
}
