"""Rules about the message as bytes: header fields, line lengths, and places that were not filled in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from newsletter.checks.finding import Finding, Part, clipped, error
from newsletter.checks.reading import Reading

_ONCE = ("From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "List-Id", "List-Unsubscribe")
_ASK = "This is a fault of newsletter itself, or of its settings; look for odd characters in newsletter.toml."
_TOKEN = re.compile(r"@@[A-Z][A-Z_]{2,40}@@|\b[Uu]\.invalid\b")
_NONE = re.compile(r"\b(?:Hello|Dear|Hi) (?:None|null|undefined)\b")
_ENCODED = re.compile(rb"=\?[^?\s]{1,40}\?[bBqQ]\?")
_FIELD = re.compile(rb"(?m)^([!-9;-~]+):((?:.*\r\n[ \t])*.*)\r\n")
_LONGEST, _LONGEST_BODY = 998, 76  # RFC 5322 section 2.1.1; RFC 2045 section 6.7 (5) and 6.8


def fields(reading: Reading) -> Iterator[Finding]:
    """Each header field that a mail needs is there once, and it goes to one address (RFC 5322 section 3.6)."""
    parsed = reading.proof.parsed
    counted = Counter(name.lower() for name, _ in parsed.items())
    once = [*_ONCE, *(["List-Unsubscribe-Post"] if reading.proof.identity.url else [])]
    for name in once:
        if counted[name.lower()] != 1:
            yield error(
                "header-fields", f"The message has {counted[name.lower()]} {name} fields, not one.", _ASK, Part.HEADER
            )
    if counted["to"] == 1 and len(parsed["To"].addresses) != 1:
        yield error(
            "header-fields", "To does not hold exactly one address.", _ASK, Part.HEADER, quote=str(parsed["To"])
        )
    if parsed.defects:
        yield error("header-fields", f"The message is not well formed: {parsed.defects[0]}.", _ASK, Part.HEADER)


def way_out(reading: Reading) -> Iterator[Finding]:
    """The way out stands in the header as mail programs read it: plain, whole, with one click (RFC 2369, RFC 8058)."""
    raw = {name.lower(): value.strip() for name, value in _FIELD.findall(_head(reading))}
    value = raw.get(b"list-unsubscribe", b"")
    whole = re.findall(rb"<(https://[^\s<>]+|mailto:[^\s<>]+)>", value)
    url = reading.proof.identity.url
    kinds = sorted(found.partition(b":")[0] for found in whole)
    if _ENCODED.search(value) or kinds != ([b"https", b"mailto"] if url else [b"mailto"]):
        shown = value.decode("ascii", "replace")
        yield error("way-out", "List-Unsubscribe is not readable to mail programs.", _ASK, Part.HEADER, quote=shown)
    if url and raw.get(b"list-unsubscribe-post") != b"List-Unsubscribe=One-Click":
        yield error("way-out", "List-Unsubscribe-Post does not say One-Click.", _ASK, Part.HEADER)


def lines(reading: Reading) -> Iterator[Finding]:
    """Lines end in CR LF and have a length that every server takes; every octet has seven bits."""
    data = reading.proof.message
    if data.count(b"\n") != data.count(b"\r\n") or data.count(b"\r") != data.count(b"\r\n"):
        yield error("message-lines", "A line of the message does not end in CR LF.", _ASK, Part.HEADER)
    if not data.isascii():
        yield error("message-lines", "The message has octets that some servers do not carry.", _ASK, Part.HEADER)
    head, _, body = data.partition(b"\r\n\r\n")
    for octets, most in ((head, _LONGEST), (body, _LONGEST_BODY)):
        longest = max(map(len, octets.split(b"\r\n")))
        if longest > most:
            yield error(
                "message-lines",
                f"A line of the message has {longest} characters; {most} is the most.",
                _ASK,
                Part.HEADER,
            )


def unfilled(reading: Reading) -> Iterator[Finding]:
    """Every place that is filled in for each reader is filled in."""
    for part, text in (
        (Part.HEADER, _head(reading).decode("ascii", "replace")),
        (Part.HTML, reading.proof.html),
        (Part.TEXT, reading.proof.text),
    ):
        found = _TOKEN.search(text) or _NONE.search(text)
        if found:
            yield error(
                "unfilled",
                f"{reading.template_line(found[0])}“{clipped(found[0], 40)}” was to be filled in for each reader and is"
                " not.",
                "Look for it in your templates; those that come with newsletter have the right names.",
                part,
                quote=text[max(0, found.start() - 20) : found.end() + 20],
            )


def _head(reading: Reading) -> bytes:
    return reading.proof.message.partition(b"\r\n\r\n")[0] + b"\r\n"


RULES = {"header-fields": fields, "way-out": way_out, "message-lines": lines, "unfilled": unfilled}
