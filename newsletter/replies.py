"""What a server's reply means for a delivery: the table of phases, codes and words. Pure.

Guarantees
    A refusal marks a recipient only when it speaks of the recipient, and suppresses an address only when code
    and words agree that it's dead. In doubt the address is kept: a wrong suppression loses a reader for
    ever, a missed one costs a message.

Sources: RFC 5321 section 4.2 (replies), RFC 2034 (status in the text), RFC 3463 and RFC 7372 (enhanced status).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Literal

from newsletter.mail import About, Accepted, Deferred, Rejected, Reply, printable
from newsletter.wording import Said, no_account, words

BUSY = timedelta(minutes=1)  #: how long to leave a server alone that is busy, away or dropped us


class Phase(StrEnum):
    """How far a transaction has come; it decides what a failure means."""

    CONNECT = "connect"  #: up to the banner
    EHLO = "EHLO"
    STARTTLS = "STARTTLS"
    AUTH = "AUTH"
    MAIL = "MAIL"  #: up to here every refusal is about us
    RSET = "RSET"
    RCPT = "RCPT"  #: about the address, mostly
    DATA = "DATA"  #: waiting for 354
    DOT = "final dot"  #: a reply decides; silence leaves the message in doubt (RFC 1047)


#: RFC 3463 section 3.2 and RFC 7505: the address can't work, now or later.
DEAD = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"})

#: The sender's address (5.1.7 to 5.1.9), login (5.7.8, 5.7.9, 5.7.11), signature, SPF, DNS or DMARC (RFC 7372).
OURS = frozenset(
    {"5.1.7", "5.1.8", "5.1.9", "5.7.8", "5.7.9", "5.7.11"} | {f"5.7.{detail}" for detail in range(20, 30)}
)

#: RFC 4954 section 6: authentication is wanted, too weak, wrong, or wants encryption.
LOGIN_CODES = frozenset({530, 534, 535, 538})

_GONE = frozenset({Said.CLOSED, Said.NOWHERE, Said.DEAD, None})  # a status that says dead needs no words
_STANDARD = "mailbox unavailable"  # RFC 5321 section 4.2.3; in a notice it's believed of who was named just then
_EDGE = "recipient address rejected: access denied"  # Microsoft 365 of whoever isn't in the tenant's directory
_STATUS = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s+|$)")
_TEXT_MAX = 1_000  # characters kept of a reply; a server may say 800 kB, the ledger has a row for each


def parse(code: int, lines: Sequence[bytes]) -> Reply:
    """One reply from its *code* and the text of its lines, the enhanced status (RFC 2034) taken out of the text.

    Control characters become �, so that no server can paint on the owner's terminal.
    """
    status, words = "", []
    for line in lines:
        text = line.decode("utf-8", "replace").strip()
        if found := _STATUS.match(text):
            status, text = status or found[1], text[found.end() :]
        words.append(printable(text.replace("\t", " ")))
    return Reply(code, status, " ".join(filter(None, words))[:_TEXT_MAX])


def permanent(reply: Reply) -> bool:
    """Whether a refusal is final. The enhanced status beats the basic code, which older servers make up."""
    if reply.status[:1] in ("4", "5"):
        return reply.status[0] == "5"
    return reply.code >= 500


def retry_after(reply: Reply) -> timedelta | None:
    """When to try again after a refusal that's about us (up to MAIL), or None: not before the owner has acted."""
    # 421 closes the channel whatever its enhanced status says (RFC 5321 section 4.2.2).
    return BUSY if reply.code == 421 or not permanent(reply) else None


def outcome(phase: Literal[Phase.RCPT, Phase.DATA, Phase.DOT], reply: Reply) -> Accepted | Deferred | Rejected:
    """What *reply* makes of the message in hand. A 2xx counts only after the final dot; the caller looks before."""
    if phase is Phase.DOT and reply.code < 300:
        return Accepted(reply=reply)
    if reply.code == 421 or not permanent(reply):
        return Deferred(reply)
    if phase is Phase.RCPT:
        return _refused_recipient(reply)
    return Rejected(reply, About.MESSAGE)


def _refused_recipient(reply: Reply) -> Deferred | Rejected:
    """RCPT, permanent: whose fault it is, and whether the address is dead."""
    status, said = reply.status, words(reply.text)
    if status in OURS or reply.code in LOGIN_CODES:
        return Rejected(reply, About.US)
    if said in (Said.FULL, Said.RATE) or status == "5.2.2":
        return Deferred(reply)
    if status in DEAD:
        # "450 5.1.1" contradicts itself: not sent to again, but kept.
        return Rejected(reply, About.ADDRESS, suppress=said in _GONE and reply.code >= 500)
    vague = not status or status == "5.2.1" or status.endswith(".0")
    if vague and reply.code == 552:
        return Deferred(reply)
    if said is Said.OURS and (vague or status.startswith("5.7.")):
        return Rejected(reply, About.US)
    return Rejected(reply, About.ADDRESS, suppress=vague and said in _GONE - {None} and reply.code >= 500)


def dead(reply: Reply, phase: Phase | None = None, *, named: bool = False) -> bool:
    """Whether a notice of a final failure says that the address is dead: the enhanced status first, then the words.

    *phase* is where the refusal came, as far as the notice tells; *named*: it names the address. Who took the
    recipient and calls them unknown only when the letter was there knows them: so filters speak that some readers set
    up for themselves. The same may be behind a bare "user unknown" of a server of which nothing else is told.
    """
    status, said = reply.status, words(reply.text)
    if ((status or reply.code) and not permanent(reply)) or (reply.code // 100 == 4 and status not in DEAD):
        return False  # "450" in a failure: somebody tried for days, and was put off each time
    if status in OURS and (status != "5.7.27" or said is not Said.NOWHERE):
        return False
    if status in DEAD:
        return said in _GONE
    early = phase in (Phase.CONNECT, Phase.EHLO, Phase.MAIL)  # nobody was named so far
    if said is Said.NOWHERE:
        return not (early and reply.code) and not status.startswith("5.7.1")
    if status == "5.4.1" and _EDGE in reply.text.lower():
        return True
    if phase is Phase.RCPT and said is None and reply.code == 550 and _STANDARD in reply.text.lower():
        said = Said.DEAD
    sure = no_account(reply.text)
    if said is not Said.DEAD or (phase in (Phase.DATA, Phase.DOT) and not sure):
        return False
    if status == "5.2.1":  # RFC 3463: the mailbox is there, and disabled; unknown at RCPT says otherwise
        return phase is Phase.RCPT
    sure = sure or phase is Phase.RCPT or (phase is None and named) or status == "5.1.0"
    return sure and (not status or status.endswith(".0") or status.startswith("5.0."))
