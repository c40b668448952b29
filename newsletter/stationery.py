"""The stationery: letters around subscribing, in the newsletter's design.

Each is a notice (`store.notices`): please confirm, you are a reader already, the link to your settings. It has no word
that a user typed, not even a name: what a form sends to a stranger must carry nobody's message.

Price
    Rendering and compiling one costs half a second at first and 50 ms after; a letter is spliced from it in 20 µs. So
    each is compiled once for each language.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from newsletter.config import Design, Identity
from newsletter.links import Links, Purpose
from newsletter.mail import Mailbox
from newsletter.store.notices import Kind, Notice
from newsletter.store.requests import Person

if TYPE_CHECKING:
    from newsletter.compose import MessageTemplate

_KINDS = {"remind": Kind.REMINDER, "settings": Kind.SETTINGS}
_PURPOSES = {"already": Purpose.PREFERENCES, "settings": Purpose.PREFERENCES}
SETTINGS = "settings"  #: the letter with the link to a reader's own page
_LIFETIME = timedelta(hours=48)


@dataclass(slots=True)
class Stationery:
    """Writes notices of *identity* in the owner's *design*, each with one signed link."""

    identity: Identity
    design: Design
    secret: bytes = field(repr=False)
    _templates: dict[tuple[str, str], MessageTemplate] = field(default_factory=dict)

    def letter(self, case: str, person: Person, *, at: datetime) -> Notice:
        """The letter of *case*, a section [notice.…] of the phrases, to *person*. Raises `TemplateError`."""
        from newsletter.compose import Personal, merge, message_id

        links = Links(self.secret, self.identity.url, self.identity.list_id)
        ident = message_id(
            self.secret, epoch=0, post_id=f"notice {case} {at.isoformat()}", subscriber=person.token, copy=0,
            domain=self.identity.sender.address.domain,
        )  # fmt: skip
        recipient = Mailbox("", person.address)
        link = links.address(_PURPOSES.get(case, Purpose.CONFIRM), person.token)
        mailto = links.unsubscribe_mailto(self.identity.unsubscribe_address, person.token)
        body = merge(self._template(case, person.language), Personal(recipient, at, ident, link, mailto))
        return Notice(_KINDS.get(case, Kind.CONFIRMATION), recipient, at, ident, body, _LIFETIME)

    def prepare(self, cases: Iterable[str]) -> None:
        """Compile *cases* now, so that the first visitor does not wait, and a fault in a template shows at once."""
        for case in cases:
            self._template(case, "")

    def _template(self, case: str, language: str) -> MessageTemplate:
        key = (case, language or self.identity.language)
        if key not in self._templates:
            from newsletter.compose import compile_notice
            from newsletter.render import render_notice
            from newsletter.render.phrases import phrases

            said = phrases(key[1], self.design.pages)[f"notice.{case}"]
            self._templates[key] = compile_notice(
                render_notice(said, self.identity, self.design, key[1]), self.identity
            )
        return self._templates[key]
