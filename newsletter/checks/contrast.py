"""Rules about what can be read: contrast in every scheme, the size of the type, and links that look like links.

Colours are computed from what stands on the elements and from the style that stays, in three schemes: as designed, with
the letter's own dark rules, and turned inside out as some mail programs do by force. Contrast is that of WCAG 2.2,
section 1.4.3.
"""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.checks.cascade import Cascade, Colour, in_hex, inverted, is_dark, ratio
from newsletter.checks.css import Sheet
from newsletter.checks.finding import Finding, Part, clipped, error, warning
from newsletter.checks.page import Element, Run
from newsletter.checks.reading import Reading

ENOUGH, ENOUGH_LARGE = 4.5, 3.0  #: WCAG 2.2 AA
UNREADABLE = 2.0
SMALLEST = 13  #: px
_LARGE, _LARGE_BOLD = 24.0, 18.66  # px: WCAG's 18 and 14 points
_BOXED = 3  # in a cell that is a button: the link, and blanks around it


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
                yield _too_faint(run, scheme, f"{in_hex(front)} on {in_hex(back)}", found, needed)


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
    colours = Cascade(reading.sheet, dark=False)
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
    colours = Cascade(reading.sheet, dark=False)
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


def _schemes(sheet: Sheet) -> Iterator[tuple[str, Cascade]]:
    light = Cascade(sheet, dark=False)
    yield "light", light
    yield "inverted", light
    if any(is_dark(rule.media) for rule in sheet.rules):
        yield "dark", Cascade(sheet, dark=True)


def _large(element: Element, colours: Cascade) -> bool:
    size = colours.size(element)
    return size >= _LARGE or (size >= _LARGE_BOLD and colours.bold(element))


RULES = {"contrast": contrast, "type-size": type_size, "link-underline": underlined}
