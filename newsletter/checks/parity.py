"""Rules about the plain-text part: it says what the HTML says, and has every address."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from newsletter.checks.finding import Finding, Part, clipped, warning
from newsletter.checks.reading import Reading

SHARE = 0.85  #: of the HTML's words that the text has, at least
WORD = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]|[^\W_\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]+")


def words(reading: Reading) -> Iterator[Finding]:
    """Whoever reads plain text reads the same letter."""
    shown = Counter(WORD.findall(" ".join(run.text for run in reading.page.runs).casefold()))
    written = Counter(WORD.findall(reading.proof.text.casefold()))
    total = sum(shown.values())
    share = sum((shown & written).values()) / total if total else 1
    if share < SHARE:
        own = bool(reading.post.text)
        yield warning(
            "text-words",
            f"The plain text has {share:.0%} of the letter's words.",
            "Say in text: what the post says, or delete the key and let it be made from the post."
            if own
            else "See that post.txt of the templates shows the content.",
            Part.TEXT,
            line=reading.key_line("text"),
        )


def links(reading: Reading) -> Iterator[Finding]:
    """Whoever reads plain text can follow every link."""
    text = reading.proof.text
    for href in dict.fromkeys(link.attributes["href"] for link in reading.links):
        if (
            href.partition(":")[2]
            and href not in text
            and href.removeprefix("mailto:").removeprefix("tel:") not in text
        ):
            yield warning(
                "text-links",
                f"The plain text lacks the address {clipped(href)}.",
                "Name it in text: of the front matter."
                if reading.post.text
                else "Show it in post.txt of the templates.",
                Part.TEXT,
                line=reading.key_line("text"),
            )


RULES = {"text-words": words, "text-links": links}
