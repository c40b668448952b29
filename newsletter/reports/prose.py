"""Bounces that people were meant to read: who is spoken of, and in what words. Pure.

Every mail system once had its own letter for "it did not arrive". What they share is enough: the address stands on a
line by itself or in front of a server's reply, the reason near it, and the letter that was returned below.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from newsletter.reports.entity import Fields, fields_of
from newsletter.reports.status import addresses

_PROSE_MAX = 32_000  # characters looked at
_LINES_MOST = 1_000
_NEAR = 12  # lines behind an address in which its reason stands
_MOST = 50  # recipients of one letter

_RETURNED_LEAST = 3  # known names in a run of fields
_FIELDS_MOST = 200
_FIELD = re.compile(r"[!-9;-~]{1,76}:")
#: Three of these in a row are the header of the letter that came back.
_RETURNED = re.compile(
    r"\s*(?:return-path|received|message-id|date|from|to|cc|subject|mime-version|content-type|reply-to|sender"
    r"|content-transfer-encoding|list-unsubscribe|list-id|dkim-signature|x-mailer|references|in-reply-to)\s*:",
    re.IGNORECASE,
)
_BY_ITSELF = re.compile(
    r"^[\s>*•·-]*(?:(?:recipient|recipients|address|addressed to|rcpt to|failed recipient|user|final recipient"
    r"|recipient address|recipient\(s\)|undeliverable address|受信者|宛先)\s*:?\s*)?[<\[(\"'« ]*$",
    re.IGNORECASE,
)
_ENDS_LINE = re.compile(
    r"^[>\])\"'»]{0,9}\s{0,40}(?:$|[:：,;(]|\.\.\.|\(?#|[-–]\s|[45]\d\d\b|<"
    r"|\w{1,3}\s.{0,12}\d)"  # "ana@example.org on Tue, 3 Mar", in some language
)
_REPLIED = re.compile(r"(?<!\d)[45]\d\d[ -](?:#?[45]\.\d{1,3}\.\d{1,3})?|#[45]\.\d|\brcpt to\b", re.IGNORECASE)
_STARTS_REPLY = re.compile(r"\s*[45]\d\d[ -]")
_ROLES = ("postmaster@", "mailer-daemon@", "abuse@", "support@", "helpdesk@", "noreply@", "no-reply@")
_IDENT = re.compile(r"(?:message-?id|envelope-?id|\bid|references)\s*[:=]?\s*<?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Letter:
    """The text of a report, parted from the letter that came back."""

    words: str
    returned: Fields


def parted(text: str) -> Letter:
    """*text* without the letter that was returned in it, and that letter's header."""
    lines = text[:_PROSE_MAX].split("\n")[:_LINES_MOST]
    kept: list[str] = []
    returned: Fields = ()
    at = 0
    while at < len(lines):
        end, names = _fields_from(lines, at)
        if names < _RETURNED_LEAST:
            kept += lines[at:end]
            at = end
            continue
        indent = len(lines[at]) - len(lines[at].lstrip())
        returned += fields_of("\n".join(line[indent:] if line[:indent].isspace() else line for line in lines[at:end]))
        if not indent:
            break  # all that follows is the letter
        kept += lines[at:end]  # a few fields quoted within the words
        at = end
    return Letter("\n".join(kept), returned)


def _fields_from(lines: list[str], at: int) -> tuple[int, int]:
    """Where the run of header fields that begins at *at* ends, at at least behind this line; its known names."""
    names: set[str] = set()
    end = at
    while end < len(lines) and end < at + _FIELDS_MOST:
        line = lines[end]
        if found := _RETURNED.match(line):
            names.add(found[0].strip(" \t:").lower())
        elif not names or not (line[:1] in (" ", "\t") or _FIELD.match(line)) or not line.strip():
            break
        end += 1
    return max(end, at + 1), len(names)


def spoken_of(words: str, *, ours: Collection[str], written_to: Iterable[str]) -> list[str]:
    """The addresses that *words* say were not reached; *ours* are spoken of too, but not meant.

    *written_to* are those in the returned letter's To.
    """
    sure: dict[str, str] = {}
    others: dict[str, str] = {}
    for line in words.split("\n"):
        found = addresses(line) if "@" in line else []
        for i, (start, address) in enumerate(found):
            before, after = line[:start], line[start + len(address) :]
            if _IDENT.search(before[-24:]) or address.lower().startswith(_ROLES):
                continue
            alone = _BY_ITSELF.match(before) and (_ENDS_LINE.match(after) or i)
            (sure if alone or _REPLIED.search(line) else others).setdefault(address.lower(), address)
    to = {address.lower() for address in written_to}
    foreign = {key: address for key, address in sure.items() if key not in ours}
    if not foreign:
        foreign = {key: address for key, address in others.items() if key not in ours}
        foreign = {key: address for key, address in foreign.items() if key in to} or foreign
    if foreign:
        return list(foreign.values())[:_MOST]
    return list(sure.values())[:1]


def about(words: str, address: str, others: Collection[str]) -> str:
    """The lines of *words* on *address*: from where it stands to the next of *others*; "" where nothing is said."""
    lines, lowered = words.split("\n"), words.lower().split("\n")
    key = address.lower()
    ends = [other.lower() for other in others]
    said: list[str] = []
    for at, line in enumerate(lines):
        if key not in lowered[at]:
            continue
        said.append(line)
        for further in range(at + 1, min(at + 1 + _NEAR, len(lines))):
            if any(other in lowered[further] for other in ends) or key in lowered[further]:
                break
            if _STARTS_REPLY.match(line) and _STARTS_REPLY.match(lines[further]):
                break  # the next reply is another's
            said.append(lines[further])
        if len(said) > 60:
            break
    return "\n".join(said)
