"""Forced dark mode: what mail programs that ignore a letter's own dark colours make of its light ones.

Gmail on a phone and Outlook turn the lightness of every colour round and keep its hue; pictures stay as they are.
Measured in CIELAB, where equal steps look equal: L becomes what lies between a dark surface and white, in reverse,
a and b stay. Programs differ in the surface and in how eager they are; this is the full turn, the hardest on a letter.

Source: CIE 15, CIELAB for sRGB (IEC 61966-2-1) with its D65 white.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_SURFACE = 11.7  # L* of #1f1f1f, the page that white becomes
_LINEAR, _CUBE = 0.04045, 216 / 24389
_KAPPA = 24389 / 27
_WHITE = (0.95047, 1.0, 1.08883)
_TO_XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
_TO_RGB = ((3.2404542, -1.5371385, -0.4985314), (-0.9692660, 1.8760108, 0.0415560), (0.0556434, -0.2040259, 1.0572252))

_Three = tuple[float, float, float]

_COLOURED = re.compile(
    r"(?P<name>(?<![\w-])(?:background(?:-color)?|color|(?:border|outline|text-decoration)(?:-[a-z]+)*)\s*:)"
    r"(?P<value>[^;{}\"']+)",
    re.IGNORECASE,
)
_ATTRIBUTE = re.compile(r"(?P<name>\s(?:bgcolor|color|text)=\"?)(?P<value>#[0-9a-f]{3,6}|[a-z]+)", re.IGNORECASE)
_COLOUR = re.compile(
    r"#(?P<hex>[0-9a-f]{8}|[0-9a-f]{6}|[0-9a-f]{3,4})\b"
    r"|\brgba?\(\s*(?P<r>\d+)[\s,]+(?P<g>\d+)[\s,]+(?P<b>\d+)(?P<rest>[^)]*)\)"
    r"|(?<![\w#-])(?P<word>[a-z]+)(?![\w(-])",
    re.IGNORECASE,
)
# CSS 2.1 section 4.3.6, and what else people write into mail by name.
_NAMED = {
    "aqua": "00ffff", "beige": "f5f5dc", "black": "000000", "blue": "0000ff", "brown": "a52a2a", "crimson": "dc143c",
    "darkblue": "00008b", "darkgray": "a9a9a9", "darkgreen": "006400", "darkgrey": "a9a9a9", "darkred": "8b0000",
    "dimgray": "696969", "dimgrey": "696969", "fuchsia": "ff00ff", "gold": "ffd700", "gray": "808080",
    "green": "008000", "grey": "808080", "indigo": "4b0082", "ivory": "fffff0", "lavender": "e6e6fa",
    "lightblue": "add8e6", "lightgray": "d3d3d3", "lightgrey": "d3d3d3", "lime": "00ff00", "linen": "faf0e6",
    "maroon": "800000", "navy": "000080", "olive": "808000", "orange": "ffa500", "pink": "ffc0cb", "purple": "800080",
    "red": "ff0000", "salmon": "fa8072", "silver": "c0c0c0", "snow": "fffafa", "steelblue": "4682b4", "tan": "d2b48c",
    "teal": "008080", "tomato": "ff6347", "white": "ffffff", "whitesmoke": "f5f5f5", "yellow": "ffff00",
}  # fmt: skip


def turned(red: int, green: int, blue: int) -> tuple[int, int, int]:
    """An sRGB colour (0 to 255 each) with its lightness turned round."""
    lightness, a, b = _lab((red, green, blue))
    return _rgb(((100 - lightness) * (1 - _SURFACE / 100) + _SURFACE, a, b))


def turn_page(html: str) -> str:
    """*html* with every colour of its styles and attributes turned round."""
    html = _in_styles(html, lambda css: _COLOURED.sub(_declaration, css))
    return _ATTRIBUTE.sub(_declaration, html)


def _in_styles(html: str, change: Callable[[str], str]) -> str:
    """*html* with *change* made to the style sheets and style attributes in it, and to nothing that is read."""
    for pattern in (_SHEET, _ATTRIBUTE_STYLE):
        html = pattern.sub(lambda found: found["before"] + change(found["css"]) + found["after"], html)
    return html


_SHEET = re.compile(r"(?P<before><style\b[^>]*>)(?P<css>.*?)(?P<after></style>)", re.IGNORECASE | re.DOTALL)
_ATTRIBUTE_STYLE = re.compile(
    r"(?P<before><[a-z][^<>]*?\sstyle=(?P<quote>[\"']))(?P<css>.*?)(?P<after>(?P=quote))", re.IGNORECASE | re.DOTALL
)


def _declaration(found: re.Match[str]) -> str:
    value = found["value"]
    return found[0] if "url(" in value else found["name"] + _COLOUR.sub(_colour, value)


def _colour(found: re.Match[str]) -> str:
    if found["r"]:
        red, green, blue = turned(*(min(255, int(found[channel])) for channel in "rgb"))
        return (
            f"rgb({red} {green} {blue})" if not found["rest"].strip() else f"rgba({red},{green},{blue}{found['rest']})"
        )
    digits = found["hex"] or _NAMED.get(found["word"].lower(), "")
    if not digits:
        return found[0]  # "solid", "none", "transparent"
    if len(digits) < 6:
        digits = "".join(digit * 2 for digit in digits)
    red, green, blue = turned(*bytes.fromhex(digits[:6]))
    return f"#{red:02x}{green:02x}{blue:02x}{digits[6:]}"


def _lab(rgb: tuple[int, int, int]) -> _Three:
    linear = [c / 12.92 if c <= _LINEAR else ((c + 0.055) / 1.055) ** 2.4 for c in (value / 255 for value in rgb)]
    x, y, z = (_root(sum(m * c for m, c in zip(row, linear, strict=True)) / w) for row, w in _weighted(_TO_XYZ))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _rgb(lab: _Three) -> tuple[int, int, int]:
    y = (lab[0] + 16) / 116
    roots = (y + lab[1] / 500, y, y - lab[2] / 200)
    xyz = [_cube(root) * white for root, white in zip(roots, _WHITE, strict=True)]
    linear = (sum(m * c for m, c in zip(row, xyz, strict=True)) for row in _TO_RGB)
    # A colour that no screen has any more becomes the nearest one, channel by channel.
    red, green, blue = (round(255 * min(1.0, max(0.0, _gamma(c)))) for c in linear)
    return red, green, blue


def _weighted(matrix: tuple[_Three, _Three, _Three]) -> zip[tuple[_Three, float]]:
    return zip(matrix, _WHITE, strict=True)


def _root(t: float) -> float:
    return float(t ** (1 / 3)) if t > _CUBE else (_KAPPA * t + 16) / 116


def _cube(root: float) -> float:
    return root**3 if root**3 > _CUBE else (116 * root - 16) / _KAPPA


def _gamma(c: float) -> float:
    return float(1.055 * c ** (1 / 2.4) - 0.055) if c > 0.0031308 else 12.92 * c
