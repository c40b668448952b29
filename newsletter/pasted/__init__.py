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
from itertools import groupby, pairwise

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
    kept, amid = _without_steps(lines[top.end : end])
    body = _markdown(kept)
    if not body:
        raise PostError(name, "there is a title but no text below it; copy the whole page")
    return Pasted(top.number, top.title, body, (*top.cut, *(line.text for line in (*amid, *lines[end:]))))


# --- lines


class _Kind(Enum):
    """What a line is, by its form alone."""

    TEXT = auto()
    NUMBER = auto()  #: "Blog #7", with or without a title
    WORD = auto()  #: one word of navigation, such as "Previous"; another post's number or title may follow
    NAVIGATION = auto()  #: a whole line of navigation
    MENU = auto()  #: "About", "Contact"; elsewhere it may be a heading
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
        r"|archives?|newsletter|testimonials|x"
    ),
    _Kind.DATE: (
        rf"(?:(?:posted|published|updated|last updated|written)(?: on)?:? )?{_DAY}(?: by:? {_NAME})?"
        rf"|(?:written |posted |published |words )?by:? {_NAME}|author: {_NAME}"
        r"|\d{1,3} ?min(?:ute)?s?(?: read)?|reading time:? \d+ min.{0,8}|\d+ views"
    ),
    _Kind.WIDGET: (
        r"share(?: this)?(?: post| article| story)?:?|share(?: this)? (?:on|via) \w+|tweet|like(?: this)?:?"
        r"|loading[.…]*|facebook|twitter|linkedin|pinterest|whatsapp|instagram|bluesky|threads|e-?mail|print|copy link"
        r"|rss|pin it|(?:posted in|filed under|tagged(?: with| as)?)\b[^.!?]*|(?:categor(?:y|ies)|tags|topics):?"
        r"|(?:categor(?:y|ies)|tags):[^.!?]*|comments(?: are (?:closed|off)\.?)?|reply|be the first to comment[.!]?"
    ),
    _Kind.FOOTER: (
        r"(?:©|\(c\) |copyright\b).*|all rights reserved\.?|privacy(?: policy)?|terms(?: of (?:service|use))?"
        r"|terms (?:and|&) conditions|cookies?(?: policy| settings| preferences)?|accept(?: all)?(?: cookies)?|decline"
        r"|reject(?: all)?|manage preferences|got it!?|subscribe(?: now)?!?|sign up|submit"
        r"|(?:enter )?your e-?mail(?: address)?|e-?mail address|(?:first|last) name|read (?:more|next)(?: ?[.…]+)?"
        r"|continue reading(?: ?[.…]+)?|(?:powered|built|made|designed) (?:by|with) [^.!?]*|(?:web)?site by [^.!?]*"
        r"|accessibility|sitemap|imprint|(?:we|(?:this|our) (?:web)?site) uses? cookies\b.*|we respect your privacy\.?"
        r"|(?:subscribe|sign up|join)\b.*\b(?:newsletter|mailing list|inbox|new posts|by e-?mail)\b.*"
    ),
    _Kind.LINKS: r"(?:related|recent|more)(?: posts?| articles?):?|related:?|you (?:might|may) also (?:like|enjoy):?",
}
_FORMS = {kind: re.compile(form, re.IGNORECASE) for kind, form in _RESIDUE.items()}
#: Below these, everything is the words of others: their comments don't belong into an email.
_COMMENTS = re.compile(
    r"(?:\d+|no) (?:comments?|responses?)(?: yet)?|comments? ?\(\d+\)|leave a (?:comment|reply)", re.I
)
_MARKED = re.compile(r"(#{1,6}) +(\S.*?)(?: +#+)?")  # a heading of Markdown
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
    if len(text) > 300:
        return _Kind.TEXT
    form = _form(re.sub(r"^(?:#{1,6}|[•*-]) +", "", text))
    pieces = [_form(piece) for piece in _BETWEEN.split(text) if piece]
    arrows = text[0] in "←→«»‹›" or text[-1] in "←→«»‹›"
    if form not in {_Kind.TEXT, _Kind.NUMBER}:
        return form
    if not arrows and pieces.count(_Kind.NUMBER) == 1 and set(pieces) <= {_Kind.NUMBER, _Kind.DATE}:
        return _Kind.NUMBER  # Blog #7 · March 3, 2026
    if pieces and _Kind.TEXT not in pieces and (arrows or len(pieces) > 1):
        return _Kind.DATE if set(pieces) == {_Kind.DATE} else _Kind.NAVIGATION
    if arrows and len(text) <= 90 and not _SENTENCE_END.search(text):
        return _Kind.NAVIGATION
    return form


def _form(text: str) -> _Kind:
    if _COMMENTS.fullmatch(text):
        return _Kind.WIDGET
    for kind, form in _FORMS.items():
        if form.fullmatch(text):
            return kind
    return _Kind.NUMBER if _NUMBER.fullmatch(text) else _Kind.TEXT


def _numbered(line: _Line) -> tuple[int, str]:
    """Number and title ("" when the line has none) of a line of kind NUMBER."""
    match = _NUMBER.fullmatch(_unmarked(line.text))
    if match is None:  # a date stands beside it
        match = next(found for piece in _BETWEEN.split(line.text) if (found := _NUMBER.fullmatch(piece)))
    if match["before"]:
        return int(match.groups()[-1]), match["before"]
    return int(next(filter(None, match.groups()))), match["after"] or match["behind"] or ""


def _unmarked(text: str) -> str:
    marked = _MARKED.fullmatch(text)
    return marked[2] if marked else text


# --- the top


@dataclass(slots=True)
class _Top:
    number: int | None
    title: str
    cut: list[str]
    end: int  #: the index of the body's first line


def _top(lines: list[_Line]) -> _Top | None:
    """Number and title from the lines above the first paragraph, and what to cut there."""
    zone = lines[: next((at for at in range(min(len(lines), 80)) if _is_prose(lines, at)), min(len(lines), 80))]
    own = _own_number(zone)
    number, title = _numbered(lines[own]) if own is not None else (None, "")
    named = own if title else _title(lines, zone, own)
    if named is None:
        return None
    used = {named} if own is None else {named, own}
    cut = [line.text for at, line in enumerate(lines[: max(used)]) if at not in used]
    if own is not None and _Kind.DATE in {_form(piece) for piece in _BETWEEN.split(lines[own].text)}:
        cut.append(lines[own].text)
    top = _Top(number, title or _unmarked(lines[named].text), cut, max(used) + 1)
    while top.end < len(lines) and _belongs_to_top(lines, top):
        cut.append(lines[top.end].text)
        top.end += 1
    return top


def _is_prose(lines: list[_Line], at: int) -> bool:
    """Whether a paragraph begins here."""
    line = lines[at]
    if line.residue or line.kind is _Kind.NUMBER:
        return False
    follows = at + 1 < len(lines) and not lines[at + 1].apart and lines[at + 1].kind is _Kind.TEXT
    wrapped = follows and len(line.text) >= 55 and (len(lines[at + 1].text) >= 40 or lines[at + 1].text[0].islower())
    ended = len(line.text.split()) >= 6 and re.search(r"[.,;:…][\"”’')\]]*$", line.text) is not None
    return len(line.text) > _TITLE_LENGTH or wrapped or ended


def _own_number(zone: list[_Line]) -> int | None:
    """The index of the line with this page's number; None when the only numbers are those of its neighbours."""
    steps = [at for at, line in enumerate(zone) if line.kind in {_Kind.WORD, _Kind.NUMBER}]
    # Where navigation stands in blocks, a blank line ends it; where blank lines are everywhere they say nothing.
    blocks = any(here + 1 == after and not zone[after].apart for here, after in pairwise(steps))
    runs: list[list[int]] = []
    for at in steps:
        if runs and runs[-1][-1] + 1 == at and not (blocks and zone[at].apart):
            runs[-1].append(at)
        else:
            runs.append([at])
    for run in runs:
        shape = "".join("w" if zone[at].kind is _Kind.WORD else "n" for at in run)
        # Each group of words takes the number below it; a number that is left over at the end is the page's own.
        rest = run[len(re.match(r"(?:w+n)*", shape)[0]) :]  # type: ignore[index]
        words = {zone[at].text.lower()[:4] for at in run if zone[at].kind is _Kind.WORD}
        alone = {_numbered(zone[at])[0] for at in rest if zone[at].kind is _Kind.NUMBER}
        both = re.fullmatch(r"nw+", shape) and len(words) > 1  # the number, then both links without theirs
        if len(alone) == 1 and zone[rest[0]].kind is _Kind.NUMBER and (both or "w" not in shape[-len(rest) :]):
            return rest[0]
    return None


def _title(lines: list[_Line], zone: list[_Line], own: int | None) -> int | None:
    """The index of the title's line."""

    def fits(at: int) -> bool:
        after_word = at > 0 and zone[at - 1].kind is _Kind.WORD and not zone[at].apart
        return zone[at].kind is _Kind.TEXT and not after_word and not re.search(r"[.,;:]$", zone[at].text)

    candidates = [at for at in range(len(zone)) if fits(at)]
    text = [at for at, line in enumerate(lines[:90]) if line.kind is _Kind.TEXT]
    if own is not None:
        above = next((at for at in reversed(candidates) if at < own), None)
        below = next((at for at in text if at > own), None)
        if below not in candidates:
            below = None
        if above is not None and (below is None or (above == own - 1 and not zone[own].apart and lines[below].apart)):
            return above
        if below is not None:
            return below
        if own + 1 < len(lines) and lines[own + 1].kind is _Kind.MENU:  # a post may be called "Home"
            return own + 1
        text = [at for at in text if at > own]
    elif candidates:
        # What stands above a menu is the site's name.
        menus = [at for at in range(1, len(zone)) if zone[at].kind is zone[at - 1].kind is _Kind.MENU]
        return next((at for at in candidates if menus and at > menus[-1]), candidates[0])
    # A title may be a sentence, when it is short and something follows it.
    return text[0] if len(text) > 1 and len(lines[text[0]].text) <= 80 else None


def _belongs_to_top(lines: list[_Line], top: _Top) -> bool:
    """Whether the line at *top*'s end still is a date, a byline, a widget or the title once more."""
    line, above = lines[top.end], lines[top.end - 1]
    below = lines[top.end + 1] if top.end + 1 < len(lines) else None
    if line.kind is _Kind.NUMBER:
        return above.kind is _Kind.WORD or _numbered(line) == (top.number, "")
    if line.kind is _Kind.MENU:
        return below is not None and below.kind in {_Kind.MENU, _Kind.NAVIGATION}
    dated = below is not None and below.kind is _Kind.DATE and not below.apart
    name = dated and _FORMS[_Kind.DATE].fullmatch(f"by {line.text}") is not None
    return line.residue or name or line.text.casefold() == top.title.casefold()


# --- the residue below


def _end_of_body(lines: list[_Line], start: int) -> int:
    """The index at which the residue below the body begins, or the number of lines."""
    for at in range(start + 1, len(lines)):
        if _COMMENTS.fullmatch(lines[at].text):
            lines = lines[:at]
            break
    end, residue, others, passed = len(lines), 0, 0, 0
    for at in range(len(lines) - 1, start, -1):
        line, above = lines[at], lines[at - 1]
        label = above.kind in {_Kind.WORD, _Kind.LINKS} or line.kind is _Kind.NUMBER
        if line.residue or (label and _is_label(line)):
            residue += 1
        elif _is_label(line):
            others, passed = others + 1, passed + 1
        else:
            break
        # A heading may be called "Resources", a letter may end in a date: these need residue right below them.
        weak = line.kind in {_Kind.MENU, _Kind.DATE} and (passed or residue < 2)
        if (line.residue or line.kind is _Kind.NUMBER) and not weak and residue > others:
            end, passed = at, 0
    return end


def _without_steps(lines: list[_Line]) -> tuple[list[_Line], list[_Line]]:
    """The body's lines, and the navigation amid them: two lines or more together, numbers alone being none."""
    steps = {_Kind.WORD, _Kind.NAVIGATION, _Kind.NUMBER}
    kept: list[_Line] = []
    cut: list[_Line] = []
    for together, group in groupby(lines, key=lambda line: line.kind in steps):
        run = list(group)
        is_navigation = together and len(run) > 1 and any(line.residue for line in run)
        (cut if is_navigation else kept).extend(run)
    return kept, cut


def _is_label(line: _Line) -> bool:
    """Whether the line may be the name of a link, an address, a site: anything but a sentence or a list."""
    return len(line.text) <= 80 and not _SENTENCE_END.search(line.text) and not _ITEM.match(line.text)


# --- the body


@dataclass(slots=True)
class _Unit:
    """A paragraph, a heading, an item of a list."""

    text: str
    indent: int
    apart: bool
    marker: str = ""  #: as typed, of an item
    level: int = 0  #: of a heading
    verse: list[str] = field(default_factory=list)  #: further lines, each kept as a line


_ITEM = re.compile(r"([•◦▪▫●○‣⁃∙·■□➤►✓✔+*–-]|\(?\d{1,2}[.)])(?: +|$)")
_ROUND = frozenset("•◦▪▫●○‣⁃∙·■□➤►✓✔")
_RULE = re.compile(r"([-*_=~•·])(?: ?\1){2,}|⁂")
_ENDS = re.compile(r"[.!?:…][\"”’')\]]*$")


def _markdown(lines: list[_Line]) -> str:
    """The body as Markdown: one line per paragraph."""
    units = _units(lines)
    _mark_lists(units)
    _mark_headings(units)
    blocks: list[str] = []
    listed = ""
    for unit, text in _written(units):
        kind = ("1" if unit.marker[:1].isdigit() else "-") if unit.marker else ">" if text.startswith("> ") else ""
        tight = "\n" if kind in {"1", "-"} else "\n>\n"
        if kind and (kind == listed or (kind in {"1", "-"} and listed in {"1", "-"} and text.startswith(" "))):
            blocks[-1] += tight + text
        else:
            blocks.append(text)
            listed = kind
    return "\n\n".join(blocks) + "\n" if blocks else ""


def _units(lines: list[_Line]) -> list[_Unit]:
    """Lines that were broken by hand or by a program joined again."""
    wrap = _wrap(lines)
    spaced = any(line.apart for line in lines[1:])
    units: list[_Unit] = []
    last = ""
    for line in lines:
        unit = units[-1] if units else None
        item = _ITEM.match(line.text)
        if unit and not line.apart and len(line.text) >= 3 and set(line.text) <= {"="} | {"-"} and not unit.marker:
            if _is_heading(unit.text) and not unit.verse:
                unit.level = unit.level or 2
            else:
                units.append(_Unit("---", 0, True))
        elif _RULE.fullmatch(line.text):
            units.append(_Unit("---", 0, True))
        elif unit and unit.marker and not unit.text:  # the bullet was pasted on a line of its own
            unit.text = line.text
        elif marked := _MARKED.fullmatch(line.text):
            units.append(_Unit(marked[2], 0, line.apart, level=max(2, len(marked[1]))))
        elif item and not _RULE.fullmatch(line.text):
            units.append(_Unit(line.text[item.end() :], line.indent, line.apart, marker=item[1]))
        elif unit and _continues(unit, last, line, wrap):
            if unit.verse:
                unit.verse[-1] += f" {line.text}"
            else:
                unit.text += f" {line.text.removeprefix('> ') if unit.text.startswith('>') else line.text}"
        elif unit and spaced and _is_verse(unit, last, line):
            unit.verse.append(line.text)
        else:
            units.append(_Unit(line.text, line.indent, line.apart))
        last = line.text
    return units


def _wrap(lines: list[_Line]) -> int:
    """The column at which the text was wrapped, or 0: then each line is a paragraph."""
    widths = [len(line.text) for line in lines if " " in line.text]
    if not widths or max(widths) > _WIDEST_WRAP:
        return 0
    pairs = [above for above, below in pairwise(lines) if not below.apart and len(above.text) >= 45]
    open_ended = sum(not _ENDS.search(line.text) for line in pairs)
    return max(widths) if pairs and open_ended * 2 >= len(pairs) else 0


def _continues(unit: _Unit, last: str, line: _Line, wrap: int) -> bool:
    """Whether *line* is the rest of a sentence or paragraph that was broken above it."""
    if line.apart or unit.level or unit.text == "---" or line.text.startswith(">") != unit.text.startswith(">"):
        return False
    word = line.text.split(" ", 1)[0]
    full = wrap and len(last) >= 45 and len(last) + 1 + len(word) > wrap - 6
    return bool(full) or (line.text[0].islower() and not _SENTENCE_END.search(last)) or line.text.startswith(">")


def _is_verse(unit: _Unit, last: str, line: _Line) -> bool:
    """Whether *line* is a short line below a short line, as in a poem, an address, a signature."""
    other = line.apart or unit.level or unit.marker or unit.text == "---" or unit.text.startswith(">")
    return not other and max(len(last), len(line.text)) <= 50


def _mark_lists(units: list[_Unit]) -> None:
    """Take the marker from what only looks like an item: one dash, "12. It was", "– Rilke"."""
    start = 0
    while start < len(units):
        end = start
        while end < len(units) and units[end].marker:
            end += 1
        numbers = sum(unit.marker.strip("().").isdigit() for unit in units[start:end])
        dashes = sum(unit.marker in {"-", "–", "*", "+"} for unit in units[start:end])
        for unit in units[start:end]:
            lonely = numbers < 2 if unit.marker.strip("().").isdigit() else dashes < 2 and unit.marker not in _ROUND
            if lonely or not unit.text:
                unit.text, unit.marker = f"{unit.marker} {unit.text}".strip(), ""
        start = max(end, start + 1)


def _mark_headings(units: list[_Unit]) -> None:
    for at in range(len(units) - 1):
        unit, below = units[at], units[at + 1]
        if unit.marker or unit.level or unit.verse or below.text == "---":
            continue
        paragraph = bool(below.marker) or len(below.text) > _HEADING_LENGTH or bool(_ENDS.search(below.text))
        if not below.apart and not below.marker:  # lines of the same length are verse or a list without marks
            paragraph = len(below.text) >= 60
        if paragraph and _is_heading(unit.text):
            unit.level = 2


def _is_heading(text: str) -> bool:
    short = len(text) <= _HEADING_LENGTH and len(text.split()) <= 12
    sentence = re.search(r"[.,;:!…\"”’]$", text) or re.match(r"(?:dear|hi|hello)\b", text, re.IGNORECASE)
    return short and not sentence and (text[0].isupper() or (text[0].isdigit() and not _ITEM.match(text)))


def _written(units: list[_Unit]) -> Iterator[tuple[_Unit, str]]:
    """Each unit with its Markdown."""
    base = 0
    for at, unit in enumerate(units):
        if unit.level:
            yield unit, f"{'#' * unit.level} {_escaped(unit.text)}"
        elif unit.marker:
            if at == 0 or not units[at - 1].marker:
                base, width = unit.indent, 2
            number = unit.marker.strip("().")
            nested = unit.indent >= base + 2 or unit.marker in {"◦", "○", "▫"}
            if not nested:
                width = 2 if not number.isdigit() else len(number) + 2
            yield (
                unit,
                f"{' ' * width if nested else ''}{f'{number}.' if number.isdigit() else '-'} {_escaped(unit.text)}",
            )
        elif unit.text == "---":
            yield unit, "---"
        elif unit.text.startswith(">"):
            yield unit, f"> {_escaped(unit.text.lstrip('> '))}"
        else:
            yield unit, "\\\n".join(_escaped(line) for line in (unit.text, *unit.verse))


_URL = re.compile(r"(?<!\w)https?://[^\s<>\"]*[^\s<>\".,;:!?)\]}’”']")
_MISREAD = re.compile(
    r"\\(?=[!-/:-@\[-`{-~]|$)"  # an escape
    r"|\*(?!\s)|(?<!\s)\*|(?<![^\W_])_|_(?![^\W_])"  # emphasis
    r"|`|~~|<(?=[\w/!?])|&(?=#?\w+;)"
    r"|\](?=[(\[:])|\[(?=\^|[ xX]\]|!)"  # links, footnotes, boxes, call-outs
)
_BEGINNING = re.compile(
    r"^(?:(?P<mark>[-+*](?=\s|$)|=+(?=\s*$)|>|#{1,6}(?=\s|\d|$)|~{3}|:{3})|(?P<number>\d{1,9})(?=[.)](?:\s|$)))"
)


def _escaped(text: str) -> str:
    """*text* so that Markdown says exactly that; web addresses become links."""
    parts, at = [], 0
    for url in _URL.finditer(text):
        parts += [_MISREAD.sub(r"\\\g<0>", text[at : url.start()]), f"<{url[0]}>"]
        at = url.end()
    parts.append(_MISREAD.sub(r"\\\g<0>", text[at:]))
    return _BEGINNING.sub(lambda found: f"\\{found[0]}" if found["mark"] else f"{found[0]}\\", "".join(parts))
