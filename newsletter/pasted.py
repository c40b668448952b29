"""Pasted pages: a web page copied as plain text becomes a post.

Three parts, each found by its own rules: the *top* (menus, number, title, date, byline), the *body*, and the *residue*
below it (previous and next, sharing, comments, cookies, copyright).

Guarantees
    The number comes from a line of its own or from the title's line, never from navigation; when that can't be told
    apart it is None. What is cut is reported line by line, so no word vanishes unseen. What Markdown would misread is
    escaped: the post says what the page said.

What goes wrong
    `PostError` when there is no title or nothing below it. What is a heading and what is residue is judged by form
    (`_RESIDUE` below), so a page may keep a line of residue; a sentence is never taken for one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

from newsletter.errors import PostError

_TITLE_LENGTH = 120  #: characters
_HEADING_LENGTH = 70  #: characters
_WIDEST_WRAP = 100  #: columns; longer lines were not broken by hand


@dataclass(frozen=True, slots=True)
class Pasted:
    """A page as a post."""

    number: int | None  #: None when the page doesn't say, or says it only in its navigation
    title: str
    body: str  #: Markdown; headings from level 2
    cut: tuple[str, ...]  #: lines that were left out, in the page's order


def read_pasted(text: str, name: str) -> Pasted:
    """The post in *text*; *name* is the file's, for messages. Raises `PostError` with file and remedy."""
    lines = _lines(text)
    if not lines:
        raise PostError(name, "the file is empty; copy the page's text into it and save it as plain text in UTF-8")
    top = _top(lines)
    if top is None:
        raise PostError(name, "no title was found; put the title on the first line, and a blank line below it")
    end = _end_of_body(lines, top.end)
    body = _markdown(lines[top.end : end])
    if not body:
        raise PostError(name, "there is a title but no text below it; copy the whole page")
    return Pasted(top.number, top.title, body, (*top.cut, *(line.text for line in lines[end:])))


# --- lines


class _Kind(Enum):
    """What a line is, by its form alone."""

    TEXT = auto()
    NUMBER = auto()  #: "Blog #7", with or without a title
    WORD = auto()  #: one word of navigation, such as "Previous"; another post's number or title may follow
    NAVIGATION = auto()  #: a whole line of navigation
    MENU = auto()  #: "About", "Contact"; may be a heading elsewhere
    DATE = auto()  #: date, byline, reading time
    WIDGET = auto()  #: sharing, comments, categories
    FOOTER = auto()  #: copyright, cookies, subscriptions
    LINKS = auto()  #: "Related posts"; titles of other posts follow


@dataclass(frozen=True, slots=True)
class _Line:
    text: str  #: without spaces at its ends, never empty
    indent: int  #: columns
    apart: bool  #: a blank line, or nothing, stands above
    kind: _Kind

    @property
    def residue(self) -> bool:
        return self.kind not in {_Kind.TEXT, _Kind.NUMBER}


_WORDS = r"(?:blog(?: ?post| entry)?|post|letter|episode|entry|newsletter|issue|article|essay)"
_REFERENCE = rf"(?:{_WORDS}\s*(?:#|no\.?|nr\.?|number|№)?|#|no\.|№)\s*(\d{{1,5}})"
_NUMBER = re.compile(
    rf"{_REFERENCE}\s*[:.–—-]?"  # Blog #7
    rf"|{_REFERENCE}(?:\s*[:|]\s*|\s*[.–—-]\s+)(?P<after>\S.*)"  # Blog #7: Endings
    rf"|{_WORDS}?\s*#\s*(\d{{1,5}})\s+(?P<behind>[^\W\d_].*)"  # #7 Endings
    rf"|(?P<before>.*?\S)\s*(?:\s[–—|-]\s*|[:|]\s*|[(\[]\s*){_REFERENCE}\s*[)\]]?",  # Endings (Blog #7)
    re.IGNORECASE,
)
_STEP = r"(?:previous|prev|next|older|newer)(?: (?:blog ?)?(?:posts?|articles?|entry|entries|page|letter|episode))?"
_MONTH = r"(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*\.?"
_DAY = (
    rf"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?,? )?(?:{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?"
    rf"(?:,? \d{{4}})?|\d{{1,2}}(?:st|nd|rd|th|\.)? (?:of )?{_MONTH},?(?: \d{{4}})?|\d{{4}}-\d\d-\d\d"
    r"|\d{1,2}[./]\d{1,2}[./]\d{2,4})(?:,? (?:at )?\d{1,2}[:.]\d\d ?(?:[ap]\.?m\.?)?)?"
)
_NAME = r"(?-i:[A-ZÀ-Þ][\w.’'-]*(?: (?:(?:and|&|von|van|de|da) )*[A-ZÀ-Þ][\w.’'-]*){0,4}(?:, [A-Z][\w.]{1,6}){0,3})"
_RESIDUE: dict[_Kind, str] = {
    _Kind.WORD: _STEP,
    _Kind.NAVIGATION: (
        rf"{_STEP}(?:\s*[:→»›]\s*\S.*|\s+[–—-]\s+\S.*|\s+{_REFERENCE}.*)"
        r"|back(?: to (?:the )?(?:blog|top|posts|all posts|home|index|archive))?|return to (?:the )?blog"
        r"|(?:view |see )?all posts|view all|skip to (?:main )?content|(?:open|close) menu|menu"
    ),
    _Kind.MENU: (
        r"home|about(?: me| us)?|contact(?: me| us)?|blog|services|search|log ?in|sign in|resources|faqs?|fees|rates"
        r"|book (?:now|a session|an appointment|a consultation|a call)|shop|cart(?: \(?\d+\)?)?|podcast|events"
        r"|archives?|newsletter|testimonials"
    ),
    _Kind.DATE: (
        rf"(?:(?:posted|published|updated|last updated|written)(?: on)?:? )?{_DAY}(?: by:? {_NAME})?"
        rf"|(?:written |posted |published |words )?by:? {_NAME}|author: {_NAME}"
        r"|\d{1,3} ?min(?:ute)?s?(?: read)?|reading time:? \d+ min.{0,8}|\d+ views"
    ),
    _Kind.WIDGET: (
        r"share(?: this)?(?: post| article| story)?:?|share(?: this)? (?:on|via) \w+|tweet|like(?: this)?:?|loading[.…]*"
        r"|facebook|twitter|x|linkedin|pinterest|whatsapp|instagram|bluesky|threads|e-?mail|print|copy link|rss|pin it"
        r"|(?:posted in|filed under|tagged(?: with| as)?)\b[^.!?]*|(?:categor(?:y|ies)|tags|topics):?|tags:[^.!?]*"
        r"|categor(?:y|ies):[^.!?]*|comments(?: are (?:closed|off)\.?)?|reply|be the first to comment[.!]?"
    ),
    _Kind.FOOTER: (
        r"(?:©|\(c\) |copyright\b).*|all rights reserved\.?|privacy(?: policy)?|terms(?: of (?:service|use))?"
        r"|terms (?:and|&) conditions|cookies?(?: policy| settings| preferences)?|accept(?: all)?(?: cookies)?|decline"
        r"|reject(?: all)?|manage preferences|got it!?|subscribe(?: now)?!?|sign up|submit|(?:enter )?your e-?mail(?: address)?"
        r"|e-?mail address|(?:first|last) name|read (?:more|next)(?: ?[.…]+)?|continue reading(?: ?[.…]+)?"
        r"|(?:powered|built|made|designed) (?:by|with) [^.!?]*|(?:web)?site by [^.!?]*|accessibility|sitemap|imprint"
        r"|(?:we|this (?:web)?site|our (?:web)?site) uses? cookies\b.*|we respect your privacy\.?"
        r"|(?:subscribe|sign up|join)\b.*\b(?:newsletter|mailing list|inbox|new posts|by e-?mail)\b.*"
    ),
    _Kind.LINKS: r"related(?: posts?| articles?)?:?|recent posts?:?|you (?:might|may) also (?:like|enjoy):?|more posts:?",
}
_FORMS = {kind: re.compile(form, re.IGNORECASE) for kind, form in _RESIDUE.items()}
#: Below these, everything is the words of others: their comments don't belong into an email.
_COMMENTS = re.compile(r"(?:\d+|no) (?:comments?|responses?)(?: yet)?|comments? ?\(\d+\)|leave a (?:comment|reply)", re.I)
_BETWEEN = re.compile(r"\s*[/|·•»«→←›‹]+\s*|\s+[-–—>]\s+")
_SPACES = re.compile(r"[\t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_INVISIBLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\u00ad\u200b\u2060\ufeff\ufffc]")
_LINE_ENDS = re.compile(r"\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]")
_SENTENCE_END = re.compile(r"[.,;:!?…][\"”’')\]]*$")


def _lines(text: str) -> list[_Line]:
    """The lines of *text* that aren't blank. Odd spaces become spaces; characters that nobody sees are dropped."""
    lines: list[_Line] = []
    apart = True
    for line in _LINE_ENDS.split(_SPACES.sub(" ", _INVISIBLE.sub("", text.replace("\t", "    ")))):
        words = " ".join(line.split())
        if words:
            lines.append(_Line(words, len(line) - len(line.lstrip()), apart, _kind(words)))
        apart = not words
    return lines


def _kind(text: str) -> _Kind:
    if len(text) > 160:
        return _Kind.TEXT
    whole = _form(text)
    if whole is not _Kind.TEXT:
        return whole
    pieces = [_form(piece) for piece in _BETWEEN.split(text) if piece]
    arrows = text[0] in "←→«»‹›" or text[-1] in "←→«»‹›"
    if _Kind.TEXT in pieces or not pieces:
        short = len(text) <= 90 and not _SENTENCE_END.search(text)
        return _Kind.NAVIGATION if arrows and short else _Kind.TEXT
    if set(pieces) <= {_Kind.NUMBER, _Kind.DATE, _Kind.WIDGET} and pieces.count(_Kind.NUMBER) == 1 and not arrows:
        return _Kind.NUMBER  # Blog #7 · March 3, 2026
    if set(pieces) <= {_Kind.DATE, _Kind.WIDGET}:
        return pieces[0]
    return _Kind.NAVIGATION


def _form(text: str) -> _Kind:
    if _COMMENTS.fullmatch(text):
        return _Kind.WIDGET
    for kind, form in _FORMS.items():
        if form.fullmatch(text):
            return kind
    return _Kind.NUMBER if _NUMBER.fullmatch(text) else _Kind.TEXT
