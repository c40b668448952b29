"""Styles: judged, then put on the elements by premailer.

A letter has two style blocks. The rules of one go onto the elements; ``<style data-premailer="ignore">`` stays, and
holds what only a style block can say: small screens, dark screens.

Guarantees
    Nothing is fetched, whatever the styles name. What comes out begins ``<!DOCTYPE html>``.

Diagnostics
    `StyleError` for what premailer can't read, drops without a word or spoils, and for what makes Gmail or Outlook
    drop more than the one declaration; with the words at fault, so that their template can be found.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

import cssutils  # type: ignore[import-untyped]
from premailer import Premailer

KEPT_MOST = 8 * 1024  #: octets of the style block that stays; Gmail drops one of 16 KB, and all behind it

# It would write #ffffff as #fff, which Lotus Notes and some Outlooks don't read in attributes.
cssutils.ser.prefs.minimizeColorHash = False
# It fetches an @import while it parses, from file:// as well, behind premailer's back and however it is spelt.
cssutils.util._defaultFetcher = lambda _: None

_DOCTYPE = re.compile(r"\s*<!doctype html>", re.IGNORECASE)
_STYLE = re.compile(r"<style\b([^>]*)>(.*?)</style>", re.DOTALL | re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""<[a-z][^<>]*?\sstyle\s*=\s*("[^"]*"|'[^']*')""", re.IGNORECASE)
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_ELSEWHERE = "a style sheet kept elsewhere never reaches a reader; put its rules into the template"
_PLAIN_COLOUR = "Gmail drops the whole rule with a colour in this form; write # and six digits, such as #2c5f53"

#: What no style may have, wherever it stands.
_NEVER = (
    (re.compile(r"\\"), "mail programs differ over backslashes in styles; write the letter itself"),
    (re.compile(r"@import\b[^;{]*", re.IGNORECASE), _ELSEWHERE),
    (re.compile(r"@font-face\b", re.IGNORECASE), "mail programs load no fonts; name fonts that readers have"),
    (re.compile(r"\burl\([^)]*\)?", re.IGNORECASE), "a style must not load anything; show pictures as images"),
    (re.compile(r"\bvar\([^)]*\)?", re.IGNORECASE), "mail programs don't know var(); write the value itself"),
    (re.compile(r"\b(?:rgba?|hsla?|hwb|lab|lch|oklab|oklch|color)\([^)]*\)?", re.IGNORECASE), _PLAIN_COLOUR),
    (re.compile(r"(?<=[:\s])#(?:[0-9a-f]{3,4}|[0-9a-f]{8})(?=\s*(?:[;}!]|$))", re.IGNORECASE), _PLAIN_COLOUR),
)
#: What the block must not have that goes onto the elements.
_NOT_INLINE = (
    (re.compile(r"@[\w-]+"), 'on an element there are no @ rules; put it into <style data-premailer="ignore">'),
    # premailer takes a selector apart at every comma.
    (re.compile(r"\[[^\]{};]*,[^\]{};]*\]|\([^){};]*,[^){};]*\)(?=[^{};]*\{)"), "a selector can't be read that has a"
     " comma between its brackets; write two rules"),
    (re.compile(r"[^;{}]*!\s*important", re.IGNORECASE), "on an element !important is lost; leave it away here"),
)  # fmt: skip


class StyleError(ValueError):
    """What is wrong with the styles of a filled template, and the words at fault as they are in it."""

    def __init__(self, problem: str, words: str = "") -> None:
        self.words = words.strip()
        super().__init__(problem)


def inline(html: str) -> str:
    """*html* with its styles on the elements; raises `StyleError`."""
    _judge(html)
    whole, found = _DOCTYPE.subn("<!DOCTYPE html>", html, count=1)
    if not found or not _DOCTYPE.match(html):
        raise StyleError("mail programs lay it out as in the year 1998; let it begin with <!DOCTYPE html>")
    try:
        return str(
            Premailer(
                whole,
                keep_style_tags=False,
                strip_important=True,
                disable_validation=True,
                allow_network=False,
                allow_loading_external_files=False,
                cssutils_logging_level=logging.CRITICAL,
                align_floating_images=False,
                remove_classes=False,
                disable_basic_attributes=["width", "height"],
                disable_link_rewrites=True,
                method="html",
            ).transform(pretty_print=False)
        )
    except Exception as error:  # premailer and cssutils raise whatever comes on rules that they can't read
        raise StyleError(f"its styles can't be put on the elements ({error}); use plainer rules") from error


def _judge(html: str) -> None:
    """Raise `StyleError` for the first thing that would not arrive as it was meant."""
    for tag in re.finditer(r"<link\b[^>]*\bstylesheet\b[^>]*>", html, re.IGNORECASE):
        raise StyleError(_ELSEWHERE, tag[0])
    blocks = [(found[1], _COMMENT.sub("", found[2])) for found in _STYLE.finditer(html)]
    for _, css in blocks:
        _refuse(css, _NEVER)
        if css.count("{") != css.count("}"):
            raise StyleError("a style block opens more { than it closes, or fewer; each rule needs one of both")
    for found in _ATTRIBUTE.finditer(_STYLE.sub("", html)):
        _refuse(found[1][1:-1], _NEVER)
    for attributes, css in blocks:
        if re.search(r"""data-premailer\s*=\s*["']?ignore""", attributes):
            _judge_kept(css)
        else:
            _refuse(css, _NOT_INLINE)


def _refuse(css: str, table: tuple[tuple[re.Pattern[str], str], ...]) -> None:
    for pattern, why in table:
        if found := pattern.search(css):
            raise StyleError(f"“{' '.join(found[0].split())}”: {why}", found[0])


def _judge_kept(css: str) -> None:
    if len(css.encode()) > KEPT_MOST:
        raise StyleError(
            f"the style block that stays has {len(css.encode()) / 1024:.0f} KB; Gmail may drop more than 8, so move "
            "rules into the other block"
        )
    for inside, words in _statements(css):
        if inside and words.startswith("@"):
            why = "Gmail drops a style block with one @ rule inside another; write them one below the other"
            raise StyleError(f"“{words}”: {why}", words)
    for declaration in _declarations(css):
        if not re.search(r"!\s*important$", declaration):
            why = "the style on the element wins over this one; put !important behind it"
            raise StyleError(f"“{declaration}”: {why}", declaration)


def _statements(css: str) -> Iterator[tuple[int, str]]:
    """What stands before each {, with the number of @ rules around it."""
    around: list[bool] = []
    for found in re.finditer(r"([^{};]*)([{}])", css):
        if found[2] == "{":
            words = " ".join(found[1].split())
            yield sum(around), words
            around.append(words.startswith("@"))
        elif around:
            around.pop()


def _declarations(css: str) -> Iterator[str]:
    """Every ``name: value`` between innermost braces."""
    for body in re.findall(r"\{([^{}]*)\}", css):
        for declaration in body.split(";"):
            if words := " ".join(declaration.split()):
                yield words
