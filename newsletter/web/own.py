"""A reader's own page: settings, their data, erasure. The signed link that leads there goes to their mailbox alone.

    GET  /s/TOKEN    what is kept, and what can be changed
    POST /s/TOKEN    a button of it

Guarantees
    Looking changes nothing. What a file of the owner's says never overwrites what is set here. The data are everything
    that the database has about the person, and nothing about anybody else.
"""

from __future__ import annotations

import json
from datetime import datetime
from functools import lru_cache, partial
from typing import Any
from zoneinfo import available_timezones

from starlette.requests import Request
from starlette.responses import Response

from newsletter.config import Visible
from newsletter.consent import wishes
from newsletter.consent.wishes import View
from newsletter.links import Purpose
from newsletter.store import Transaction
from newsletter.store.requests import Evidence
from newsletter.store.schema import instant
from newsletter.store.wishes import everything
from newsletter.subscribers import Status
from newsletter.web.forms import form_of, only
from newsletter.web.house import House
from newsletter.web.leaving import said_of
from newsletter.web.pages import masked

_NAME_MOST = 100  # characters
_INSTANTS = frozenset({"at", "created_at", "confirmed_at", "not_before", "planned_at", "accepted_at"})


class Own:
    """The routes."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def page(self, request: Request) -> Response:
        """What is kept."""
        house, token = self._house, self._house.reader(request, Purpose.PREFERENCES)
        at = house.now()
        return self._shown(await house.turns.look(lambda c: wishes.look(c, token, at=at)))

    def _shown(self, view: View | None, *, said: str = "", status: int = 200) -> Response:
        house = self._house
        if view is None:
            return house.pages.message("done", "erased", "erased_text")
        person, found = view.person, view.situation
        until = found.paused_until.astimezone(house.pages.identity.timezone).date() if found.paused_until else None
        return house.pages.page(
            "settings.html", person.language, status=status, said=said, address=masked(person.address),
            reader=person.status is Status.ACTIVE, paused=house.pages.day(until, person.language) if until else "",
            name=found.name, timezone=found.timezone, zones=_zones(),
            home_zone=house.pages.identity.timezone.key.replace("_", " "),
            chosen=person.language, languages=house.pages.languages(),
            tags=house.web.tags_to_choose, chosen_tags=found.tags, paces=house.desk.paces, pace=found.pace,
            letters=self._letters(person.token),
        )  # fmt: skip

    def _letters(self, token: bytes) -> str:
        """Where they can read again what they had; "" = nowhere."""
        house = self._house
        if house.letters is Visible.ALL:
            return f"{house.pages.base}/archive"
        own = f"{house.pages.base}/{Purpose.ARCHIVE}/{house.links.token(Purpose.ARCHIVE, token)}/"
        return own if house.letters is Visible.READERS else ""

    async def act(self, request: Request) -> Response:
        """A button."""
        house, token = self._house, self._house.reader(request, Purpose.PREFERENCES)
        form = await form_of(request)
        act, at = only(form, "do"), house.now()
        if act in _WISHES:
            return await self._wish(token, act, at)
        if act == "save":
            return await self._save(token, form, at)
        if act == "data":
            return await self._data(token, at)
        if act == "erase" and only(form, "sure"):
            await house.turns.do(partial(wishes.erase, token=token, fingerprint=house.desk.fingerprint, at=at))
            house.wake()  # traces are wiped after it
            return house.pages.message("done", "erased", "erased_text")
        return self._shown(await house.turns.look(lambda c: wishes.look(c, token, at=at)))

    async def _wish(self, token: bytes, act: str, at: datetime) -> Response:
        done, do = _WISHES[act]

        def wish(c: Transaction) -> tuple[Any, View | None]:
            return do(c, token, Evidence("settings page", act), at=at), wishes.look(c, token, at=at)

        changed, view = await self._house.turns.do(wish)
        if act == "leave":
            return self._shown(view)
        return said_of(self._house, act, done if changed else "nothing", view)

    async def _save(self, token: bytes, form: dict[str, list[str]], at: datetime) -> Response:
        house = self._house
        name, zone, language = (only(form, field).strip() for field in ("name", "timezone", "language"))
        name, pace = " ".join(name.split()), _pace(only(form, "pace"), house.desk.paces)
        bad = ""
        if len(name) > _NAME_MOST or not name.isprintable():
            bad = "bad_name"
        elif zone and zone not in _zones():
            bad = "bad_timezone"

        def save(c: Transaction) -> View | None:
            view = wishes.look(c, token, at=at)
            if bad or view is None:
                return view
            offered, had = frozenset(house.web.tags_to_choose), view.situation.tags
            tags = (had - offered) | (offered & frozenset(form.get("tags", [])))
            wishes.change(
                c, token, Evidence("settings page", "save"), at=at,
                name=_changed(name, view.situation.name),
                timezone=_changed(zone, view.situation.timezone),
                language=_changed(language if language in house.pages.languages() else "", view.person.language),
                tags=_changed(tags, had) if offered else None,
                pace=_changed(pace, view.situation.pace),
            )  # fmt: skip
            return wishes.look(c, token, at=at)

        view = await house.turns.do(save)
        return self._shown(view, said=bad or "saved", status=422 if bad else 200)

    async def _data(self, token: bytes, at: datetime) -> Response:
        """Everything, as a file."""

        def look(c: Transaction) -> dict[str, Any] | None:
            view = wishes.look(c, token, at=at)
            return None if view is None else everything(c, view.person)

        found = await self._house.turns.look(look)
        if found is None:
            return self._shown(None)
        told = {name: [_readable(row) for row in rows] for name, rows in found.items()}
        text = json.dumps({"as_of": at.isoformat(timespec="seconds")} | told, ensure_ascii=False, indent=2)
        headers = {"Cache-Control": "no-store", "Content-Disposition": 'attachment; filename="my-data.json"'}
        return Response(text, 200, headers, "application/json")


def _pace(chosen: str, offered: tuple[int, ...]) -> int | None:
    """What was chosen of the paces *offered*; 0 for the newsletter's, None for nothing that may be."""
    return {"0": 0, **{str(days): days for days in offered}}.get(chosen)


def _changed(value: Any, before: Any) -> Any:
    """*value* when it is another than before: what somebody did not touch stays the owner's to change."""
    return None if value == before else value


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    return {
        key: instant(value).isoformat(timespec="seconds") if key in _INSTANTS and value is not None else value
        for key, value in row.items()
    }


@lru_cache(maxsize=1)
def _zones() -> tuple[str, ...]:
    """Time zones that people live in."""
    return tuple(sorted(z for z in available_timezones() if "/" in z and not z.startswith(("Etc/", "SystemV/"))))


#: button → (what is said after it, what it does)
_WISHES: dict[str, tuple[str, Any]] = {
    "pause": ("paused", wishes.pause),
    "resume": ("resumed", wishes.go_on),
    "again": ("again", wishes.start_over),
    "latest": ("latest", wishes.jump),
    "leave": ("", wishes.leave),
}
