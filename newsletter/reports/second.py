"""A second opinion on who is meant: flufl.bounce, which knows the letters of many mail systems by heart.

Whether the failure is for good is not asked of it: by its answer nearly every full mailbox would be given up.

Price
    It needs Python's own parser, and takes 30 ms to import; so it comes after a report's own fields.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from email import message_from_bytes

from newsletter.reports.status import addresses

_OCTETS_MAX = 32_000  # it takes 17 passes, and walks all parts in each
_LINES_MOST = 800
_MOST = 50


def opinion(data: bytes, words: str, ours: Collection[str]) -> list[str]:
    """The recipients that *data* speaks of, as far as they are not *ours*; empty when it does not know.

    Some of its readers go on into the letter that was returned; so it is believed only what the *words* above it name.
    """
    from flufl.bounce import all_failures

    logging.getLogger("flufl.bounce").setLevel(logging.ERROR)
    lines = data[:_OCTETS_MAX].splitlines(keepends=True)[:_LINES_MOST]
    try:
        temporary, permanent = all_failures(message_from_bytes(b"".join(lines)))
    except Exception:  # made for honest bounces; what a stranger made up may break it in ways that are not ours to list
        return []
    found = {octets.decode("utf-8", "replace") for octets in (*temporary, *permanent)}
    named = {address.lower() for _, address in addresses(words)} - set(ours)
    return sorted(one for one in found if one.lower() in named)[:_MOST]
