"""The cascade: what the colours and the type of an element come to. Pure.

Inline styles, the style that stays in the letter, and inheritance; in the light scheme or with the letter's own dark
rules. What a style says for some widths only is left aside. Colours are read in the forms that mail programs know.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TypeVar

from newsletter.checks.css import Sheet, Specificity, important, specificity
from newsletter.checks.page import Element

T = TypeVar("T")
Colour = tuple[int, int, int]

_UNTOLD: Colour = (-1, -1, -1)
_NOTHING = frozenset({"", "transparent", "none", "inherit", "initial", "unset"})
_HEX = re.compile(r"#([0-9a-f]{3}|[0-9a-f]{6})")
_RGB = re.compile(r"rgb\(\s*(\d{1,3})\s*[, ]\s*(\d{1,3})\s*[, ]\s*(\d{1,3})\s*\)")
_PX = re.compile(r"(\d{1,3}(?:\.\d{1,3})?)px")
_NAMES = {"white": (255, 255, 255), "black": (0, 0, 0), "gray": (128, 128, 128), "grey": (128, 128, 128)}
_NAMES |= {"red": (255, 0, 0), "blue": (0, 0, 255), "green": (0, 128, 0), "silver": (192, 192, 192)}
# What browsers give.
_INK, _PAPER, _LINK, _SIZE = (0, 0, 0), (255, 255, 255), (0, 0, 238), 16.0
_SIZES = {"h1": 32.0, "h2": 24.0, "h3": 18.7, "small": 13.3}
_BOLD = frozenset({"b", "strong", "th", "h1", "h2", "h3", "h4", "h5", "h6"})
_BOLD_WORDS = frozenset({"bold", "bolder", "600", "700", "800", "900"})


class Cascade:
    """What a style sheet and the elements' own styles come to."""

    def __init__(self, sheet: Sheet, *, dark: bool) -> None:
        self._rules: dict[str, list[tuple[str, bool, tuple[str, ...], int]]] = {}  # by property
        for rule in sheet.rules:
            if not rule.media or (dark and is_dark(rule.media)):
                for name, text in rule.declarations.items():
                    self._rules.setdefault(name, []).append((*important(text), rule.selectors, rule.order))
        self._fronts: dict[Element, Colour] = {}
        self._backs: dict[Element, Colour] = {}
        self._sizes: dict[Element, float] = {}
        self._weights: dict[Element, bool] = {}

    def front(self, element: Element) -> Colour | None:
        """The colour of text in *element*; None when it can't be told."""
        return _told(_passed_down(self._fronts, element, self._front, _INK))

    def back(self, element: Element) -> Colour | None:
        """The colour behind *element*; None when it can't be told."""
        return _told(_passed_down(self._backs, element, self._back, _PAPER))

    def size(self, element: Element) -> float:
        """The size of text in px; 0 when it can't be told."""
        return _passed_down(self._sizes, element, self._size, _SIZE)

    def bold(self, element: Element) -> bool:
        """Whether text in *element* is bold."""
        return _passed_down(self._weights, element, self._weight, otherwise=False)

    # What is said of an element itself; None when nothing is

    def _front(self, element: Element) -> Colour | None:
        said = self._own(element, "color") or element.attributes.get("color", "")
        if said not in _NOTHING:
            return colour(said) or _UNTOLD
        return _LINK if element.tag == "a" and "href" in element.attributes else None

    def _back(self, element: Element) -> Colour | None:
        shorthand = self._own(element, "background")
        if self._own(element, "background-image") not in _NOTHING or "url(" in shorthand:
            return _UNTOLD
        said = self._own(element, "background-color") or shorthand or element.attributes.get("bgcolor", "")
        return None if said in _NOTHING else colour(said) or _UNTOLD

    def _size(self, element: Element) -> float | None:
        said = self._own(element, "font-size")
        if not said:
            return _SIZES.get(element.tag)
        found = _PX.fullmatch(said)
        return float(found[1]) if found else 0

    def _weight(self, element: Element) -> bool | None:
        said = self._own(element, "font-weight")
        return said in _BOLD_WORDS if said else element.tag in _BOLD or None

    def _own(self, element: Element, name: str) -> str:
        """The value of a property as far as it is said of *element* itself, "" for nothing."""
        value, strong = important(element.style.get(name, ""))
        # An inline style is stronger than any selector, and weaker than what is important.
        best: tuple[bool, bool, Specificity, int] = (strong, bool(value), (0, 0, 0), -1)
        for said, loud, selectors, order in self._rules.get(name, ()):
            for selector in selectors:
                weight = specificity(selector, element)
                if weight is not None and (loud, False, weight, order) > best:
                    value, best = said, (loud, False, weight, order)
        return value.lower()


def _passed_down(known: dict[Element, T], element: Element, own: Callable[[Element], T | None], otherwise: T) -> T:
    """What *own* says of *element* or of the nearest one around it; *known* remembers it for each on the way."""
    found, asked = otherwise, []
    for here in _outwards(element):
        if here in known:
            found = known[here]
            break
        asked.append(here)
        if (told := own(here)) is not None:
            found = told
            break
    known.update(dict.fromkeys(asked, found))
    return found


def _outwards(element: Element) -> Iterator[Element]:
    yield element
    yield from element.ancestors


def _told(value: Colour) -> Colour | None:
    return None if value == _UNTOLD else value


def is_dark(media: str) -> bool:
    """Whether a style's condition is that the screen is dark."""
    return "prefers-color-scheme:dark" in media.replace(" ", "")


@lru_cache(maxsize=256)
def colour(text: str) -> Colour | None:
    """A colour as CSS writes it; None for a form that is not read here."""
    text = text.strip().lower()
    if found := _HEX.fullmatch(text):
        digits = found[1] if len(found[1]) == 6 else "".join(c * 2 for c in found[1])
        return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)
    if found := _RGB.fullmatch(text):
        return min(int(found[1]), 255), min(int(found[2]), 255), min(int(found[3]), 255)
    return _NAMES.get(text)


def luminance(value: Colour) -> float:
    """Relative luminance (WCAG 2.2, definitions)."""
    channels = (c / 255 for c in value)
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@lru_cache(maxsize=1024)
def ratio(one: Colour, other: Colour) -> float:
    """Contrast of two colours, 1 to 21 (WCAG 2.2, definitions)."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@lru_cache(maxsize=256)
def inverted(value: Colour) -> Colour:
    """*value* with light and dark exchanged and its hue kept: what ``invert(1) hue-rotate(180deg)`` makes of it."""
    red, green, blue = (255 - c for c in value)
    # Filter Effects Module Level 1, section 8.5, with cosine -1 and sine 0.
    turned = (
        -0.574 * red + 1.430 * green + 0.144 * blue,
        0.426 * red + 0.430 * green + 0.144 * blue,
        0.426 * red + 1.430 * green - 0.856 * blue,
    )
    red, green, blue = (min(255, max(0, round(c))) for c in turned)
    return red, green, blue


def in_hex(value: Colour) -> str:
    """As CSS writes it."""
    return "#{:02x}{:02x}{:02x}".format(*value)
