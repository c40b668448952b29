"""Visits: what a mail server and a web page show to somebody who wants nothing of them.

    call_on    connects, greets, encrypts, logs in, and leaves; no message is sent
    outward_address  from where this machine would speak
    ask_page   one GET and one POST of an unsubscribe address, as a mail program makes them
    within     any of them, with an end

Guarantees
    No letter leaves. Nothing is asked for but the address given; a redirect is noted, not followed. Of a body not an
    octet is read.

What goes wrong
    `ProviderError`, in words for the owner; a visit that takes too long is left behind and reported so.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from queue import Empty, SimpleQueue
from socket import AF_INET, SOCK_DGRAM, socket
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

from newsletter.config import SmtpSettings
from newsletter.errors import ProviderError
from newsletter.findings import Finding
from newsletter.providers.session import Session, tls_context

if TYPE_CHECKING:
    from requests import PreparedRequest, RequestException

_REPLY = timedelta(seconds=10)  # for each reply; a server that is slower is no use to a run either
_DATE = re.compile(r"(?:[A-Z][a-z]{2}, )?\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d (?:[+-]\d{4}|GMT)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.IPv]+\]")
_ANYWHERE = "192.0.2.1"  # RFC 5737: an address for examples, reached by the way to everywhere

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server as it presented itself."""

    address: str  #: of the other end
    name: str  #: with which it answers EHLO (RFC 5321 section 4.1.1.1); "" when it says none
    tls: str = ""  #: such as "TLSv1.3"; "" without encryption
    expires: datetime | None = None  #: its certificate
    ahead: timedelta | None = None  #: how far our clock is ahead of the one in its banner, if there is one


@dataclass(frozen=True, slots=True)
class Response:
    """What a web server answered, without its body."""

    status: int
    location: str = ""  #: of a redirect
    ahead: timedelta | None = None  #: how far our clock is ahead of its Date


@dataclass(frozen=True, slots=True)
class Page:
    """How an unsubscribe address answers: a response, or why there is none."""

    get: Response | str
    post: Response | str


@dataclass(frozen=True, slots=True)
class Account:
    """What a vendor says of its customer."""

    findings: tuple[Finding, ...] = ()
    signs: bool = False  #: it signs for the domain, and has found the records for that in the DNS
    ahead: timedelta | None = None  #: how far our clock is ahead of the vendor's


def within(seconds: float, what: str, call: Callable[[], T]) -> Callable[[], T]:
    """Begin *call* at once beside us; what is returned waits for it. Raises `ProviderError` when its time is over.

    The thread is left behind then: sockets that drip octets can't be made to end, and the program ends anyway.
    """
    done: SimpleQueue[T | Exception] = SimpleQueue()

    def work() -> None:
        try:
            done.put(call())
        except Exception as error:
            done.put(error)

    Thread(target=work, daemon=True).start()

    def result() -> T:
        try:
            found = done.get(timeout=seconds)
        except Empty:
            raise ProviderError(f"{what} did not answer within {seconds:g} seconds; try again later") from None
        if isinstance(found, Exception):
            raise found
        return found

    return result


# -- a mail server


def call_on(settings: SmtpSettings, *, now: Callable[[], datetime]) -> Server:
    """Connect, EHLO, STARTTLS, AUTH, QUIT. Raises `ProviderError`."""
    settings = replace(settings, timeout=min(settings.timeout, _REPLY))
    session = Session(settings, tls_context(settings), helo="")
    session.open()
    try:
        assert session.sock is not None
        greeting = (session.ehlo_resp or b"").decode("ascii", "replace").split()
        name = greeting[0] if greeting and _NAME.fullmatch(greeting[0]) else ""
        server = Server(session.sock.getpeername()[0].partition("%")[0], name, ahead=clock_ahead(session.banner, now))
        if isinstance(session.sock, ssl.SSLSocket):
            certificate = session.sock.getpeercert() or {}
            until = certificate.get("notAfter")
            expires = datetime.fromtimestamp(ssl.cert_time_to_seconds(until), UTC) if isinstance(until, str) else None
            server = replace(server, tls=session.sock.version() or "", expires=expires)
    finally:
        session.part()
        session.leave()
    return server


def clock_ahead(text: str, now: Callable[[], datetime]) -> timedelta | None:
    """How far our clock is ahead of a date in *text*, as Exim and Sendmail have one in their banners."""
    found = _DATE.search(text)
    if found is None:
        return None
    try:
        return now() - parsedate_to_datetime(found[0])
    except (TypeError, ValueError):  # a date without a zone, or none
        return None


# -- a web page


def ask_page(url: str, *, now: Callable[[], datetime]) -> Page:
    """GET *url*, then POST to it what RFC 8058 section 3.2 has mail programs post; no cookies, no credentials."""
    return Page(_asked("GET", url, now), _asked("POST", url, now))


def _asked(method: str, url: str, now: Callable[[], datetime]) -> Response | str:
    import requests  # 97 ms to import: only who has a website pays

    body = {"List-Unsubscribe": "One-Click"} if method == "POST" else None
    try:
        with requests.request(
            method,
            url,
            data=body,
            timeout=_REPLY.total_seconds(),
            allow_redirects=False,
            auth=_nobody,
            headers={"User-Agent": "newsletter doctor"},
            stream=True,
        ) as answer:
            ahead = clock_ahead(answer.headers.get("Date", ""), now)
            return Response(answer.status_code, answer.headers.get("Location", ""), ahead)
    except requests.RequestException as error:
        return _why(error)


def _nobody(request: PreparedRequest) -> PreparedRequest:
    """No login; without one given, requests takes what ~/.netrc has for the host."""
    return request


def _why(error: RequestException) -> str:
    """As the owner would say it: what urllib3 says is for programmers."""
    import requests

    words = str(error)
    if isinstance(error, requests.exceptions.SSLError):
        for sign, meaning in _CERTIFICATE.items():
            if sign in words:
                return meaning
        return "does not speak TLS as browsers do"
    if isinstance(error, requests.Timeout):
        return f"did not answer within {_REPLY.total_seconds():g} seconds"
    for sign, meaning in _CONNECTION.items():
        if sign in words:
            return meaning
    return f"could not be asked ({type(error).__name__})"


_CERTIFICATE = {
    "certificate has expired": "shows a certificate that has expired",
    "Hostname mismatch": "shows a certificate for another name",
    "doesn't match": "shows a certificate for another name",
    "self-signed": "shows a certificate that no browser trusts",
    "self signed": "shows a certificate that no browser trusts",
    "unable to get local issuer": "shows a certificate whose authority is unknown, or not the whole chain",
}  # fmt: skip
_CONNECTION = {
    "resolve": "can't be found by its name",
    "refused": "refuses the connection: nothing listens there",
    "unreachable": "can't be reached from here",
    "reset": "broke off",
    "closed": "broke off",
    "aborted": "broke off",
}


# -- this machine


def outward_address() -> str:
    """The address from which this machine would speak to the world, or "" when it has no way there.

    A UDP socket that is connected sends nothing; the kernel only chooses the way. Behind a router that translates
    addresses it is a private one.
    """
    with socket(AF_INET, SOCK_DGRAM) as probe:
        try:
            probe.connect((_ANYWHERE, 9))
        except OSError:
            return ""
        return str(probe.getsockname()[0])
