"""Webhooks, from the request to the database and back, with a vendor that signs its bodies."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from desk import MINUTE, Desk, hashed
from starlette.applications import Starlette

from newsletter import feedback
from newsletter.errors import HookRefused, StoreBusy
from newsletter.events import Event, EventKind, Heard, Hook
from newsletter.mail import Accepted, Reply
from newsletter.store import Store
from newsletter.store.feedback import Taken
from newsletter.subscribers import Status
from newsletter.web.hooks import BODY_MOST, Entrance, Hear, path_for, routes, secret_for

KEY = b"the newsletter's own signing key"
SIGNING = b"what the vendor signs with"
PATH = path_for("acme", KEY)


def sign(body: bytes, at: datetime) -> dict[str, str]:
    """The header fields of a genuine request."""
    seconds = str(int(at.timestamp()))
    return {"x-time": seconds, "x-signature": hmac.new(SIGNING, seconds.encode() + body, sha256).hexdigest()}


def hear(hook: Hook, at: datetime) -> Heard:
    """As a vendor's module does."""
    seconds = hook.headers.get("x-time", "0")
    wanted = hmac.new(SIGNING, seconds.encode() + hook.body, sha256).hexdigest()
    if not hmac.compare_digest(hook.headers.get("x-signature", ""), wanted):
        raise HookRefused("the signature is wrong")
    if abs(at.timestamp() - int(seconds)) > 300:
        raise HookRefused("it is too old")
    events = [
        Event(EventKind(e["kind"]), "acme", e["id"], at, provider_id=e["message"], recipient=e["to"],
              reply=Reply(550, "5.1.1", "no such user"), suppress=e["kind"] == "bounced")
        for e in json.loads(hook.body)
    ]  # fmt: skip
    return Heard(events, once=hook.headers.get("x-nonce", ""))


@dataclass
class Answer:
    """What came back over HTTP."""

    status: int
    headers: dict[str, str]
    body: bytes
    read: int  #: pieces of the body that were asked for


@dataclass
class Site:
    """An application with the routes, and a caller."""

    desk: Desk
    vendor: str = "acme"
    hear: Hear = hear
    busy: Exception | None = None

    def __post_init__(self) -> None:
        entrances = {self.vendor: Entrance(self.hear, (secret_for(self.vendor, KEY), "agreed"))}
        self.app = Starlette(routes=routes(entrances, self.take_in, now=lambda: self.desk.at))

    def take_in(self, vendor: str, heard: Heard, at: datetime) -> Taken:
        if self.busy:
            raise self.busy
        return feedback.take_in(self.desk.store, heard, source=vendor, fingerprint=hashed, at=at)

    def tell(self, *events: tuple[str, str, str], path: str = PATH, **fields: str) -> Answer:
        """A genuine request: (kind, id, name) each."""
        body = json.dumps([{"kind": k, "id": i, "to": f"{n}@example.org", "message": f"id-{n}"} for k, i, n in events])
        return self.ask("POST", path, [body.encode()], sign(body.encode(), self.desk.at) | fields)

    def ask(
        self, method: str, path: str, parts: Sequence[bytes] = (b"",), fields: dict[str, str] | None = None
    ) -> Answer:
        return asyncio.run(self._ask(method, path, list(parts), fields or {}))

    async def _ask(self, method: str, path: str, parts: list[bytes], fields: dict[str, str]) -> Answer:
        sent: list[Any] = []
        given = iter(enumerate(parts, 1))
        read = 0

        async def receive() -> dict[str, Any]:
            nonlocal read
            n, part = next(given, (0, None))
            if part is None:
                return {"type": "http.disconnect"}
            read += 1
            return {"type": "http.request", "body": part, "more_body": n < len(parts)}

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(k.lower().encode(), v.encode()) for k, v in fields.items()]
        scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"",
                 "headers": headers, "http_version": "1.1", "scheme": "https", "server": ("t", 443)}  # fmt: skip
        await self.app(scope, receive, send)
        start = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
        return Answer(sent[0]["status"], start, b"".join(m.get("body", b"") for m in sent[1:]), read)


@pytest.fixture
def site(store: Store) -> Iterator[Site]:
    """Ana and Ben got post 1; the accounts balance in the end."""
    desk = Desk(store)
    desk.publish(1)
    desk.join("ana", "ben")
    for claim in desk.submitting():
        desk.record([claim], Accepted(f"id-{claim.recipient.address.local}"))
    desk.at += MINUTE
    yield Site(desk)
    assert desk.verify() == []


def status(site: Site, name: str) -> Status:
    return site.desk.store.audience.find(f"{name}@example.org").status


def test_what_a_genuine_request_tells_is_in_the_database_when_it_is_answered(site: Site) -> None:
    answer = site.tell(("bounced", "1", "ana"), ("unsubscribed", "2", "ben"))
    assert (answer.status, answer.body) == (200, b"Thank you.\n")
    assert (status(site, "ana"), status(site, "ben")) == (Status.SUPPRESSED, Status.UNSUBSCRIBED)


def test_the_secret_that_was_agreed_with_the_vendor_opens_as_well(site: Site) -> None:
    assert site.tell(("bounced", "1", "ana"), path="/hooks/acme/agreed").status == 200


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(f"/hooks/{'acme'}/{'0' * 32}", id="a wrong secret"),
        pytest.param(PATH[:-1], id="a secret cut short"),
        pytest.param(f"/hooks/nobody/{secret_for('nobody', KEY)}", id="a vendor who is not there"),
        pytest.param("/hooks/nobody/no such door", id="what stands in for one who is not there"),
        pytest.param("/hooks/acme/ü", id="no ASCII"),
        pytest.param("/hooks/acme/", id="no secret"),
        pytest.param("/hooks/acme", id="nothing"),
    ],
)
def test_without_the_secret_nothing_is_told_and_nothing_read(site: Site, path: str) -> None:
    wrong = site.tell(("bounced", "1", "ana"), path=path)
    other = site.ask("GET", "/nothing/here")
    assert (wrong.status, wrong.body, wrong.headers, wrong.read) == (404, other.body, other.headers, 0)
    assert status(site, "ana") is Status.ACTIVE


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_only_post_does_anything(site: Site, method: str) -> None:
    body = b"[]"
    assert site.ask(method, PATH, [body], sign(body, site.desk.at)).status == 405


def test_what_is_not_genuine_is_refused_in_one_way(site: Site) -> None:
    body = b'[{"kind": "bounced", "id": "1", "to": "ana@example.org", "message": "id-ana"}]'
    good = sign(body, site.desk.at)
    flipped = bytes([body[0] ^ 1]) + body[1:]
    cases = [
        (flipped, good),
        (body, {}),
        (body, good | {"x-signature": good["x-signature"][:-1] + "x"}),
        (body, sign(b"[]", site.desk.at)),
        (body, sign(body, site.desk.at - timedelta(minutes=6))),
    ]
    answers = [site.ask("POST", PATH, [data], fields) for data, fields in cases]
    assert {(a.status, a.body, a.headers["www-authenticate"]) for a in answers} == {
        (401, b"Not accepted.\n", 'Basic realm="webhooks"')
    }
    assert status(site, "ana") is Status.ACTIVE
    assert site.ask("POST", PATH, [body], good).status == 200


def test_a_request_that_is_sent_again_word_for_word_changes_nothing(site: Site) -> None:
    assert site.tell(("bounced", "1", "ana"), **{"x-nonce": "n"}).status == 200
    assert site.tell(("bounced", "1", "ana"), **{"x-nonce": "n"}).status == 200
    assert site.tell(("bounced", "2", "ben"), **{"x-nonce": "n"}).status == 200
    assert status(site, "ben") is Status.ACTIVE
    assert site.desk.ask("SELECT COUNT(*) FROM event") == [(1,)]


def test_a_body_is_read_to_one_megabyte_and_no_further(site: Site) -> None:
    part = b" " * 100_000
    body = part * 10
    assert site.ask("POST", PATH, [body[:-2], b"[]"], sign(body[:-2] + b"[]", site.desk.at)).status == 200
    answer = site.ask("POST", PATH, [part] * 50, {})
    assert (answer.status, answer.read) == (413, 1 + BODY_MOST // len(part))


def test_a_request_that_breaks_off_changes_nothing(site: Site) -> None:
    async def hang_up() -> int:
        sent = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": PATH, "query_string": b"", "headers": []}
        await site.app(scope, receive, send)
        return sent[0]["status"]

    assert asyncio.run(hang_up()) == 400


def test_while_the_database_is_busy_the_vendor_is_asked_to_come_again(site: Site) -> None:
    site.busy = StoreBusy("another program keeps it locked")
    answer = site.tell(("bounced", "1", "ana"), **{"x-nonce": "n"})
    assert (answer.status, answer.headers["retry-after"]) == (503, "60")
    site.busy = None
    assert site.tell(("bounced", "1", "ana"), **{"x-nonce": "n"}).status == 200
    assert status(site, "ana") is Status.SUPPRESSED


def test_each_vendor_has_an_address_of_its_own() -> None:
    assert path_for("acme", KEY) != path_for("acme", KEY + b"!")
    assert secret_for("acme", KEY) != secret_for("other", KEY)
    assert len(secret_for("acme", KEY)) == 32
