"""Questions to the DNS, as values: what may be asked, and what an answer is.

Guarantees
    An `Answer` is what the DNS says for certain, which may be "there is no such name"; everything else (silence, a
    server's failure, no network) is `Unanswered`. Nobody takes the one for the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Kind = Literal["A", "AAAA", "MX", "PTR", "TXT"]


@dataclass(frozen=True, slots=True)
class Answer:
    """The records of one kind at one name, aliases (CNAME) followed.

    A TXT is its strings joined. Names are in lower case without the last dot. An MX is "10 mx.example.org"; the null MX
    of RFC 7505 is "0 .".
    """

    records: tuple[str, ...] = ()
    exists: bool = True  #: False: there is no such name at all (NXDOMAIN)


class Unanswered(Exception):
    """Nobody knows: time ran out, a server failed, or there is no network."""

    def __init__(self, name: str, kind: Kind, why: str) -> None:
        self.name, self.kind, self.why = name, kind, why
        super().__init__(f"{name} ({kind}): {why}")


class Resolver(Protocol):
    """Asks the DNS."""

    def ask(self, name: str, kind: Kind) -> Answer:
        """The records of *kind* at *name*. Raises `Unanswered`."""
