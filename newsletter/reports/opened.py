"""One mail, opened: what a report says in fields, what in words, and what is left of the letter it speaks of. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from newsletter.reports.entity import Entity, Fields, fields_of
from newsletter.reports.prose import parted
from newsletter.reports.status import Group, addresses, groups, has_status

_RETURNED = frozenset({"message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers"})
_INNER_HEADER = 8_000  # octets in which its header ends
_STATUS = frozenset({"message/delivery-status", "message/global-delivery-status"})


@dataclass(frozen=True, slots=True)
class Opened:
    """A mail, taken apart."""

    mail: Entity
    words: str  #: what people read, without the letter that came back
    groups: tuple[Group, ...]  #: of a delivery status
    feedback: Fields  #: of an abuse report
    returned: Fields  #: the header of the letter that came back
    kinds: frozenset[str]  #: the media types of its parts
    inner: bytes  #: a letter that came back and is a report itself

    @classmethod
    def of(cls, data: bytes) -> Opened:
        """The mail in *data*, whatever it is."""
        mail = Entity.parse(data)
        words: list[str] = []
        pages: list[str] = []
        status: list[str] = []
        returned: Fields = ()
        feedback: Fields = ()
        kinds = set()
        inner = b""
        for part in mail.leaves():
            kinds.add(part.kind)
            if part.kind in _STATUS:
                status.append(part.text())
            elif part.kind == "message/feedback-report":
                feedback += fields_of(part.text())
            elif part.kind in _RETURNED:
                returned += fields_of(part.text())
                if b"report-type=delivery-status" in part.body[:_INNER_HEADER].lower():
                    inner = inner or part.octets()
            elif part.kind == "application/octet-stream" and has_status(text := part.text()):
                status.append(text)
            elif part.kind == "text/html":
                pages.append(part.text())
            elif part.kind.startswith(("text/", "message/", "multipart/")):
                letter = parted(part.text())
                words.append(letter.words)
                returned += letter.returned
        if not any("@" in text for text in words):
            for page in pages:
                letter = parted(page)
                words.append(letter.words)
                returned += letter.returned
        told = "\n".join(words)
        if not status and has_status(told):
            status.append(told)
        found = tuple(group for text in status for group in groups(text))
        return cls(mail, told, found, feedback, returned, frozenset(kinds), inner)

    @property
    def subject(self) -> str:
        """As people read it."""
        return " ".join(self.mail.words("subject").split())

    @property
    def arrived_at(self) -> list[str]:
        """The addresses at which it came in: the envelope's where somebody kept it, else the header's."""
        kept = self.mail.all(
            "delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-delivered-to", "to", "cc"
        )
        return [address for value in kept for _, address in addresses(value)]

    @property
    def sender(self) -> str:
        """The one address in From, in lower case; "" where there is none or several."""
        found = [address for _, address in addresses(self.mail.words("from"))]
        # A name may look like an address too; the one in angle brackets counts, and that is the last.
        return found[-1].lower() if found else ""

    @property
    def ours(self) -> set[str]:
        """Addresses that belong to the sender of the letter, or to who reports; lower case."""
        names = ("from", "reply-to", "return-path", "sender", "errors-to", "x-envelope-from")
        values = self.mail.all(*names, "delivered-to", "x-original-to", "to", "envelope-to")
        values += [value for name, value in self.returned if name in names]
        return {address.lower() for value in values for _, address in addresses(value)}

    @property
    def written_to(self) -> list[str]:
        """Whom the letter that came back was for."""
        names = ("to", "cc", "x-original-to", "delivered-to", "x-failed-recipients", "envelope-to")
        return [address for name, value in self.returned if name in names for _, address in addresses(value)]
