"""Forms: what a single line of a pasted page is by its looks, before its neighbours are asked.

One table says which whole lines are residue of a website: links, dates, sharing, cookies. A form must match the whole
line, so a sentence that merely begins with "Next" or "Share" is none.
"""

from __future__ import annotations

import re
from enum import Enum, auto


class Kind(Enum):
    """What a line is."""

    TEXT = auto()
    NUMBER = auto()  #: "Blog #7", with or without a title
    WORD = auto()  #: one word of navigation, such as "Previous"; another post's number or title may follow
    NAVIGATION = auto()  #: a whole line of navigation
    MENU = auto()  #: "About", "Contact"; elsewhere it may be a heading
    DATE = auto()  #: date, byline, reading time
    WIDGET = auto()  #: sharing, comments, categories, copyright, cookies, subscriptions
    LINKS = auto()  #: "Related posts"; titles of other posts follow


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
_RESIDUE: dict[Kind, str] = {
    Kind.WORD: _STEP,
    Kind.NAVIGATION: (
        rf"{_STEP}(?:\s*[:→»›]\s*\S.*|\s+[–—-]\s+\S.*|\s+{_REFERENCE}.*)"
        r"|back(?: to (?:the )?(?:blog|top|posts|all posts|home|index|archive))?|return to (?:the )?blog"
        r"|(?:view |see )?all posts|view all|skip to (?:main )?content|(?:open|close) menu|menu"
    ),
    Kind.MENU: (
        r"home|about(?: me| us)?|contact(?: me| us)?|blog|services|search|log ?in|sign in|resources|faqs?|fees|rates"
        r"|book (?:now|a session|an appointment|a consultation|a call)|shop|cart(?: \(?\d+\)?)?|podcast|events"
        r"|archives?|newsletter|testimonials|x"
    ),
    Kind.DATE: (
        rf"(?:(?:posted|published|updated|last updated|written)(?: on)?:? )?{_DAY}(?: by:? {_NAME})?"
        rf"|(?:written |posted |published |words )?by:? {_NAME}|author: {_NAME}"
        r"|\d{1,3} ?min(?:ute)?s?(?: read)?|reading time:? \d+ min.{0,8}|\d+ views"
    ),
    Kind.WIDGET: (
        r"share(?: this)?(?: post| article| story)?:?|share(?: this)? (?:on|via) \w+|tweet|like(?: this)?:?"
        r"|loading[.…]*|facebook|twitter|linkedin|pinterest|whatsapp|instagram|bluesky|threads|e-?mail|print|copy link"
        r"|rss|pin it|(?:posted in|filed under|tagged(?: with| as)?)\b[^.!?]*|(?:categor(?:y|ies)|tags|topics):?"
        r"|(?:categor(?:y|ies)|tags):[^.!?]*|comments(?: are (?:closed|off)\.?)?|reply|be the first to comment[.!]?"
        r"|(?:©|\(c\) |copyright\b).*|all rights reserved\.?|privacy(?: policy)?|terms(?: of (?:service|use))?"
        r"|terms (?:and|&) conditions|cookies?(?: policy| settings| preferences)?|accept(?: all)?(?: cookies)?|decline"
        r"|reject(?: all)?|manage preferences|got it!?|subscribe(?: now)?!?|sign up|submit"
        r"|(?:enter )?your e-?mail(?: address)?|e-?mail address|(?:first|last) name|read (?:more|next)(?: ?[.…]+)?"
        r"|continue reading(?: ?[.…]+)?|(?:powered|built|made|designed) (?:by|with) [^.!?]*|(?:web)?site by [^.!?]*"
        r"|accessibility|sitemap|imprint|(?:we|(?:this|our) (?:web)?site) uses? cookies\b.*|we respect your privacy\.?"
        r"|(?:subscribe|sign up|join)\b.*\b(?:newsletter|mailing list|inbox|new posts|by e-?mail)\b.*"
    ),
    Kind.LINKS: r"(?:related|recent|more)(?: posts?| articles?):?|related:?|you (?:might|may) also (?:like|enjoy):?",
}
_FORMS = {kind: re.compile(form, re.IGNORECASE) for kind, form in _RESIDUE.items()}

#: Below these, everything is the words of others: their comments don't belong into an email.
COMMENTS = re.compile(
    r"(?:\d+|no) (?:comments?|responses?)(?: yet)?|comments? ?\(\d+\)|leave a (?:comment|reply)", re.I
)
BETWEEN = re.compile(r"\s*[/|·•»«→←›‹]+\s*|\s+[-–—>]\s+")
#: how sentences and clauses end
SENTENCE_END = re.compile(r"[.,;:!?…][\"”’')\]]*$")
#: the mark of a list's item
ITEM = re.compile(r"([•◦▪▫●○‣⁃∙·■□➤►✓✔+*–-]|\(?\d{1,2}[.)])(?: +|$)")


def kind_of(text: str) -> Kind:
    """The kind of a whole line."""
    if len(text) > 300:
        return Kind.TEXT
    form = form_of(re.sub(r"^(?:#{1,6}|[•*-]) +", "", text))
    if form not in {Kind.TEXT, Kind.NUMBER}:
        return form
    pieces = [form_of(piece) for piece in BETWEEN.split(text) if piece]
    arrows = text[0] in "←→«»‹›" or text[-1] in "←→«»‹›"
    if not arrows and pieces.count(Kind.NUMBER) == 1 and set(pieces) <= {Kind.NUMBER, Kind.DATE}:
        return Kind.NUMBER  # Blog #7 · March 3, 2026
    if pieces and Kind.TEXT not in pieces and (arrows or len(pieces) > 1):
        return Kind.DATE if set(pieces) == {Kind.DATE} else Kind.NAVIGATION
    if arrows and len(text) <= 90 and not SENTENCE_END.search(text):
        return Kind.NAVIGATION
    return form


def form_of(text: str) -> Kind:
    """The kind of a line, or of a piece of one."""
    if COMMENTS.fullmatch(text):
        return Kind.WIDGET
    residue = (kind for kind, form in _FORMS.items() if form.fullmatch(text))
    return next(residue, Kind.NUMBER if _NUMBER.fullmatch(text) else Kind.TEXT)


def is_name(text: str) -> bool:
    """Whether *text* could be an author's name."""
    return re.fullmatch(_NAME, text) is not None


def numbered(text: str) -> tuple[int, str]:
    """Number and title ("" when there is none) of a line of kind NUMBER, without its marks of Markdown."""
    pieces = (text, *BETWEEN.split(text))  # a date may stand beside it
    match = next(found for piece in pieces if (found := _NUMBER.fullmatch(piece)))
    if match["before"]:
        return int(match.groups()[-1]), match["before"]
    return int(next(filter(None, match.groups()))), match["after"] or match["behind"] or ""
