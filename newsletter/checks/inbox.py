"""Rules about what an inbox and a locked telephone show: subject and preheader."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from newsletter.checks.finding import Finding, Part, error, note, warning
from newsletter.checks.reading import Reading
from newsletter.render import PREHEADER_LEAST, PREHEADER_MOST


def subject(reading: Reading) -> Iterator[Finding]:
    """A subject has words: an empty one looks like a mistake or like spam."""
    if not any(c.isalnum() for c in reading.post.subject):
        yield error(
            "subject",
            "The subject has no words.",
            "Write a subject: into the front matter, or a title with words.",
            line=reading.key_line("subject") or reading.key_line("title"),
            quote=reading.post.subject,
        )


def preheader(reading: Reading) -> Iterator[Finding]:
    """Inboxes show a line beside the subject; without one of yours it is the beginning of the letter."""
    given = reading.post.preheader
    line = reading.key_line("preheader")
    if not given:
        yield warning(
            "preheader",
            "There is no preheader, so inboxes show the first sentences of the post beside the subject.",
            f"Add a line preheader: with {PREHEADER_LEAST} to {PREHEADER_MOST} characters on what the letter says.",
            line=line or reading.key_line("title"),
            quote=reading.proof.rendered.preheader,
        )
    elif given.casefold() == reading.post.subject.casefold():
        yield warning(
            "preheader", "The preheader repeats the subject.", "Say something more in it.", line=line, quote=given
        )
    elif not PREHEADER_LEAST <= _length(given) <= PREHEADER_MOST:
        short = _length(given) < PREHEADER_LEAST
        yield note(
            "preheader",
            f"The preheader has {len(given)} character{'' if len(given) == 1 else 's'}; "
            + ("inboxes have room for more." if short else "inboxes cut it off."),
            f"{PREHEADER_LEAST} to {PREHEADER_MOST} characters are right, the most important words first.",
            line=line,
            quote=given,
        )


def _length(text: str) -> int:
    """Characters, a Chinese or Japanese one for two: it takes the room and says as much."""
    return len(text) + sum(c > "\u2e80" for c in text)


def lock_screen(reading: Reading) -> Iterator[Finding]:
    """A subject shows on a locked telephone, to whoever looks over a shoulder; it should not tell what a reader lives
    with."""
    found = _pattern(reading.context.lock_screen_words)
    if found is None:
        return
    shown = (("subject", reading.post.subject), ("preheader", reading.proof.rendered.preheader))
    for key, text in shown:
        if match := found.search(text):
            where = f"The {key}" if key == "subject" or reading.post.preheader else "The first sentence, as preheader,"
            yield warning(
                "lock-screen",
                f"{where} shows “{match[0]}” on the locked screen of every reader's telephone.",
                f"Say it in the letter, and choose a {key} that tells nothing about who gets it.",
                line=reading.key_line(key) or reading.key_line("title"),
                quote=text,
            )


@lru_cache(maxsize=8)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str] | None:
    """Any of *words*, a * at the end standing for any ending."""
    parts = [re.escape(word.rstrip("*")) + (r"\w*" if word.endswith("*") else "") for word in words if word.strip("*")]
    return re.compile(rf"(?<!\w)(?:{'|'.join(parts)})(?!\w)", re.IGNORECASE) if parts else None


def fake_reply(reading: Reading) -> Iterator[Finding]:
    """A mark of a reply or a forwarded mail in front of a letter that is neither."""
    if found := re.match(r"(?:re|fwd?|aw|wg|antw|tr|sv|vs|rv)\s*:", reading.post.subject, re.IGNORECASE):
        yield warning(
            "fake-reply",
            f"The subject begins with “{found[0]}” as if this were an answer, which readers and spam filters resent.",
            "Take it away.",
            Part.POST,
            line=reading.key_line("subject") or reading.key_line("title"),
            quote=reading.post.subject,
        )


RULES = {"subject": subject, "preheader": preheader, "lock-screen": lock_screen, "fake-reply": fake_reply}
