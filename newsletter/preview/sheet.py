"""Everything there is to see of one post for one reader, as a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.checks import Finding, Severity
from newsletter.posts import Post, PostStatus
from newsletter.preview.outlook import Outlook
from newsletter.proof import Proof

NEAR_CLIP = 90 * 1024  #: octets of HTML from which on it is said that Gmail is about to cut


@dataclass(frozen=True, slots=True)
class Someone:
    """A reader whom the page can be shown for."""

    address: str
    name: str


@dataclass(frozen=True)
class Sheet:
    """A post as it can be looked at."""

    proof: Proof
    when: Outlook
    reader: str = ""  #: the address of the chosen one, "" for the sample reader
    findings: tuple[Finding, ...] = ()
    before: Post | None = None  #: the neighbours by number
    after: Post | None = None
    readers: tuple[Someone, ...] = ()  #: whom to choose from
    held: tuple[str, ...] = ()  #: why nothing leaves at present, whatever is foreseen

    @property
    def kept_back(self) -> bool:
        """Whether the post would leave if nothing had been found in it."""
        return self.proof.post.status is PostStatus.LIVE and any(f.severity is Severity.ERROR for f in self.findings)

    @property
    def sentence(self) -> str:
        """When the reader gets the post, and whether what they got was another text."""
        earlier = self.when.revision is not None and self.when.revision != self.proof.revision
        return f"{self.when.sentence} What they got was an earlier text." if earlier else self.when.sentence


def neighbours(posts: Sequence[Post], number: int) -> tuple[Post | None, Post | None]:
    """The posts before and after *number* (which need not be there itself)."""
    before = max((p for p in posts if p.number < number), key=lambda p: p.number, default=None)
    after = min((p for p in posts if p.number > number), key=lambda p: p.number, default=None)
    return before, after


def kilobytes(octets: int) -> str:
    """*octets* as people say it."""
    return f"{max(1, round(octets / 1024)):,} KB"
