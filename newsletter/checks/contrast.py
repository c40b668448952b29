"""Rules about what can be read: contrast in every scheme, the size of the type, and links that look like links.

Colours are computed from what stands on the elements and from the style that stays, in three schemes: as designed, with
the letter's own dark rules, and turned inside out as some mail programs do by force. Contrast is that of WCAG 2.2,
section 1.4.3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from newsletter.checks.css import Sheet, Specificity, important, specificity
from newsletter.checks.finding import Finding, Part, clipped, error, warning
from newsletter.checks.page import Element, Run
from newsletter.checks.reading import Reading

Colour = tuple[int, int, int]

ENOUGH, ENOUGH_LARGE = 4.5, 3.0  #: WCAG 2.2 AA
UNREADABLE = 2.0
SMALLEST = 13  #: px
_LARGE, _LARGE_BOLD = 24.0, 18.66  # px: WCAG's 18 and 14 points
_HEX = re.compile(r"#([0-9a-f]{3}|[0-9a-f]{6})")
_RGB = re.compile(r"rgb\(\s*(\d{1,3})\s*[, ]\s*(\d{1,3})\s*[, ]\s*(\d{1,3})\s*\)")
_PX = re.compile(r"(\d{1,3}(?:\.\d{1,3})?)px")
_NAMES = {"white": (255, 255, 255), "black": (0, 0, 0), "gray": (128, 128, 128), "grey": (128, 128, 128)}
_NAMES |= {"red": (255, 0, 0), "blue": (0, 0, 255), "green": (0, 128, 0), "silver": (192, 192, 192)}
_SIZES = {"h1": 32.0, "h2": 24.0, "h3": 18.7, "small": 13.3}  # px, what browsers give them
_BOXED = 3  # in a cell that is a button: the link, and blanks around it
_BOLD = frozenset({"b", "strong", "th", "h1", "h2", "h3", "h4", "h5", "h6"})


def contrast(reading: Reading) -> Iterator[Finding]:
    """Text stands out from what is behind it, on light screens, on dark ones, and with colours inverted."""
    faint: set[tuple[Colour, Colour]] = set()  # as designed: what mends them mends their inversion
    for scheme, colours in _schemes(reading.sheet):
        pairs: dict[tuple[Colour, Colour], tuple[float, Run]] = {}  # the least that is enough, and where that is so
        for run in reading.page.runs:
            front, back = colours.front(run.element), colours.back(run.element)
            if front is None or back is None:
                continue
            needed = ENOUGH_LARGE if _large(run.element, colours) else ENOUGH
            if needed > pairs.get((front, back), (0,))[0]:
                pairs[front, back] = needed, run
        for (front, back), (needed, run) in pairs.items():
            shown = (inverted(front), inverted(back)) if scheme == "inverted" else (front, back)
            found = ratio(*shown)
            if found < needed and not (scheme == "inverted" and (front, back) in faint):
                faint.add((front, back))
                yield _too_faint(run, scheme, f"{_hex(front)} on {_hex(back)}", found, needed)


_WHERE = {"light": "", "dark": " on dark screens", "inverted": " where a mail program inverts the colours"}


def _too_faint(run: Run, scheme: str, colours: str, found: float, needed: float) -> Finding:
    kind = error if found < UNREADABLE and scheme != "inverted" else warning
    return kind(
        "contrast",
        f"Text in {colours} has a contrast of {found:.1f}{_WHERE[scheme]}, not {needed:g} or more.",
        "Move the two colours further apart in the template.",
        Part.TEMPLATE,
        quote=run.text,
    )


def type_size(reading: Reading) -> Iterator[Finding]:
    """Nobody should need glasses for the small print: 13 pixels is the least, 14 or more is kind."""
    colours = _Cascade(reading.sheet, dark=False)
    for run in reading.page.runs:
        size = colours.size(run.element)
        if 0 < size < SMALLEST and any(c.isalnum() for c in run.text):
            yield warning(
                "type-size",
                f"Text is set in {size:g} pixels, which is hard to read.",
                f"Set it in {SMALLEST} or more.",
                Part.TEMPLATE,
                quote=run.text,
            )
            return


def underlined(reading: Reading) -> Iterator[Finding]:
    """A link is underlined, or stands on a coloured ground as a button: colour alone is not seen by everybody."""
    colours = _Cascade(reading.sheet, dark=False)
    for link in reading.links:
        style = link.style
        button = any("background-color" in e.style for e in link.elements())
        bare = style.get("text-decoration", style.get("text-decoration-line", "")).startswith("none")
        around = link.parent
        boxed = around is not None and "bgcolor" in around.attributes and len(around.children) <= _BOXED
        alike = around is not None and colours.front(link) == colours.front(around)
        if bare and not button and not boxed and not any(link.elements("img")):
            yield warning(
                "link-underline",
                f"The link “{clipped(link.text, 40)}” has no underline"
                + (", and the colour of the text around it." if alike else "."),
                "Leave text-decoration:underline on links.",
                Part.TEMPLATE,
                quote=link.text,
            )
            return


# --- the cascade


class _Cascade:
    """What a property of an element comes to: inline style, the style that stays, and inheritance."""

    def __init__(self, sheet: Sheet, *, dark: bool) -> None:
        # What is said for some widths only is left aside; colours are not.
        self._rules = [
            r for r in sheet.rules if not r.media or (dark and "prefers-color-scheme: dark" in _spaced(r.media))
        ]
        self._known: dict[tuple[Element, str], str] = {}
        self._fronts: dict[Element, Colour | None] = {}
        self._backs: dict[Element, Colour | None] = {}

    def own(self, element: Element, name: str) -> str:
        """What is said of *element* itself, "" for nothing."""
        key = (element, name)
        if key not in self._known:
            self._known[key] = self._settled(element, name)
        return self._known[key]

    def _settled(self, element: Element, name: str) -> str:
        value, strong = important(element.style.get(name, ""))
        best: tuple[bool, bool, Specificity, int] = (strong, bool(value), (0, 0, 0), -1)
        for rule in self._rules:
            if name not in rule.declarations:
                continue
            said, loud = important(rule.declarations[name])
            for selector in rule.selectors:
                weight = specificity(selector, element)
                if weight is not None and (loud, False, weight, rule.order) > best:
                    value, best = said, (loud, False, weight, rule.order)
        return value.lower()

    def front(self, element: Element) -> Colour | None:
        """The colour of text in *element*; None when it can't be told."""
        for here in (element, *element.ancestors):
            said = self.own(here, "color") or here.attributes.get("color", "")
            if said and said not in ("inherit", "unset"):
                return colour(said)
            if here.tag == "a" and "href" in here.attributes:
                return (0, 0, 238)  # what a browser gives a link that nobody coloured
        return (0, 0, 0)

    def back(self, element: Element) -> Colour | None:
        """The colour behind *element*; None when it can't be told."""
        for here in (element, *element.ancestors):
            if self.own(here, "background-image") or "url(" in self.own(here, "background"):
                return None
            said = (
                self.own(here, "background-color") or self.own(here, "background") or here.attributes.get("bgcolor", "")
            )
            if said and said not in ("transparent", "none", "inherit", "initial", "unset"):
                return colour(said)
        return (255, 255, 255)

    def size(self, element: Element) -> float:
        """The size of text in px; 0 when it can't be told."""
        for here in (element, *element.ancestors):
            said = self.own(here, "font-size")
            if said:
                found = _PX.fullmatch(said)
                return float(found[1]) if found else 0
            if here.tag in _SIZES:
                return _SIZES[here.tag]
        return 16

    def bold(self, element: Element) -> bool:
        """Whether text in *element* is bold."""
        for here in (element, *element.ancestors):
            if said := self.own(here, "font-weight"):
                return said in ("bold", "bolder", "600", "700", "800", "900")
            if here.tag in _BOLD:
                return True
        return False


def _schemes(sheet: Sheet) -> Iterator[tuple[str, _Cascade]]:
    light = _Cascade(sheet, dark=False)
    yield "light", light
    yield "inverted", light
    if any("prefers-color-scheme: dark" in _spaced(rule.media) for rule in sheet.rules):
        yield "dark", _Cascade(sheet, dark=True)


def _spaced(media: str) -> str:
    return re.sub(r"\s*:\s*", ": ", media)


def _large(element: Element, colours: _Cascade) -> bool:
    size = colours.size(element)
    return size >= _LARGE or (size >= _LARGE_BOLD and colours.bold(element))


# --- colours


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


def _hex(value: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*value)


RULES = {"contrast": contrast, "type-size": type_size, "link-underline": underlined}
