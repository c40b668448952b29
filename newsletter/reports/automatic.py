"""Whether a person or a machine wrote, and what either wants. Pure.

In doubt it was a person, and nothing is done: a bounce that is missed costs a message, a letter of hers that is taken
for a bounce or for a wish to leave costs a reader.

Sources: RFC 3834 (automatic responses), RFC 5321 section 4.5.5 (the null reverse path), RFC 8098 (receipts).
"""

from __future__ import annotations

import re

from newsletter.reports import phrases
from newsletter.reports.opened import Opened
from newsletter.reports.status import addresses, reply
from newsletter.wording import words

_LOOKED_AT = 4_000  # characters of a letter in which it has said what it wants
_TOKEN_SUBJECT = re.compile(r"unsubscribe\s+([A-Za-z0-9_-]{44})", re.IGNORECASE)
_QUOTES = re.compile(r"(?:wrote|schrieb|a écrit)\s*:$", re.IGNORECASE)
_REQUEST_WORDS = 20
_REQUEST_LINES = 60
_AUTOMATIC_FIELDS = (
    "x-autoreply",
    "x-autorespond",
    "x-auto-response-suppress",
    "x-autoreply-from",
    "x-mail-autoreply",
)


def from_a_daemon(opened: Opened) -> bool:
    """Whether a mail system wrote: by its name, or because nobody is to answer."""
    return opened.mail.get("return-path").strip() == "<>" or _named_as_one(opened)


def _named_as_one(opened: Opened) -> bool:
    who = opened.mail.words("from")
    return not who.strip(" <>") or bool(phrases.DAEMON.search(who))


def tells_failure(opened: Opened) -> bool:
    """Whether it is a failure notice in words."""
    if opened.mail.get("x-failed-recipients"):
        return True
    # Who answers in a person's place has a null reverse path too (RFC 3834 section 3.3), and the person's name.
    subject, daemon = opened.subject, _named_as_one(opened)
    named = bool(phrases.FAILURE.search(subject))
    if (phrases.AWAY.search(subject) and not named) or (phrases.ANSWER.match(subject) and not daemon):
        return False
    if opened.mail.report == "delivery-status":
        return True
    text = opened.words[:_LOOKED_AT]
    told = bool(phrases.FAILURE.search(text) or phrases.DELAY.search(text))
    if daemon:
        return named or told or bool(opened.returned) or gives_a_reason(text)
    # A person writes of failures too, and quotes a letter with From, To and Subject; no person has its Received.
    whole = any(name in ("received", "message-id") for name, _ in opened.returned)
    if _is_automatic(opened) or from_a_daemon(opened):
        return (named and told) or (whole and (named or told or gives_a_reason(text)))
    return named and told and whole


def gives_a_reason(text: str) -> bool:
    """Whether *text* says why something did not arrive: in a server's codes, or in words that it would use."""
    said = reply(text)
    return bool(said.code or said.status or words(text))


def tells_delay(opened: Opened) -> bool:
    """Whether a notice in words says that somebody still tries."""
    text = f"{opened.subject}\n{opened.words[:_LOOKED_AT]}"
    return bool(phrases.DELAY.search(text)) and not phrases.GAVE_UP.search(text)


def answers_by_itself(opened: Opened) -> bool:
    """Whether a machine answered in its owner's place."""
    return (
        _is_automatic(opened)
        or bool(phrases.AWAY.search(opened.subject) and not phrases.ANSWER.match(opened.subject))
        or opened.mail.report == "disposition-notification"
        or (from_a_daemon(opened) and not _named_as_one(opened))
    )


def challenges(opened: Opened) -> bool:
    """Whether a machine wants the sender to prove that they are a person."""
    if phrases.CHALLENGE.search(opened.subject) and not phrases.ANSWER.match(opened.subject):
        return True
    return answers_by_itself(opened) and bool(phrases.CHALLENGE.search(opened.words[:_LOOKED_AT]))


def _is_automatic(opened: Opened) -> bool:
    mail = opened.mail
    submitted = mail.get("auto-submitted").strip().lower()
    if submitted and not submitted.startswith("no"):  # RFC 3834 section 5: "no" is a person
        return True
    return bool(mail.all(*_AUTOMATIC_FIELDS)) or mail.get("precedence").strip().lower() in ("auto_reply", "auto-reply")


# --- requests to leave


def token_of(opened: Opened) -> str:
    """The token of a request to leave, as the mailto link writes it; "" for anything else."""
    found = _TOKEN_SUBJECT.fullmatch(opened.subject.strip())
    return found[1] if found else ""


def wants_to_leave(opened: Opened, unsubscribe: str) -> bool:
    """Whether its sender clearly asks to be left out, and wrote to where such requests go."""
    if not unsubscribe or not opened.sender or from_a_daemon(opened) or answers_by_itself(opened):
        return False
    if unsubscribe not in {address.lower() for address in opened.arrived_at}:
        return False
    return asks_to_leave(opened.subject) or asks_to_leave(_own_words(opened.words))


def asks_to_leave(text: str) -> bool:
    """Whether *text* asks to be left out and says nothing else."""
    text = text[:_LOOKED_AT]
    for _, address in addresses(text):
        text = text.replace(address, " ")
    text = " ".join(re.sub(r"[^\w'?-]", " ", text).lower().split())
    if text in phrases.LEAVE_ALONE:
        return True
    if len(text.split()) > _REQUEST_WORDS:
        return False
    rest, count = phrases.LEAVE.subn(" ", text)
    return count > 0 and all(word.strip("-'") in phrases.POLITE | {""} for word in rest.split())


def _own_words(words: str) -> str:
    """What somebody wrote, without what they quote and without their signature."""
    own: list[str] = []
    for line in words.split("\n")[:_REQUEST_LINES]:
        bare = line.strip()
        if bare == "--" or bare.startswith(("-----Original", "________")) or _QUOTES.search(bare):
            break
        if not bare.startswith(">"):
            own.append(bare)
    return " ".join(own)
