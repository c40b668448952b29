"""The way in: the form, the same for other people's pages, and the link in the letter that asks for a confirmation.

    GET  /subscribe         the page with the form
    POST /subscribe         somebody's address; from our form, or one on any site
    GET  /subscribe.json    a nonce for the script of a form elsewhere
    POST /subscribe.json    as /subscribe, answered in JSON
    GET  /c/TOKEN           the page with the button
    POST /c/TOKEN           the button

Guarantees
    Whatever address is sent, the answer is the same in status, octets and time: it is entered and no more, and looked
    at after the answer. What is different stands in the letter.
"""

from __future__ import annotations

from datetime import datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from newsletter.config import Rate, Visible
from newsletter.consent import asking
from newsletter.consent.asking import Verdict
from newsletter.errors import SubscriberError
from newsletter.links import Purpose, mac
from newsletter.mail import Address
from newsletter.starter import builtin_pages
from newsletter.store import Transaction, buckets, requests
from newsletter.store.requests import Evidence
from newsletter.web.forms import LEAST_AGE, MOST_AGE, body_of, form_of, new_nonce, nonce_age, only
from newsletter.web.house import House
from newsletter.web.pages import masked

_ADDRESS_MOST = 320  # characters: local part, @, domain (RFC 5321 section 4.5.3.1)
_ELSEWHERE = {  # a form on any site may ask, with a script as without: no cookie goes along
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Cache-Control": "no-store",
}
_SCRIPT = {"Cross-Origin-Resource-Policy": "cross-origin", "Cache-Control": "public, max-age=3600"}
_STATUS = {"sent": 200, "once_more": 200, "bad_address": 422, "busy": 429}


class Asking:
    """The routes."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._script = Response(
            (builtin_pages() / "subscribe.js").read_bytes(), 200, _SCRIPT, media_type="text/javascript"
        )

    def form(self, request: Request) -> Response:
        """The form."""
        return self._page()

    def script(self, request: Request) -> Response:
        """What makes the form answer on the spot."""
        return self._script

    def nonce(self, request: Request) -> Response:
        """A nonce, for the script."""
        house = self._house
        return JSONResponse({"nonce": new_nonce(house.secret, at=house.now())}, headers=_ELSEWHERE)

    async def sign_up(self, request: Request) -> Response:
        """An address was sent."""
        form = await form_of(request)
        said = await self._said(request, form, "subscribe page")
        if said == "sent":
            return self._house.pages.message("sent", "title", "text")
        if said == "busy":
            return self._house.pages.message("busy", "title", "text", status=429)
        return self._page(said=said, typed=only(form, "email")[:_ADDRESS_MOST])

    async def sign_up_by_script(self, request: Request) -> Response:
        """The same, for the script."""
        house = self._house
        form = await form_of(request)
        said = await self._said(request, form, "subscribe form with script")
        words = house.pages.said()
        sent, busy = words["sent"], words["busy"]
        told = {"sent": f"{sent['text']} {sent['wait']}", "busy": busy["text"]}.get(said) or words["subscribe"][said]
        answer = {"said": said, "text": told}
        if said not in ("sent", "busy"):
            answer["nonce"] = new_nonce(house.secret, at=house.now())
        return JSONResponse(answer, _STATUS[said], _ELSEWHERE)

    def _page(self, *, said: str = "", typed: str = "") -> Response:
        house = self._house
        nonce = new_nonce(house.secret, at=house.now())
        return house.pages.page(
            "subscribe.html",
            status=_STATUS.get(said, 200),
            index=not said,
            nonce=nonce,
            said=said,
            typed=typed,
            letters=f"{house.pages.base}/archive" if house.letters is Visible.ALL else "",
        )

    async def _said(self, request: Request, form: dict[str, list[str]], name: str) -> str:
        """What is to be said to *form*: a name of the phrases."""
        house, at = self._house, self._house.now()
        try:
            address = Address.parse(only(form, "email")[:_ADDRESS_MOST])
        except SubscriberError:
            return "bad_address"
        if "." not in address.domain:  # this machine's own, such as root@localhost, is nobody's to write to from here
            return "bad_address"
        if only(form, "website"):  # people don't see that field
            return "sent"
        nonce = only(form, "nonce")
        age = nonce_age(house.secret, nonce, at=at)
        if age is None or not LEAST_AGE <= age <= MOST_AGE:
            return "once_more"
        words = house.pages.said()["subscribe"]
        network = house.network(request)
        evidence = Evidence(name, f"{words['consent']} [{words['button']}]", network)
        said = await house.turns.do(lambda c: self._enter(c, address, evidence, nonce, at))
        if said == "sent":
            house.wake()
        return said

    def _enter(self, c: Transaction, address: Address, evidence: Evidence, nonce: str, at: datetime) -> str:
        house = self._house
        if not buckets.count(c, f"nonce {nonce}", Rate(1, 2 * MOST_AGE), at=at):
            return "once_more"
        # A keyed hash: no network address is kept beside the consent record.
        network = mac(house.secret, f"network {evidence.origin}".encode())[:12].hex()
        if not buckets.count(c, f"from {network}", house.web.sign_ups_per_network, at=at):
            return "busy"
        if not buckets.count(c, "all", house.web.sign_ups, at=at):
            return "busy"
        asking.enter(c, address, evidence, at=at)
        return "sent"

    # The link in the letter

    async def confirm_page(self, request: Request) -> Response:
        """The button; looking at it changes nothing."""
        house, token = self._house, self._house.reader(request, Purpose.CONFIRM)
        at = house.now()

        def look(c: Transaction) -> tuple[str, str]:
            person = requests.with_token(c, token)
            if person is None or not requests.is_open(c, person, at=at):
                return "", person.language if person else ""
            return masked(person.address), person.language

        address, language = await house.turns.look(look)
        if not address:
            return self._expired(language)
        return house.pages.page("confirm.html", language, address=address)

    async def confirm(self, request: Request) -> Response:
        """The button was pressed."""
        house, token = self._house, self._house.reader(request, Purpose.CONFIRM)
        await body_of(request)  # nothing in it counts; its bound holds all the same
        at = house.now()

        def press(c: Transaction) -> tuple[Verdict, str]:
            person = requests.with_token(c, token)
            language = person.language if person else ""
            words = house.pages.said(language)["confirm"]
            shown = Evidence("confirm page", f"{words['title']} [{words['button']}]", house.network(request))
            return asking.confirm(c, house.desk, token, shown, at=at), language

        verdict, language = await house.turns.do(press)
        if verdict is Verdict.EXPIRED:
            return self._expired(language)
        words = house.pages.said(language)["welcome"]
        if verdict is Verdict.ALREADY:
            return house.pages.message("welcome", "title", "already", language)
        own = f"{house.pages.base}/s/{house.links.token(Purpose.PREFERENCES, token)}"
        return house.pages.page(
            "message.html", language, title=words["title"], text=words["text"],
            link=own, link_text=words["settings"], link_about=words["settings_about"],
        )  # fmt: skip

    def _expired(self, language: str) -> Response:
        words = self._house.pages.said(language)["expired"]
        return self._house.pages.page(
            "message.html", language, title=words["title"], text=words["text"],
            link=f"{self._house.pages.base}/subscribe", link_text=words["button"],
        )  # fmt: skip
