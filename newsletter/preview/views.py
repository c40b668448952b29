"""The ways to look at a post: as it is shown by programs that do with a letter what they like, and as it is written.

    View     one of them, with its name and the sentence that says who sees it so
    letter   the letter's HTML as that view shows it, fit for a sandboxed frame
    framed   a letter's HTML fit for a frame, and otherwise as it is

Each is made from the message's own HTML by a change of text, so every browser shows the same, whatever its owner's
colours are; nothing in it can run, and nothing is asked for over the network.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from enum import StrEnum

from newsletter.checks import Finding
from newsletter.preview.inversion import turn_page, turned
from newsletter.preview.places import mark

#: What a letter may load and do in its frame: show the pictures that it carries, and nothing else.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'"

_HEAD = re.compile(r"<head[^>]*>", re.IGNORECASE)
_HEAD_ENDS = re.compile(r"</head>", re.IGNORECASE)
_STYLE = re.compile(r"<style\b[^>]*>.*?</style>", re.IGNORECASE | re.DOTALL)
_SCHEME = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(dark|light)\s*\)", re.IGNORECASE)
_SCHEME_META = re.compile(r"<meta\b[^>]*\bcolor-scheme\b[^>]*>", re.IGNORECASE)
_SOURCE = re.compile(r"(<img\b[^>]*?\s)src=(?:\"[^\"]*\"|'[^']*')", re.IGNORECASE)
_BEHIND = re.compile(r"\sbackground=(?:\"[^\"]*\"|'[^']*')", re.IGNORECASE)
_URL = re.compile(r"url\([^)]*\)", re.IGNORECASE)


class View(StrEnum):
    """A way to look at a post; the value stands in addresses and names files."""

    LIGHT = "light"
    DARK = "dark"
    INVERTED = "inverted"
    NO_IMAGES = "no-images"
    NO_STYLES = "no-styles"
    TEXT = "text"
    FIELDS = "fields"
    SOURCE = "source"
    MARKDOWN = "markdown"

    @property
    def label(self) -> str:
        """What it is called on the page."""
        return _WORDS[self][0]

    @property
    def about(self) -> str:
        """Who sees the post so."""
        return _WORDS[self][1]

    @property
    def is_letter(self) -> bool:
        """Whether the letter itself is shown, in frames."""
        return self in _CHANGES


_WORDS = {
    View.LIGHT: ("Light", "As most readers see it."),
    View.DARK: ("Dark", "The letter’s own dark colours: Apple Mail, Samsung and Thunderbird on a dark screen."),
    View.INVERTED: (
        "Forced dark",
        "Gmail on a phone and Outlook turn every colour of the light letter round themselves. This is the full turn.",
    ),
    View.NO_IMAGES: ("No pictures", "Before the reader allows pictures, as in Outlook and at many a workplace."),
    View.NO_STYLES: (
        "No style sheet",
        "Gmail’s app with an account of another provider drops the style sheet and keeps what stands on the elements.",
    ),
    View.TEXT: ("Plain text", "The other half of the message: mail programs without HTML, many a watch."),
    View.FIELDS: ("Header", "What mail programs and servers read before the letter."),
    View.SOURCE: ("Source", "The message as it is handed over. Long stretches of encoded pictures are folded."),
    View.MARKDOWN: ("Your file", "The post as you wrote it, with what was found at its lines."),
}


def letter(html: str, view: View, findings: Sequence[Finding] = ()) -> str:
    """*html* (a `Proof.page`) as *view* shows it, with the places that *findings* concern marked."""
    return framed(mark(_CHANGES[view](html), findings))


def framed(html: str) -> str:
    """*html* as a page that loads nothing, and whose links open beside it, never in the place of what it stands in."""
    ours = (
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta http-equiv="x-dns-prefetch-control" content="off"><base target="_blank">'
    )
    return _HEAD.sub(lambda head: head[0] + ours, html, count=1)


def _light(html: str) -> str:
    return _in(html, "light")


def _dark(html: str) -> str:
    return _in(html, "dark")


def _in(html: str, scheme: str) -> str:
    """*html* as a screen in *scheme* shows it, whatever scheme this one has."""
    plain = _STYLE.sub(lambda style: _SCHEME.sub(lambda s: _always(s[1].lower() == scheme), style[0]), html)
    return _with_style(_SCHEME_META.sub("", plain), f":root{{color-scheme:only {scheme}}}")


def _always(true: bool) -> str:
    return "(min-width:0)" if true else "(max-width:0)"


def _inverted(html: str) -> str:
    paper, ink = (f"#{bytes(turned(*colour)).hex()}" for colour in ((255, 255, 255), (0, 0, 0)))
    return _with_style(turn_page(_light(html)), f"html{{background-color:{paper};color:{ink}}}")


def _no_images(html: str) -> str:
    # An address that holds no picture: the browser draws the empty box with its words, as mail programs do.
    blocked = _SOURCE.sub(lambda found: f'{found[1]}src="data:,"', html)
    return _light(_URL.sub("none", _BEHIND.sub("", blocked)))


def _no_styles(html: str) -> str:
    return _light(_STYLE.sub("", html))


def _with_style(html: str, css: str) -> str:
    return _HEAD_ENDS.sub(lambda end: f"<style>{css}</style>{end[0]}", html, count=1)


_CHANGES: dict[View, Callable[[str], str]] = {
    View.LIGHT: _light,
    View.DARK: _dark,
    View.INVERTED: _inverted,
    View.NO_IMAGES: _no_images,
    View.NO_STYLES: _no_styles,
}
