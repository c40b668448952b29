"""Rules about what readers and filters take for spam, each with its reason."""

from __future__ import annotations

import re
from collections.abc import Iterator

from newsletter.checks.cascade import colour, ratio
from newsletter.checks.finding import Finding, Part, clipped, warning
from newsletter.checks.page import NOT_SHOWN
from newsletter.checks.parity import WORD
from newsletter.checks.reading import Reading

_SHOUTED = 8  # letters; fewer may be an acronym
_SHOUTED_BODY = 40  # words, and a third of them
_LITTLE = 3  # words
_PICTURE_WORDS = 12
_SALES_SEVERAL = 2  # of these words in one letter
_LOUD = re.compile(r"\w{0,40} ?[!！]{2,10}")
_SALES = re.compile(
    r"\b(?:100 ?% free|act now|buy now|click (?:here|now)|cash bonus|earn money|free money|guaranteed|limited[- ]time"
    r"|make money|no obligation|order now|risk[- ]free|special promotion|urgent|winner|you(?:'|’)ve won|you have won)\b"
    r"|\bfree ?!|[$€£]{2,}",
    re.IGNORECASE,
)


def shouting(reading: Reading) -> Iterator[Finding]:
    """Capitals throughout read as shouting, and every filter counts them."""
    subject = reading.post.subject
    if _shouted(subject):
        yield warning(
            "shouting",
            "The subject is in capitals.",
            "Write it as a sentence.",
            line=reading.key_line("subject") or reading.key_line("title"),
            quote=subject,
        )
    words = [word for _, text in reading.prose for word in re.findall(r"[^\W\d_]{3,}", text)]
    loud = sum(word.isupper() for word in words)
    if len(words) >= _SHOUTED_BODY and loud > len(words) / 3:
        yield warning(
            "shouting",
            f"{loud} of {len(words)} words are in capitals.",
            "Use *emphasis* instead.",
            line=reading.post.body_line,
        )


def _shouted(text: str) -> bool:
    cased = [c for c in text if c.isupper() or c.islower()]
    return len(cased) >= _SHOUTED and len(text.split()) > 1 and sum(c.isupper() for c in cased) > 0.9 * len(cased)


def exclaiming(reading: Reading) -> Iterator[Finding]:
    """More than one exclamation mark in a subject, or two in a row anywhere, look like an advertisement."""
    if sum(reading.post.subject.count(sign) for sign in "!！¡") - reading.post.subject.count("¡") > 1:
        yield warning(
            "exclaiming",
            "The subject has several exclamation marks.",
            "Keep one at most.",
            line=reading.key_line("subject") or reading.key_line("title"),
            quote=reading.post.subject,
        )
    for line, text in reading.prose:
        if found := _LOUD.search(text):
            yield warning("exclaiming", f"“{found[0]}” is loud.", "Keep one mark at most.", line=line, quote=found[0])


def selling(reading: Reading) -> Iterator[Finding]:
    """Words of salesmen in a subject are what filters learned first; in a letter they count when there are several."""
    if found := _SALES.search(reading.post.subject):
        yield warning(
            "selling",
            f"“{found[0]}” in a subject is what spam filters look for.",
            "Say it in other words.",
            line=reading.key_line("subject") or reading.key_line("title"),
            quote=reading.post.subject,
        )
    sold = [(line, found) for line, text in reading.prose for found in _SALES.findall(text)]
    if len({found.casefold() for _, found in sold}) >= _SALES_SEVERAL:
        words = " and ".join(f"“{found}”" for found in dict.fromkeys(found for _, found in sold[:2]))
        yield warning(
            "selling",
            f"{words} in one letter are what spam filters look for.",
            "Say it in other words.",
            line=sold[0][0],
            quote=sold[0][1],
        )


def little_text(reading: Reading) -> Iterator[Finding]:
    """A mail that is a picture, or next to nothing, says nothing to who has pictures off, and filters distrust it."""
    count = sum(len(WORD.findall(text)) for _, text in reading.prose)
    pictures = len(reading.proof.rendered.images)
    if pictures and count < _PICTURE_WORDS:
        yield warning(
            "little-text",
            "The letter is hardly more than a picture: who has pictures turned off gets nothing.",
            "Say in words what the picture says.",
            line=reading.post.body_line,
        )
    elif count < _LITTLE:
        yield warning(
            "little-text", "There are hardly any words in the post.", "Write some.", line=reading.post.body_line
        )


def hidden_text(reading: Reading) -> Iterator[Finding]:
    """Text that is there and can't be seen is a spammer's trick; the preheader alone may be hidden."""
    preheader = reading.proof.rendered.preheader
    for element in reading.page.elements:
        if element.tag in NOT_SHOWN or any(e.tag in NOT_SHOWN for e in element.ancestors):
            continue
        if not element.hidden or not element.text or any(e.hidden for e in element.ancestors):
            continue
        if preheader and element.text.startswith(" ".join(preheader.split())[:20]):
            continue
        yield _hidden(element.text)
    for run in reading.page.runs:
        style = run.element.style
        size = style.get("font-size", "")
        front, back = colour(style.get("color", "")), colour(style.get("background-color", ""))
        same = front is not None and back is not None and ratio(front, back) < 1.1
        if run.text.strip() and (same or size in ("0", "0px", "1px") or style.get("visibility") == "hidden"):
            yield _hidden(run.text)


def _hidden(text: str) -> Finding:
    return warning(
        "hidden-text",
        f"“{clipped(text, 40)}” is in the letter and can't be seen, which filters take for a trick.",
        "Show it, or take it out.",
        Part.TEMPLATE,
        quote=text,
    )


RULES = {
    "shouting": shouting,
    "exclaiming": exclaiming,
    "selling": selling,
    "little-text": little_text,
    "hidden-text": hidden_text,
}
