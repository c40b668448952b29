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
from enum import Enum, StrEnum
from typing import Literal

from newsletter.mail import About, Accepted, Deferred, Rejected, Reply, printable

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


class Said(Enum):
    """What the words of a refusal speak of."""

    FULL = "the mailbox is full"
    RATE = "too much at once, try later"
    OURS = "the sender, its login, its network or its reputation"
    BLOCKED = "a block or a policy, it's not clear whose"
    CLOSED = "the account is disabled, for now or for good"
    NOWHERE = "no such domain, or none that takes mail"
    DEAD = "no such mailbox"


#: RFC 3463 section 3.2 and RFC 7505: the address can't work, now or later.
DEAD = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"})

#: The sender's address (5.1.7 to 5.1.9), login (5.7.8, 5.7.9, 5.7.11), signature, SPF, DNS or DMARC (RFC 7372).
OURS = frozenset(
    {"5.1.7", "5.1.8", "5.1.9", "5.7.8", "5.7.9", "5.7.11"} | {f"5.7.{detail}" for detail in range(20, 30)}
)

#: RFC 4954 section 6: authentication is wanted, too weak, wrong, or wants encryption.
LOGIN_CODES = frozenset({530, 534, 535, 538})

_WHO = "(?:user|recipient|mailbox|address|account|addressee)"
_HOST = r"\b(?:host|domain)(?: or domain)?(?: name)?(?: \S{1,80})?"
_WHO_ELSEWHERE = (  # German, French, Spanish, Italian, Dutch, Portuguese, Russian
    "(?:empf[äa]nger|adresse|benutzer|konto|utilisateur|destinataire|compte|bo[îi]te|usuario|destinatario|direcci[óo]n"
    r"|cuenta|utente|indirizzo|casella|gebruiker|geadresseerde|usu[áa]rio|endere[çc]o|адрес|пользовател\w|ящик)"
)

# In order: the first that matches wins, so that "full" or "rate" saves an address and "unknown" comes last.
_WORDS: tuple[tuple[Said, re.Pattern[str]], ...] = tuple(
    (said, re.compile("|".join(phrases), re.IGNORECASE))
    for said, phrases in (
        (
            Said.FULL,
            (
                r"box(?: is)? (?:over)?full", "full mailbox", r"\bquota\b", "overquota", r"\bis full\b",
                "mailbox .{0,30}exceed", "(?:insufficient|out of|not enough|no)(?: system| disk)? (?:storage|space)",
            ),
        ),
        (
            Said.RATE,
            (
                r"\brates?\b", "rate-?limit", "too (?:many|much|fast|frequent)", "throttl", "gr[ae]y-?list",
                r"(?:try|retry)(?: again)? (?:later|in\b)", "temporar", "slow down",
                r"\blimit (?:is )?(?:exceeded|reached)", r"exceed\w* .{0,30}\blimit",
            ),
        ),
        (
            Said.OURS,
            (
                # "unknown in relay recipient table" is Postfix on a dead address
                r"relay(?!\w* (?:recipient|domain))", "authenticat", "auth required",
                r"\bsender\b.{0,40}(?:reject|denied|block|verif|not allowed)", r"\bsender\b.{0,60}(?:exist|resolve)",
                "block ?-?list", "black ?-?list", "deny ?-?list", "spamhaus", "spamcop", r"\brbl\b", "dnsbl",
                "reputation",
                r"\b(?:spf|dkim|dmarc)\b", "reverse dns", r"\bptr\b",
                r"\byour (?:ip|host|server|network|domain|account)\b",
                "not (?:authori[sz]ed|permitted|allowed) to (?:send|relay)",
                r"\bsending (?:ip|host|server|domain|address)", r"client (?:host|ip)\b", r"\b(?:helo|ehlo)\b",
                "reverse (?:host|lookup)", "from this ip", "banned sender",
            ),
        ),
        (
            Said.BLOCKED,
            (
                r"\bblock(?:ed|ing|s)?\b", r"\bban(?:ned)?\b", r"\bspam\b", "recipient (?:preference|polic|filter)",
                "refused by (?:the )?recipient", "access denied", "restricted",
                r"not accept\w* (?:mail|messages?) from",
            ),
        ),
        (
            Said.CLOSED,
            (
                f"{_WHO} .{{0,40}}(?:disabled|deactivated|suspended|inactive|closed|frozen|locked)",
                "(?:disabled|deactivated|suspended|inactive) (?:account|mailbox|user|recipient)",
            ),
        ),
        (
            Said.NOWHERE,
            (
                "(?:no such|unknown|invalid|illegal|non-?existent|unrecogni[sz]ed|bad)"
                " (?:destination )?(?:host|domain)",
                f"{_HOST} (?:is |was |could |does |name )?(?:unknown|not (?:be )?(?:found|known|exist|reachable)"
                "|invalid|non-?existent|n[o']t exist|(?:doesn|don|didn)'?t exist)",
                "nxdomain", "null mx", r"no (?:valid )?mx\b", "unroutea?ble (?:address|mail domain)",
                r"(?:host|domain)\b[^.;]{0,40}(?:does not|doesn't) (?:accept|receive) e?-?mail",
                "all relevant mx records point to non-existent",
            ),
        ),
        (
            Said.DEAD,
            (
                "(?:no such|unknown|invalid|non-?existent|unrecogni[sz]ed) (?:local[ -]?)?"
                f"(?:part|person|subscriber|customer|{_WHO})",
                rf"{_WHO}\W.{{0,40}}(?:unknown|not (?:found|known|exist|listed|registered|recogni[sz]ed"
                "|(?:be )?located)|invalid|n[o']t be found)",
                "(?:does ?n[o']t|does not|do not|did not) exist", "(?:does ?n[o']t|does not) have .{0,30}account",
                "no (?:mailbox|one|body) (?:here )?by that name", "not our (?:user|customer)", "user .{0,30}has moved",
                "no longer (?:active|available|in use|valid|works here|exists|employed"
                "|on (?:the |this )?server|with (?:us|the company))",
                r"(?<!sender )address rejected\.?(?:\s|$)",
                f"is not a (?:known|valid|registered) {_WHO}",
                rf"{_WHO_ELSEWHERE}\W.{{0,40}}(?:unbekannt|existiert nicht|ung[üu]ltig|inconnue?|n'existe pas|invalide"
                "|no existe|desconocid|inv[áa]lid|sconosciut|inesistente|non esiste|onbekend|bestaat niet"
                "|n[ãa]o existe|не существует|не найден)",
                "(?:user|ユーザー?|アドレス|用户|收件人|地址).{0,20}(?:存在しません|見つかりません|不存在)",
            ),
        ),
    )
)  # fmt: skip
_NO_ACCOUNT = re.compile(r"(?:does ?n[o']t|does not) have .{0,30}account", re.IGNORECASE)  # no filter goes so far
_GONE = frozenset({Said.CLOSED, Said.NOWHERE, Said.DEAD, None})  # a status that says dead needs no words
_ADDRESS = re.compile(r"\S{0,64}@\S*")
_STATUS = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s+|$)")
_JUDGED_MAX = 4_000  # characters of a text whose words are looked at
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


def words(text: str) -> Said | None:
    """What a refusal's *text* speaks of. Addresses are left out of it: blocked@ and fuller@ are people."""
    plain = _ADDRESS.sub(" ", text[:_JUDGED_MAX].replace("’", "'"))
    return next((said for said, pattern in _WORDS if pattern.search(plain)), None)


def dead(reply: Reply, phase: Phase | None = None, *, named: bool = False) -> bool:
    """Whether a notice of a final failure says that the address is dead: the enhanced status first, then the words.

    *phase* is where the refusal came, as far as the notice tells; *named*: it names the address. Who took the
    recipient and calls them unknown only when the letter was there knows them: so filters speak that some readers set
    up for themselves. The same may be behind a bare "user unknown" of a server of which nothing else is told.
    """
    status, said = reply.status, words(reply.text)
    if (status and not permanent(reply)) or (status in OURS and (status != "5.7.27" or said is not Said.NOWHERE)):
        return False
    if status in DEAD:
        return said in _GONE
    if said is Said.NOWHERE:
        return True
    no_account = bool(_NO_ACCOUNT.search(reply.text))
    if said is not Said.DEAD or (phase in (Phase.DATA, Phase.DOT) and not no_account):
        return False
    if status == "5.2.1":  # RFC 3463: the mailbox is there, and disabled; unknown at RCPT says otherwise
        return phase is Phase.RCPT
    sure = phase is Phase.RCPT or (phase is None and named) or status == "5.1.0" or no_account
    return sure and (not status or status.endswith(".0"))
