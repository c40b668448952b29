"""The public pages: templates of `templates/web` with the newsletter's colours, fonts and words.

Guarantees
    Nothing is loaded from elsewhere and no script stands in a page: the policy (CSP) names the one style block by its
    hash and scripts by our own address. What a visitor typed, or a reader's file says, is escaped.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from newsletter.config import Design, Identity
from newsletter.mail import Address
from newsletter.render import direction
from newsletter.render.phrases import Phrases, languages, phrases
from newsletter.render.templates import Filler, filled_in
from newsletter.starter import builtin_pages

_DOTS = "\u2022" * 4  # as many for each address: its length is nobody's business


def masked(address: Address) -> str:
    """*address* so that its owner knows it and nobody else can write to it: ``a••••@e••••.org``."""
    name, _, top = address.domain.rpartition(".")
    return f"{address.local[:1]}{_DOTS}@{name[:1]}{_DOTS}.{top}" if name else f"{address.local[:1]}{_DOTS}@{_DOTS}"


@dataclass(frozen=True, slots=True)
class Dress:
    """The one style block of a page, and the policy that lets it in."""

    style: Markup
    policy: str


@dataclass(slots=True)
class Pages:
    """Fills pages; *base* is what stands before each path ("" or "/letters")."""

    identity: Identity
    design: Design
    base: str
    _filler: Filler = field(init=False)
    _said: dict[str, Phrases] = field(default_factory=dict)
    _plain: Dress = field(init=False)
    _messages: dict[tuple[str, ...], Response] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._filler = Filler(self.design.pages, builtin_pages())
        self._plain = self.dress("public.css")

    def dress(self, *sheets: str, images: str = "data:") -> Dress:
        """The style *sheets*, one behind the other; *images* are the sources of pictures that a page may show."""
        design = self.design
        fonts = {"text": design.font, "heading": design.heading_font or design.font, "code": design.code_font}
        values = {"light": asdict(design.light), "dark": asdict(design.dark), "fonts": fonts}
        css = "\n".join(self._filler.fill(sheet, values).strip() for sheet in sheets)
        # Safe: ours or the owner's, and a colour or font in it was checked when the settings were read.
        style = Markup(css.replace("</", "<\\/"))  # noqa: S704
        digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
        policy = (
            f"default-src 'none'; style-src 'sha256-{digest}'; script-src 'self'; connect-src 'self'; "
            f"img-src {images}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
        return Dress(style, policy)

    def page(
        self, template: str, language: str = "", /, *, status: int = 200, index: bool = False, **values: Any
    ) -> Response:
        """*template* as an answer, in *language* ("" = the newsletter's); *index*: search engines may keep it."""
        html = self.html(template, language, self._plain, index=index, **values)
        headers = {"Content-Security-Policy": self._plain.policy, "Cache-Control": "no-store"}
        return HTMLResponse(html, status, headers)

    def html(self, template: str, language: str, dress: Dress, /, *, index: bool, **values: Any) -> str:
        """As `page`, in another *dress*, and without the answer around it. Raises `TemplateError`."""
        language = language or self.identity.language
        known = {
            "w": self.said(language),
            "language": language,
            "direction": direction(language),
            "newsletter": self.identity.name,
            "author": self.identity.sender.name or self.identity.name,
            "postal_address": self.identity.postal_address,
            "url": self.identity.url,
            "base": self.base,
            "style": dress.style,
            "index": index,
        }
        return self._filler.fill(template, known | values)

    def message(self, section: str, title: str, text: str, language: str = "", *, status: int = 200) -> Response:
        """A page that says one thing, prepared once: *title* and *text* are names in *section* of the phrases."""
        key = (section, title, text, language, str(status))
        if key not in self._messages:
            said = self.said(language or self.identity.language)[section]
            self._messages[key] = self.page(
                "message.html", language, status=status, title=said[title], text=said[text], wait=said.get("wait", "")
            )
        return self._messages[key]

    def said(self, language: str = "") -> Phrases:
        """The phrases of *language*, with the names of newsletter and author in them."""
        language = language or self.identity.language
        if language not in self._said:
            names = {"newsletter": self.identity.name, "author": self.identity.sender.name or self.identity.name}
            found = phrases(language, self.design.pages)
            self._said[language] = {
                section: {key: filled_in(text, **names) for key, text in texts.items()}
                for section, texts in found.items()
            }
        return self._said[language]

    def languages(self) -> Mapping[str, str]:
        """What a reader may choose: tag → its name for itself."""
        return languages(self.design.pages)

    def day(self, day: date, language: str = "") -> str:
        """*day* as people say it in *language*."""
        said = self.said(language)["page"]
        month = said["months"].split("|")[day.month - 1]
        return filled_in(said["date"], day=day.day, month=month, year=day.year)
