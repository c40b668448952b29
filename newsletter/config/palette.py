"""Colours of a letter: who stands on whom, whether it can be read, and a dark palette made from a light one.

Contrast is that of WCAG 2.2 (1.4.3): a matter of two luminances alone. So a colour keeps its hue and takes another's
luminance (`with_luminance`), and all contrasts are those of the palette that it came from.
"""

from __future__ import annotations

import colorsys
from collections.abc import Iterator
from dataclasses import dataclass, fields

LEAST_CONTRAST = 4.5
_CHROMA_AT_NIGHT = {"accent": 0.9}  # how colourful a role stays; paper and ink nearly lose their tint in the dark
_PAPER_AT_NIGHT = 0.3


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one scheme, each # and six hexadecimal digits."""

    page: str = "#f5f1e8"  #: around the letter
    card: str = "#ffffff"  #: behind the letter; also the words on a button
    ink: str = "#2b2b2b"
    muted: str = "#5d574d"  #: small print
    accent: str = "#2c5f53"  #: links, buttons, the name at the end
    line: str = "#e4dccd"  #: hairlines; carries no words
    tint: str = "#f3f6f1"  #: behind call-outs and code


LIGHT = Palette()
DARK = Palette(
    page="#191816", card="#24221f", ink="#ebe6dc", muted="#b9b1a3", accent="#9fcdbd", line="#47423a", tint="#2c302c"
)
ROLES = tuple(field.name for field in fields(Palette))
#: What is written in a colour, and the grounds it stands on.
WORDS_ON = {"ink": ("card", "tint"), "muted": ("card", "page"), "accent": ("card", "tint", "page")}


def at_night(light: Palette) -> Palette:
    """The dark palette that goes with *light*: ours, and where *light* has a colour of its own, its hue instead."""
    return Palette(
        **{
            role: ours
            if (given := getattr(light, role)) == getattr(LIGHT, role)
            else with_luminance(given, luminance(ours), _CHROMA_AT_NIGHT.get(role, _PAPER_AT_NIGHT))
            for role in ROLES
            for ours in [getattr(DARK, role)]
        }
    )


def too_faint(palette: Palette) -> Iterator[tuple[str, str, float]]:
    """Each role whose words can't be read on some ground, with the worst ground and the contrast there."""
    for role, grounds in WORDS_ON.items():
        found, ground = min((contrast(getattr(palette, role), getattr(palette, one)), one) for one in grounds)
        if found < LEAST_CONTRAST:
            yield role, ground, found


def legible(colour: str, ground: str) -> str:
    """The nearest shade of *colour* that can be read on *ground*."""
    behind = luminance(ground) + 0.05
    wanted = LEAST_CONTRAST * 1.04  # rounding to whole octets takes a little
    darker, lighter = behind / wanted - 0.05, behind * wanted - 0.05
    return with_luminance(colour, darker if darker >= 0 else min(lighter, 1))


def with_luminance(colour: str, wanted: float, chroma: float = 1.0) -> str:
    """*colour* in the same hue, with the luminance *wanted* and its chroma times *chroma*, as far as there is room."""
    red, green, blue = _channels(colour)
    hue = colorsys.rgb_to_hls(red, green, blue)[0]
    colourful = (max(red, green, blue) - min(red, green, blue)) * chroma
    low, high = 0.0, 1.0
    for _ in range(24):  # halving; luminance rises with lightness
        middle = (low + high) / 2
        room = 1 - abs(2 * middle - 1)
        saturation = min(1.0, colourful / room) if room else 0.0
        found = "#" + "".join(f"{round(c * 255):02x}" for c in colorsys.hls_to_rgb(hue, middle, saturation))
        low, high = (middle, high) if luminance(found) < wanted else (low, middle)
    return found


def contrast(first: str, second: str) -> float:
    """From 1 (nothing to see) to 21 (black on white)."""
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    """Relative luminance, from 0 (black) to 1 (white)."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in _channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _channels(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue
