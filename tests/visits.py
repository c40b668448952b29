"""The public pages as a visitor meets them, without a socket: requests in, answers out, a clock to turn."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import text

from newsletter.catalogue import position_before
from newsletter.config import Config, Design, Identity, Rules, Visible, Web
from newsletter.consent import asking
from newsletter.consent.wishes import paces, wipe
from newsletter.intake import fingerprint
from newsletter.links import Links, Purpose
from newsletter.mail import Address, Mailbox
from newsletter.stationery import Stationery
from newsletter.store import Store
from newsletter.store.audience import Reader
from newsletter.web.app import public_app
from newsletter.web.archive.routes import Reading
from newsletter.web.archive.shelf import Library
from newsletter.web.door import Tally
from newsletter.web.house import House
from newsletter.web.pages import Pages
from newsletter.web.turns import Turns

SECRET = b"a key for tests, thirty-two bytes"
HOST = "letters.example.org"
IDENTITY = Identity(
    "Letters from the Practice",
    Mailbox("Maya Thorne", Address.parse("maya@letters.example.org")),
    "12 Birch Lane",
    url=f"https://{HOST}/list",
)
FORM = "application/x-www-form-urlencoded"


@cache
def stationery() -> Stationery:
    """One for all tests: compiling letters costs more than the rest of a test."""
    return Stationery(IDENTITY, Design(), SECRET)


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def header(self, name: str) -> str:
        return ", ".join(value for key, value in self.headers if key == name)


class Site:
    """One newsletter's pages over *store*, from 2 March 2026, 09:00 UTC, on."""

    def __init__(
        self,
        store: Store,
        *,
        web: Web | None = None,
        rules: Rules | None = None,
        design: Design | None = None,
        letters: Config | None = None,
    ) -> None:
        self.store, self.now = store, datetime(2026, 3, 2, 9, tzinfo=UTC)
        self.hash, self.rules = fingerprint(SECRET), rules or Rules()
        self.links = Links(SECRET, IDENTITY.url, IDENTITY.list_id)
        self.desk = asking.Desk(stationery(), self.hash, self._floor, paces(self.rules))
        self.turns, self.tally = Turns(store), Tally()
        self.woken = 0
        pages = Pages(IDENTITY, design or Design(), "/list")
        self.house = House(
            store, self.turns, self.links, pages, self.desk, web or Web(), lambda: self.now, self._wake, SECRET,
            letters.archive.visible if letters else Visible.NOBODY,
        )  # fmt: skip
        more = Reading(self.house, Library(letters, store), fresh=0).routes() if letters else []
        self.app = public_app(self.house, 8000, tally=self.tally, figures=lambda: {"ok": True}, more=more)
        self._loop = asyncio.new_event_loop()

    def close(self) -> None:
        self.turns.close()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def _wake(self) -> None:
        self.woken += 1

    def _floor(self) -> int:
        return position_before(self.rules.start, self.store.catalogue.entries(), IDENTITY.timezone)

    # Requests

    def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
        peer: str = "198.51.100.7",
    ) -> Answer:
        """One request."""
        found = {"host": HOST} | dict(headers or {})
        path, _, query = path.partition("?")
        scope: dict[str, Any] = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
            "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
            "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in found.items()],
            "client": (peer, 40_000), "server": ("127.0.0.1", 8000),
        }  # fmt: skip
        sent: list[Any] = []
        parts = [body[at : at + 16_384] for at in range(0, len(body), 16_384)] or [b""]

        async def receive() -> dict[str, Any]:
            part = parts.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(parts)}

        async def send(message: Any) -> None:
            sent.append(message)

        self._loop.run_until_complete(self.app(scope, receive, send))
        start, *rest = sent
        given = [(k.decode(), v.decode()) for k, v in start["headers"]]
        return Answer(start["status"], given, b"".join(m.get("body", b"") for m in rest))

    def get(self, path: str, **more: Any) -> Answer:
        return self.ask("GET", path, **more)

    def post(self, path: str, fields: Mapping[str, Any] | None = None, **more: Any) -> Answer:
        """A form that was sent."""
        headers = {"content-type": FORM} | dict(more.pop("headers", {}))
        return self.ask("POST", path, urlencode(fields or {}, doseq=True).encode(), headers=headers, **more)

    def pass_time(self, **span: float) -> None:
        self.now += timedelta(**span)

    # What people do

    def nonce(self) -> str:
        """From a form, looked at for long enough."""
        found = re.search(r'name="nonce" value="([^"]+)"', self.get("/subscribe").text)
        assert found is not None
        self.pass_time(seconds=5)
        return found[1]

    def sign_up(self, address: str, **more: Any) -> Answer:
        """Type *address* into the form, and let the letter be written."""
        answer = self.post("/subscribe", {"email": address, "nonce": self.nonce(), "website": ""}, **more)
        self.take_up()
        return answer

    def take_up(self) -> None:
        """What the keeper does when it is woken."""
        while self.turns.wait(lambda c: asking.take_up(c, self.desk, at=self.now)):
            pass

    def look_after(self) -> int:
        """What the keeper does every minute; how many people are gone after it."""
        before = sum(self.store.audience.counts().values())
        while self.turns.wait(lambda c: asking.look_after(c, self.desk, at=self.now)):
            pass
        wipe(self.store)
        return before - sum(self.store.audience.counts().values())

    def confirm(self, address: str) -> Answer:
        """Press the button behind the link of the last letter."""
        return self.post(self.link(address))

    def member(self, address: str) -> Reader:
        """A reader, all the way through the form."""
        self.sign_up(address)
        assert self.confirm(address).status == 200
        return self.reader(address)

    # What came of it

    def reader(self, address: str) -> Reader:
        return self.store.audience.find(address)

    def path(self, purpose: Purpose, address: str) -> str:
        """The path of a link of theirs."""
        return f"/{purpose.value}/{self.links.token(purpose, self.reader(address).token)}"

    def letters(self, address: str = "") -> list[EmailMessage]:
        """The notices to *address*, or to everybody."""
        with self.store.read() as c:
            rows = c.execute(text("SELECT address, body FROM notice ORDER BY id")).all()
        return [message_from_bytes(bytes(r.body), policy=policy.default) for r in rows if address in ("", r.address)]

    def link(self, address: str) -> str:
        """The path of the link in the last letter to *address*."""
        plain = self.letters(address)[-1].get_body(("plain",))
        assert plain is not None
        (url,) = re.findall(rf"https://{re.escape(HOST)}/list(/[a-z]/\S+)", plain.get_content())
        return str(url)

    def consent(self, address: str) -> list[tuple[str, str]]:
        """The record: (cause, status)."""
        return [(cause, status) for _, cause, status, _ in self.store.accounts.consent(self.reader(address))]

    def state(self) -> list[Any]:
        """Everything in the database, to be compared."""
        tables = (
            "subscriber",
            "consent",
            "delivery",
            "notice",
            "sign_up",
            "request",
            "asked",
            "suppression",
            "bucket",
            "meta",
            "post",
            "template",
        )
        with self.store.read() as c:
            return [[tuple(row) for row in c.execute(text(f"SELECT * FROM {table}"))] for table in tables]


def files_of(store: Store) -> bytes:
    """Every octet of an SQLite database's files."""
    path = Path(str(store.engine.url.database))
    return b"".join(p.read_bytes() for p in sorted(path.parent.glob(f"{path.name}*")))
