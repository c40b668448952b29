"""Rules about what each letter owes its reader: a way out, and a sender whom one can write to.

CAN-SPAM (16 CFR part 316) and the GDPR ask for both; the template has them, until an owner's own leaves them away.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from newsletter.checks.finding import Finding, Part, error, warning
from newsletter.checks.parity import WORD
from newsletter.checks.reading import Reading

_REMEDY = "Take the block footer of the {} that comes with newsletter."


def unsubscribe_link(reading: Reading) -> Iterator[Finding]:
    """Both parts of a letter have the reader's own link to unsubscribe: who finds none presses Spam instead."""
    ways = re.findall(r"<([^<>\s]+)>", str(reading.proof.parsed["List-Unsubscribe"]))
    links = (link for link in reading.links if link.text and not any(e.hidden for e in (link, *link.ancestors)))
    shown = {link.attributes["href"] for link in links}
    if shown.isdisjoint(ways):
        problem = "The letter has no link to unsubscribe."
        yield error("unsubscribe-link", problem, _REMEDY.format("post.html"), Part.TEMPLATE)
    if not any(way in reading.proof.text for way in ways):
        problem = "The plain text has no address to unsubscribe at."
        yield error("unsubscribe-link", problem, _REMEDY.format("post.txt"), Part.TEMPLATE)


def postal_address(reading: Reading) -> Iterator[Finding]:
    """Both parts of a letter say where its sender is to be found."""
    asked = set(WORD.findall(reading.proof.identity.postal_address.casefold()))
    for text, part, template in (
        (" ".join(run.text for run in reading.page.runs), "letter", "post.html"),
        (reading.proof.text, "plain text", "post.txt"),
    ):
        if not asked <= set(WORD.findall(text.casefold())):
            problem = f"The {part} does not show your postal address, which the law asks for."
            yield warning("postal-address", problem, _REMEDY.format(template), Part.TEMPLATE)


RULES = {"unsubscribe-link": unsubscribe_link, "postal-address": postal_address}
