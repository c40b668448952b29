"""Rules about the HTML as a document: its size, headings, tables, language, and what no mail program carries out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from newsletter.checks.css import important
from newsletter.checks.finding import Finding, Part, clipped, error, warning
from newsletter.checks.reading import Reading
from newsletter.proof import CLIP

NEAR_CLIP = 90 * 1024  #: octets of HTML from which a letter comes close to being cut
STYLE_MOST = 8 * 1024  #: octets of style elements; Gmail takes no more and then drops all of it
_SPLIT = "Make two posts of it."
_CONDITIONAL = re.compile(r"\[if\b[^\]]*\]>(.*?)<!\[endif\]", re.DOTALL)
_MSO_TAG = re.compile(r"<(/?)(table|tr|td|div|center)\b")
_CARRIED_OUT_NOWHERE = frozenset(
    """applet audio base button canvas embed form frame frameset iframe input link object script select textarea
    video""".split()  # noqa: SIM905  a list of words
)


def size(reading: Reading) -> Iterator[Finding]:
    """Gmail cuts a letter after 102 KB of HTML and hides the rest, the unsubscribe link included."""
    octets = reading.proof.html_size
    words = f"The letter has {octets / 1024:,.0f} KB of HTML"
    if octets > CLIP:
        yield error("size", f"{words}: Gmail cuts it after 102 KB and hides the rest, the way out included.", _SPLIT)
    elif octets > NEAR_CLIP:
        yield warning("size", f"{words}; Gmail cuts a letter after 102 KB.", _SPLIT)


def headings(reading: Reading) -> Iterator[Finding]:
    """One h1, the title; below it no heading skips a level, and none is empty: screen readers travel by them."""
    found = reading.page.all("h1", "h2", "h3", "h4", "h5", "h6")
    first = [e for e in found if e.tag == "h1"]
    if len(first) != 1:
        yield warning(
            "headings",
            f"The letter has {len(first) or 'no'} h1 {'heading' if len(first) < 2 else 'headings'} instead of one.",
            "Let the template show the title, and nothing else, as h1.",
            Part.TEMPLATE,
        )
    for above, below in pairwise(found):
        if int(below.tag[1]) > int(above.tag[1]) + 1:
            yield warning(
                "headings",
                f"The heading “{clipped(below.text, 40)}” is {below.tag} right below an {above.tag}.",
                "Use the next level, without a step left out.",
                Part.TEMPLATE,
                quote=below.text,
            )
    for heading in found:
        if not heading.text:
            line = next((n for n, text in reading.prose if re.fullmatch(r"[ >]*#{1,6}[\s#]*", text)), None)
            yield warning(
                "headings", "A heading has no words.", "Write some behind the # signs, or take it out.", line=line
            )


def tables(reading: Reading) -> Iterator[Finding]:
    """A table that only lays things out says role="presentation", or screen readers announce rows and columns."""
    bare = [
        table
        for table in reading.page.all("table")
        if table.attributes.get("role") not in ("presentation", "none") and not any(table.elements("th"))
    ]
    if bare:
        yield warning(
            "table-role",
            f"{len(bare)} layout {'table is' if len(bare) == 1 else 'tables are'} read out as if they held data.",
            'Write role="presentation" into the table tag; a table of data has header cells.',
            Part.TEMPLATE,
        )


def language(reading: Reading) -> Iterator[Finding]:
    """The page says its language and direction, its character set and its title: voices and mail programs need them."""
    page, rendered = reading.page, reading.proof.rendered
    root = next(iter(page.all("html")), None)
    attributes = root.attributes if root else {}
    missing = [name for name, value in (("lang", rendered.language), ("dir", rendered.direction))
               if attributes.get(name, "").lower() != value.lower()]  # fmt: skip
    lacks = [f'<html {name}="…">' for name in missing]
    lacks += [] if page.doctype.lower().startswith("doctype html") else ["<!DOCTYPE html>"]
    lacks += [] if any("charset" in meta.attributes for meta in page.all("meta")) else ['<meta charset="utf-8">']
    lacks += [] if any(title.children for title in page.all("title")) else ["<title>"]
    if lacks:
        yield warning(
            "language",
            f"The template lacks {', '.join(lacks)}, or it says something else than the letter.",
            "Take these lines from the layout.html that comes with newsletter.",
            Part.TEMPLATE,
        )


def banned(reading: Reading) -> Iterator[Finding]:
    """Scripts, forms, frames and things loaded from elsewhere: mail programs drop them, and filters drop the mail."""
    tags = Counter(e.tag for e in reading.page.elements if e.tag in _CARRIED_OUT_NOWHERE)
    for tag in tags:
        problem = f"{reading.template_line(f'<{tag}')}The letter has a <{tag}>, which no mail program carries out."
        yield error("banned", problem, "Take it out.", Part.TEMPLATE)
    handlers = {name for e in reading.page.elements for name in e.attributes if re.fullmatch(r"on[a-z]{3,30}", name)}
    for name in sorted(handlers):
        problem = f"{reading.template_line(f'{name}=')}The letter has {name}=…, which no mail program carries out."
        yield error("banned", problem, "Take it out.", Part.TEMPLATE)


def kept_style(reading: Reading) -> Iterator[Finding]:
    """The style that stays is short, closed, and wins over what stands on the elements."""
    styles = reading.page.all("style")
    octets = sum(len(str(child).encode()) for style in styles for child in style.children)
    if octets > STYLE_MOST:
        yield warning(
            "kept-style",
            f"The style that stays in the letter has {octets / 1024:.0f} KB; Gmail drops all of it beyond 8.",
            "Keep only what phones and dark screens need.",
            Part.TEMPLATE,
        )
    if not reading.sheet.balanced:
        yield warning("kept-style", "A { in the style is never closed.", "Put the missing } there.", Part.TEMPLATE)
    for rule in reading.sheet.rules:
        weak = [name for name, value in rule.declarations.items() if not important(value)[1]]
        if rule.media and weak:
            yield warning(
                "kept-style",
                f"{weak[0]} of {rule.selectors[0]} in “@media {rule.media}” loses against what is on the element.",
                "End the line with !important.",
                Part.TEMPLATE,
                quote=", ".join(rule.selectors),
            )
            return  # one tells it


def ghost_tables(reading: Reading) -> Iterator[Finding]:
    """What is written for Outlook alone is closed there again, or the letter falls apart in it."""
    opened: Counter[str] = Counter()
    for comment in reading.page.comments:
        for found in _MSO_TAG.finditer("".join(_CONDITIONAL.findall(comment))):
            opened[found[2]] += -1 if found[1] else 1
    wrong = [tag for tag, count in opened.items() if count]
    if wrong:
        yield error(
            "ghost-tables",
            f"In what is written for Outlook alone, <{wrong[0]}> is opened and not closed, or the other way round.",
            "Give each [if mso] that opens a table one that closes it.",
            Part.TEMPLATE,
        )


SIZE = {"size": size}  # all that is asked of a letter beyond measure
RULES = {
    **SIZE,
    "headings": headings,
    "table-role": tables,
    "language": language,
    "banned": banned,
    "kept-style": kept_style,
    "ghost-tables": ghost_tables,
}
