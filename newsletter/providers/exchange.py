"""One request over HTTP: sent, and its answer read, within bounds.

Guarantees
    The last octet of a body is to a request what the final dot is to SMTP: whatever fails before it has left, was not
    accepted (`Unsent`); what fails after it may have been (`Unanswered`).
    A request ends: connecting, each wait for the network, the whole answer and its size are bounded.
    No redirect is followed, no proxy or password taken from the surroundings: what was set is what is spoken to.

Sources: RFC 9110 (status codes, Retry-After).
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import Any, cast

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.exceptions import SSLError as TlsError

from newsletter.config import VendorSettings
from newsletter.errors import ProviderError
from newsletter.mail import About, Outcome, Rejected, Reply, shown
from newsletter.replies import BUSY

ANSWER_MOST = 4 * 1024 * 1024  # octets; a batch of 1,000 results takes 200 kB
CONNECT_MOST = 10.0  # seconds
_CHUNK = 128 * 1024  # octets
_SAID_MOST = 300  # characters of an answer in a message to the owner
_PAUSE_MOST = 30 * 86_400  # seconds


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent; *path* begins behind base_url. Secrets are in *headers*, so they don't show."""

    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)  #: names in lower case
    body: bytes = b""

    def json(self) -> Any:
        """The body; raises `ValueError` when it is no JSON."""
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """The body as one short line, for people."""
        words = self.body[: 4 * _SAID_MOST].decode("utf-8", "replace")
        return " ".join("".join(c if c.isprintable() else " " for c in words).split())[:_SAID_MOST]

    @property
    def retry_after(self) -> timedelta | None:
        """Retry-After (RFC 9110 section 10.2.3). A date is read by the answer's own Date: clocks differ."""
        given = self.headers.get("retry-after", "").strip()
        if given.isdecimal():
            return timedelta(seconds=min(int(given), _PAUSE_MOST))
        try:
            until = parsedate_to_datetime(given)
            pause = until - parsedate_to_datetime(self.headers.get("date", ""))
            return min(max(pause, timedelta(0)), timedelta(seconds=_PAUSE_MOST))
        except (TypeError, ValueError):  # absent, unreadable, or with and without a zone
            return None


@dataclass(frozen=True, slots=True)
class Unsent:
    """The request failed before its last octet had left."""

    why: str


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The request left, and what came back, if anything, tells nothing."""

    why: str


Exchange = Answer | Unsent | Unanswered


def new_session() -> requests.Session:
    """A session that keeps one connection, and to itself."""
    session = requests.Session()
    session.trust_env = False  # no proxy, no .netrc
    session.mount("https://", HTTPAdapter(pool_connections=1, pool_maxsize=1))
    session.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=1))
    session.headers.update({"User-Agent": "newsletter", "Accept": "application/json", "Accept-Encoding": "identity"})
    return session


class _Body:
    """A request's body, which knows whether its last octet has left."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self.left = not octets

    def __len__(self) -> int:
        return len(self._octets)

    def __iter__(self) -> Iterator[memoryview]:
        view = memoryview(self._octets)
        for at in range(0, len(view), _CHUNK):
            self.left = at + _CHUNK >= len(view)
            yield view[at : at + _CHUNK]


def exchange(session: requests.Session, settings: VendorSettings, request: Request) -> Exchange:
    """Send *request* and read the answer; nothing is raised for what the network or the other side does."""
    seconds = settings.timeout.total_seconds()
    body, deadline = _Body(request.body), monotonic() + seconds
    try:
        with session.request(
            request.method,
            settings.base_url + request.path,
            data=cast("Iterable[bytes] | None", body if request.body else None),
            headers=dict(request.headers),
            timeout=(min(seconds, CONNECT_MOST), seconds),
            allow_redirects=False,
            stream=True,
        ) as response:
            octets = bytearray()
            for chunk in response.iter_content(64 * 1024):
                octets += chunk
                if len(octets) > ANSWER_MOST:
                    return Unanswered("its answer did not end")
                if monotonic() > deadline:
                    return Unanswered(f"its answer was not whole after {seconds:g} seconds")
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status_code, headers, bytes(octets))
    except (requests.RequestException, OSError) as error:
        reason = _reason(error)
        return Unanswered(_words(reason)) if body.left else Unsent(_words(reason))


def ask(settings: VendorSettings, request: Request, title: str) -> Answer:
    """The answer to one question, such as a look-up; raises `ProviderError` when asking later may do better."""
    with new_session() as session:
        answer = exchange(session, settings, request)
    if not isinstance(answer, Answer):
        raise ProviderError(f"{title} could not be asked: {answer.why}", retry_after=BUSY)
    if answer.status in (408, 425, 429) or answer.status >= 500:
        raise ProviderError(f"{title} could not be asked: it answered {answer.status}", retry_after=BUSY)
    return answer


def basic_auth(user: str, password: str) -> str:
    """The value of Authorization for HTTP basic authentication (RFC 7617)."""
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


def _reason(error: BaseException) -> BaseException:
    """What lies behind *error*: requests and urllib3 wrap it, twice and in two ways."""
    for _ in range(5):
        inner = getattr(error, "reason", None) or next((a for a in error.args if isinstance(a, Exception)), None)
        if not isinstance(inner, BaseException):
            break
        error = inner
    return error


def _words(error: BaseException) -> str:
    """*error* for an owner."""
    match error:
        case NameResolutionError():
            return "can't be found by its name"
        case TlsError():
            return f"showed a certificate that is not good for it ({shown(str(error), limit=120)[1:-1]})"
        case NewConnectionError():
            return "refused the connection" if "refused" in str(error) else "can't be reached"
        case ConnectTimeoutError():  # which the others are, too
            return "does not answer"
        case _ if "timed out" in str(error).lower():
            return "did not answer in time"
        case _:
            return f"broke off ({type(error).__name__})"


def by_status(title: str, base_url: str, section: str, answer: Answer) -> Outcome | ProviderError:
    """A refusal by its status alone. 4xx speaks of the message; what speaks of us comes first."""
    said = f' It said: "{answer.text}"' if answer.text else ""
    match answer.status:
        case 401 | 403:
            return ProviderError(
                f"{title} refused our key or what it is allowed to do ({answer.status}). Check the key, and base_url,"
                f" in {section}.{said}"
            )
        case 402:
            return ProviderError(f"{title} wants to be paid first (402). Look into your account there.{said}")
        case 404 | 405 | 410:
            return ProviderError(
                f"{title} has nothing at {base_url} ({answer.status}). Check base_url in {section}.{said}"
            )
        case _:
            return Rejected(Reply(answer.status, "", answer.text), About.MESSAGE)
