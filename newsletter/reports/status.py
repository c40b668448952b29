"""Delivery status notifications: what each recipient's fields say. Pure.

Sources: RFC 3464 sections 2.2 and 2.3, RFC 3463 (enhanced status), RFC 6533 (utf-8 addresses).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from newsletter.mail import Reply, printable
from newsletter.replies import Phase

_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)")
_CODE = re.compile(r"(?<![\d.@-])([245][0-7]\d)(?=[ #\-:)\]]|$)")
_LOCAL = re.compile(r"(?:\"[^\"\n]{1,62}\"|[^\s<>()\[\]\",;:@\\|]{1,64})$")
_DOMAIN = re.compile(r"[^\s<>()\[\]\",;:@/\\|?!=']{1,255}")
_ADDRESSES_MOST = 200  # of one text
_GROUPS_MOST = 100
_REPLIES_MOST = 50  # of one text
_TEXT_MAX = 1_000  # characters of a diagnostic
_STAGE = r"(?:end of |final )?(?:data|text|dot)|rcpt|mail from|helo|ehlo|(?:initial )?connection|greeting|banner"
#: A command, and on the next line the refusal; the arrows point this way or that, or there are words in their place.
_TRANSCRIPT = re.compile(
    rf"(?:[<>-]{{2,3}}|sent|:)[ \t]{{0,9}}({_STAGE}|\.)(?![a-z])[^\n]{{0,300}}\n"
    r"[^\n]{0,60}?(?:[<>-]{2,3}|:)[ \t]{0,9}[45]\d\d\b",
    re.IGNORECASE,
)
_PHASE = re.compile(
    r"(?:in (?:reply|response) to|after|following|for|like our|stage|command)[\s:>(]{1,9}"
    rf"(?:the |pipelined |sending ){{0,2}}({_STAGE})\b"
    rf"|\b({_STAGE})(?: to)? (?:command|stage|phase)"
    r"|\[(rcpt|data|mail)_?(?:to|from)?\]|\((state 1[34])\)|>>> ?(rcpt|data|mail)\b"
    r"|does not like (recipient|sender)|rejected (recipient)|\b(sender) was rejected|\b(greeting) failed"
    r"|failed after (i sent) the message",
    re.IGNORECASE,
)
_PHASES = (
    (("rcpt", "recipient", "state"), Phase.RCPT),
    (("mail", "sender"), Phase.MAIL),
    (("helo", "ehlo"), Phase.EHLO),
    (("initial", "connection", "greeting", "banner"), Phase.CONNECT),
)
_KNOWN = re.compile(r"^[ \t>]*(?:final|original)-recipient[ \t]*:", re.IGNORECASE | re.MULTILINE)
_FIELD = re.compile(r"[ \t]{0,4}([A-Za-z][A-Za-z-]{2,40})[ \t]*:[ \t]*(.*)")


@dataclass(frozen=True, slots=True)
class Group:
    """What is told of one recipient."""

    recipient: str  #: as it was written to: the original recipient where that is told
    final: str  #: where it ended up
    action: str  #: failed, delayed, delivered, relayed, expanded; or "" or whatever else somebody made up
    reply: Reply


def has_status(text: str) -> bool:
    """Whether *text* holds the fields of a delivery status."""
    return _KNOWN.search(text) is not None


def groups(text: str) -> list[Group]:
    """The recipients of a delivery status in order."""
    return [_group(fields) for fields in _blocks(text)][:_GROUPS_MOST]


def _blocks(text: str) -> Iterator[dict[str, str]]:
    """The fields of each recipient. A recipient begins where a name is told again, or behind an empty line.

    Some reporters put empty lines between the fields of one recipient, others none between two recipients.
    """
    current: dict[str, str] = {}
    last, fresh = "", True
    for line in text.split("\n"):
        if not line.strip():
            fresh = True
            continue
        found = _FIELD.match(line)
        if not found:
            if last and not fresh:
                current[last] += " " + line.strip()
            continue
        name, value = found[1].lower(), found[2].strip()
        names = name.endswith("-recipient")
        if name in current or (fresh and names and _whose(current)):
            if _whose(current):
                yield current
                current = {}
            elif name in current and names:
                current = {}
        current[name] = value
        last, fresh = name, False
    if _whose(current):
        yield current


def _whose(fields: dict[str, str]) -> bool:
    return "final-recipient" in fields or "original-recipient" in fields


def _group(fields: dict[str, str]) -> Group:
    original, final = (_address(fields.get(f"{which}-recipient", "")) for which in ("original", "final"))
    said = fields.get("diagnostic-code", "")
    kind, separator, words = said.partition(";")
    if separator and re.fullmatch(r"[A-Za-z0-9-]{1,20}\s*", kind):
        said = words.strip()
    told = _STATUS.search(fields.get("status", ""))
    status = told[1] if told else ""
    return Group(
        original or final, final or original, fields.get("action", "").partition(" ")[0].lower(), reply(said, status)
    )


def reply(text: str, status: str = "") -> Reply:
    """What a server said, of its words; a *status* told beside them yields to a more exact one in them."""
    code, found = _refusal(_CODE, text), _refusal(_STATUS, text)
    if found and (vague(status) or found[1][0] != status[0]):
        status = found[1]
    if vague(status):
        exact = (one[1] for one in islice(_STATUS.finditer(text), _REPLIES_MOST) if one[1][0] == "5")
        status = next((one for one in exact if not vague(one)), status)
    words = printable(" ".join(text.split())[:_TEXT_MAX])
    return Reply(int(code[1]) if code else 0, status, words)


def _refusal(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """The first that refuses; a transcript begins with what was well."""
    first = None
    for found in islice(pattern.finditer(text), _REPLIES_MOST):
        if found[1][0] != "2":
            return found
        first = first or found
    return first


def names(text: str, recipient: str) -> bool:
    """Whether the reply in *text* names *recipient*; where there is no reply code, whether the words do."""
    found = _refusal(_CODE, text)
    line = text[found.end() :].partition("\n")[0] if found else text
    return bool(recipient) and recipient.lower() in line.lower()


def phase(text: str) -> Phase | None:
    """In which phase a refusal came, as far as *text* tells: a transcript, or the words of the server that tells it."""
    found = _TRANSCRIPT.search(text) or _PHASE.search(text)
    if not found:
        return None
    command = " ".join(found[found.lastindex or 0].lower().split())
    return next((phase for stems, phase in _PHASES if command.startswith(stems)), Phase.DATA)


def vague(status: str) -> bool:
    """Whether a status says no more than that it failed (RFC 3463 sections 3.1 and 3.6)."""
    return not status or status.endswith(".0") or status.startswith(("5.0.", "5.5."))


def _address(value: str) -> str:
    """The address in ``rfc822; <neko@example.org>``; "" for other kinds of names."""
    kind, separator, named = value.partition(";")
    return next((found for _, found in addresses(named if separator else kind)), "")


def addresses(text: str) -> list[tuple[int, str]]:
    """Where each address stands in *text*, and the address. Linear: each @ is looked at once."""
    found: list[tuple[int, str]] = []
    at = text.find("@")
    while at >= 0 and len(found) < _ADDRESSES_MOST:
        local = _LOCAL.search(text, max(0, at - 64), at)
        domain = _DOMAIN.match(text, at + 1)
        if local and domain and (host := domain[0].rstrip(".-_*")) and "." in host:
            name = local[0].lstrip("'").removeprefix("mailto=").removeprefix("=")
            if name:
                found.append((local.start(), f"{name}@{host}"))
        at = text.find("@", at + 1)
    return found
