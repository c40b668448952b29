"""A second opinion on who is meant: flufl.bounce, which knows the letters of many mail systems by heart.

It is shown the fields and the words alone, as one plain letter: so neither parts within parts nor a charset cost it
anything in its 17 passes, and none of its readers goes on into the letter that came back.

Whether the failure is for good is not asked of it: by its answer nearly every full mailbox would be given up.

Price
    It needs Python's own message, and takes 30 ms to import; so it comes after a report's own fields.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from email.message import Message

from newsletter.reports.entity import Fields
from newsletter.reports.status import addresses

_CHARACTERS_MAX = 16_000
_LINES_MOST = 400
_FIELDS = frozenset({"from", "to", "subject", "return-path", "x-failed-recipients", "message-id", "received"})
_FIELDS_MOST = 40
_MOST = 50


def opinion(fields: Fields, words: str, ours: Collection[str]) -> list[str]:
    """Those recipients in *words* that are spoken of in it, in order, as far as they are not *ours*; or none."""
    from flufl.bounce import all_failures

    logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)  # it shows what breaks it as tracebacks
    plain = Message()
    for name, value in [field for field in fields if field[0] in _FIELDS][:_FIELDS_MOST]:
        plain[name] = value
    plain.set_payload("\n".join(words[:_CHARACTERS_MAX].split("\n")[:_LINES_MOST]).encode("ascii", "replace").decode())
    try:
        temporary, permanent = all_failures(plain)
    except Exception:  # made for honest bounces; what a stranger made up may break it in ways that are not ours to list
        return []
    found = {octets.decode("utf-8", "replace").lower() for octets in (*temporary, *permanent)} - set(ours)
    named = {address.lower(): address for _, address in reversed(addresses(words))}
    return [address for key, address in reversed(named.items()) if key in found][:_MOST]
