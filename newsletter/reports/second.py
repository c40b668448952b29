"""A second opinion on who is meant: flufl.bounce, which knows the letters of many mail systems by heart.

Whether the failure is for good is not asked of it: by its answer nearly every full mailbox would be given up.

Price
    It needs Python's own parser, and takes 30 ms to import; so it comes after a report's own fields.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from email import message_from_bytes

_OCTETS_MAX = 32_000  # it takes 17 passes, and walks all parts in each
_LINES_MOST = 800
_MOST = 50


def opinion(data: bytes, ours: Collection[str]) -> list[str]:
    """The recipients that *data* speaks of, as far as they are not *ours*; empty when it does not know."""
    from flufl.bounce import all_failures

    logging.getLogger("flufl.bounce").setLevel(logging.ERROR)
    lines = data[:_OCTETS_MAX].splitlines(keepends=True)[:_LINES_MOST]
    try:
        temporary, permanent = all_failures(message_from_bytes(b"".join(lines)))
    except Exception:  # made for honest bounces; what a stranger made up may break it in ways that are not ours to list
        return []
    found = {octets.decode("utf-8", "replace") for octets in (*temporary, *permanent)}
    return sorted(one for one in found if "@" in one and one.lower() not in ours)[:_MOST]
