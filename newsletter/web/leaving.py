"""The way out, and what may help instead.

    POST /u/TOKEN    one click (RFC 8058), or a button of the page
    GET  /u/TOKEN    the page: whose letters, one button

Guarantees
    A POST that is not one of the page's other buttons unsubscribes, whatever is in it, and is answered 200: no cookie,
    no redirect, no question, also when the person has left before or was erased. GET, HEAD and OPTIONS change nothing,
    for scanners follow every link of a mail.
    The page shows no more of the address than its owner needs: the mail may have been forwarded.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from newsletter.consent import wishes
from newsletter.consent.wishes import View
from newsletter.links import Purpose
from newsletter.stationery import SETTINGS
from newsletter.store import Transaction, requests
from newsletter.store.notices import plan
from newsletter.store.requests import Evidence
from newsletter.subscribers import Status
from newsletter.web.forms import form_of, only
from newsletter.web.house import House
from newsletter.web.pages import masked

_ONE_CLICK = Evidence("one-click", "List-Unsubscribe=One-Click")


class Leaving:
    """The routes."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._clicked = Response("You have unsubscribed.\n", 200, {"Cache-Control": "no-store"}, "text/plain")

    async def page(self, request: Request) -> Response:
        """Whose letters, and the button."""
        house, token = self._house, self._house.reader(request, Purpose.UNSUBSCRIBE)
        at = house.now()
        return self._shown(await house.turns.look(lambda c: wishes.look(c, token, at=at)))

    def _shown(self, view: View | None) -> Response:
        language = view.person.language if view else ""
        if view is None or view.person.status in (Status.UNSUBSCRIBED, Status.SUPPRESSED):
            return self._left(view)
        reader = view.person.status is Status.ACTIVE
        return self._house.pages.page("leave.html", language, address=masked(view.person.address), reader=reader)

    def _left(self, view: View | None) -> Response:
        language = view.person.language if view else ""
        known = view is not None and view.person.status is Status.UNSUBSCRIBED
        asks = known and view is not None and view.may_undo and not view.situation.gave_reason
        undo = view is not None and view.may_undo
        return self._house.pages.page("left.html", language, may_undo=undo, asks_why=asks)

    async def act(self, request: Request) -> Response:
        """One click, or a button."""
        house, token = self._house, self._house.reader(request, Purpose.UNSUBSCRIBE)
        form = await form_of(request)
        act = "" if "List-Unsubscribe" in form else only(form, "do")
        at = house.now()
        if act in _WISHES:
            return await self._wish(request, token, act, at)
        if act == "reason":
            return await self._reason(request, token, form, at)
        if act == SETTINGS:
            return await self._send_settings(token, at)
        if act != "leave":
            await house.turns.do(lambda c: wishes.leave(c, token, _ONE_CLICK, at=at))
            return self._clicked

        def leave(c: Transaction) -> View | None:
            wishes.leave(c, token, self._shown_by(c, token, "leave", "button"), at=at)
            return wishes.look(c, token, at=at)

        return self._left(await house.turns.do(leave))

    def _shown_by(self, c: Transaction, token: bytes, section: str, name: str) -> Evidence:
        person = requests.with_token(c, token)
        words = self._house.pages.said(person.language if person else "")[section]
        return Evidence("unsubscribe page", f"{words.get('title', '')} [{words[name]}]")

    async def _wish(self, request: Request, token: bytes, act: str, at: datetime) -> Response:
        section, done, do = _WISHES[act]

        def wish(c: Transaction) -> tuple[bool, View | None]:
            shown = self._shown_by(c, token, section, act)
            return do(c, token, shown, at=at), wishes.look(c, token, at=at)

        changed, view = await self._house.turns.do(wish)
        return said_of(self._house, act, done if changed else "nothing", view)

    async def _reason(self, request: Request, token: bytes, form: dict[str, list[str]], at: datetime) -> Response:
        house = self._house
        words = only(form, "more").strip()
        reason = ": ".join(filter(None, (only(form, "reason").strip(), words)))

        def keep(c: Transaction) -> View | None:
            if reason:
                shown = self._shown_by(c, token, "left", "why")
                wishes.give_reason(c, token, " ".join(reason.split()), shown, at=at)
            return wishes.look(c, token, at=at)

        view = await house.turns.do(keep)
        return house.done("reason", view.person.language if view else "")

    async def _send_settings(self, token: bytes, at: datetime) -> Response:
        """The link to a reader's own page goes to their mailbox: this page may be a forwarded mail's."""
        house = self._house
        await house.turns.do(partial(send_settings, house, token, at=at))
        house.wake()
        return house.done("sent", "")


def send_settings(house: House, token: bytes, c: Transaction, *, at: datetime) -> None:
    """Mail the link, once a day."""
    person = requests.with_token(c, token)
    if person is None or person.status is Status.SUPPRESSED:
        return
    mailbox = house.desk.fingerprint(f"settings {requests.mailbox_key(person.address)}")
    if requests.may_write(c, mailbox, at=at, ever=False):
        plan(c, house.desk.stationery.letter(SETTINGS, person, at=at), at=at)


def said_of(house: House, act: str, done: str, view: View | None) -> Response:
    """The page that says what came of a wish."""
    language = view.person.language if view else ""
    text = ""
    if done == "paused" and view is not None and view.situation.paused_until is not None:
        until = view.situation.paused_until.astimezone(house.pages.identity.timezone).date()
        text = house.pages.said(language)["done"]["paused_text"].replace("{date}", house.pages.day(until, language))
    if done == "nothing" and act == "latest" and view is not None and view.person.status is Status.ACTIVE:
        text = house.pages.said(language)["done"]["latest_nothing"]
    return house.done(done, language, text)


#: button → (section of its phrase, what is said after it, what it does)
_WISHES = {
    "undo": ("left", "undone", wishes.undo),
    "pause": ("leave", "paused", wishes.pause),
    "again": ("leave", "again", wishes.start_over),
    "latest": ("leave", "latest", wishes.jump),
}
