"""The catalogue: what the sequence knows of every post, and what a change in the folder does to it.

`survey` compares what was known with what lies in the folder now and says, for each post, where it
*stands*: deliverable (`LIVE`), in the way (`BLOCKS`: readers who come to it wait) or passed over
(`ABSENT`). Everything a change does to readers follows from that and from `Survey.past`.

Guarantees
    Pure: the same entries, folder and instant give the same survey. A post that was never live blocks
    nobody (a pair in conflict does: nobody can say which of the two comes next). Identity is `id`, so
    a renamed or renumbered file is the same post.

The rules and their words are in docs/sequence.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, tzinfo
from enum import StrEnum

from newsletter.config import Identity, Missing, Mode, Rules
from newsletter.posts import Fault, Folder, Post, PostStatus
from newsletter.sequence import next_slot


class Standing(StrEnum):
    """Where a post stands in the sequence."""

    LIVE = "live"  #: deliverable
    BLOCKS = "blocks"  #: readers who come to it wait
    ABSENT = "absent"  #: passed over


@dataclass(frozen=True, slots=True)
class Entry:
    """One post as the catalogue remembers it. Instants are aware, UTC."""

    ident: str  #: the post's id
    number: int
    file: str  #: name below posts/
    title: str
    digest: str = ""  #: of the file when it was last usable
    status: str = ""  #: "draft", "live", "retracted", "missing", "conflict"
    standing: Standing = Standing.ABSENT
    reason: str = ""  #: why it blocks, as a sentence for the owner
    late: bool = False  #: catch_up: late
    tags: frozenset[str] = frozenset()  #: the audience; empty = everyone
    publish_at: datetime | None = None  #: as declared
    release_at: datetime | None = None  #: as it counts (broadcast, hybrid): never in the past when first seen
    present_from: datetime | None = None  #: slots from here on count
    live_since: datetime | None = None  #: first seen live; None = never was
    off_since: datetime | None = None  #: since when a once live post is a draft or gone
    frozen_at: datetime | None = None  #: a broadcast whose audience is settled
    changed_at: datetime | None = None  #: its text, number or status last did
    delivered: bool = False  #: somebody got it
    key: int | None = None  #: row in the store


@dataclass(frozen=True, slots=True)
class Survey:
    """What a look into the folder came to."""

    entries: tuple[Entry, ...]
    notes: tuple[str, ...]  #: for the owner
    past: frozenset[str] = field(
        default_factory=frozenset
    )  #: ids newly placed: readers beyond them are recorded as past
    retracted: frozenset[str] = field(default_factory=frozenset)  #: ids whose unsent rows are withdrawn


def survey(
    known: Iterable[Entry], folder: Folder, *, at: datetime, previous: datetime | None, rules: Rules, identity: Identity
) -> Survey:
    """Compare the catalogue with the folder at *at*; *previous* is the tick before (None: there was none)."""
    return _Surveyor({e.ident: e for e in known}, folder, at, previous, rules, identity).run()


@dataclass(slots=True)
class _Surveyor:
    known: dict[str, Entry]
    folder: Folder
    at: datetime
    previous: datetime | None
    rules: Rules
    identity: Identity
    notes: list[str] = field(default_factory=list)

    def run(self) -> Survey:
        posts = {p.id: p for p in self.folder.posts}
        self.notes.extend(str(f) for f in self.folder.faults)
        if not posts and not self.folder.held and any(e.live_since for e in self.known.values()):
            self.notes.append(
                "posts/ holds no usable post any more; put the files back. Until then nothing is planned."
            )
        found = [self._present(p) for p in posts.values()]
        held = sorted(self.folder.held, key=lambda p: p.number, reverse=True)
        found += [
            self._conflicting(p) for p in {p.id: p for p in held}.values()
        ]  # of two with one id, the lower number
        here = {e.ident for e in found}
        gone = [self._gone(e) for e in self.known.values() if e.ident not in here]
        entries = [self._stamped(e) for e in self._renames([*found, *gone])]
        self.notes.extend(e.reason for e in entries if e.reason and e.status != "conflict")
        return Survey(
            tuple(sorted(entries, key=lambda e: (e.number, e.ident))),
            tuple(dict.fromkeys(self.notes)),
            frozenset(e.ident for e in entries if e.standing is Standing.LIVE and self._newly_placed(e)),
            frozenset(e.ident for e in entries if e.status == "retracted" and self._was(e) != "retracted"),
        )

    def _stamped(self, entry: Entry) -> Entry:
        old = self.known.get(entry.ident)
        if old and (old.digest, old.number, old.status) == (entry.digest, entry.number, entry.status):
            return entry
        return replace(entry, changed_at=self.at)

    def _was(self, entry: Entry) -> str:
        return self.known[entry.ident].status if entry.ident in self.known else ""

    def _newly_placed(self, entry: Entry) -> bool:
        old = self.known.get(entry.ident)
        return old is None or old.live_since is None or old.number != entry.number or old.standing is Standing.ABSENT

    def _base(self, post: Post) -> Entry:
        """What the file says, on top of what was known."""
        old = self.known.get(post.id) or Entry(post.id, post.number, post.path.name, post.title)
        return replace(
            old, number=post.number, file=post.path.name, title=post.title, digest=post.digest, late=post.late,
            tags=post.tags, reason="",
        )  # fmt: skip

    def _present(self, post: Post) -> Entry:
        entry, old = self._base(post), self.known.get(post.id)
        if old and old.status == "retracted":
            if post.status is not PostStatus.RETRACTED:
                entry = replace(
                    entry,
                    reason=f"posts/{entry.file} was retracted, and that is final; a new id publishes it again.",
                )
            return replace(entry, standing=Standing.ABSENT)
        if post.status is PostStatus.RETRACTED:
            return replace(entry, status="retracted", standing=Standing.ABSENT)
        if post.status is PostStatus.DRAFT:
            return self._waiting(replace(entry, status="draft"), f"posts/{entry.file} was live and is a draft now")
        return self._live(entry, post)

    def _live(self, entry: Entry, post: Post) -> Entry:
        old = self.known.get(post.id)
        # Whoever becomes due only by what the owner just wrote waits for a slot that is still to come. A file that
        # was broken or away meanwhile is not new: who waited for it gets it as after a missed run.
        mended = old is not None and old.live_since is not None and old.status in ("missing", "conflict")
        fresh = (
            old is None
            or not (mended or old.standing is Standing.LIVE)
            or old.publish_at != post.publish_at
            or post.late > old.late
        )
        entry = replace(
            entry, status="live", standing=Standing.LIVE, off_since=None,
            live_since=entry.live_since or self.at,
            present_from=(self._since if fresh else entry.present_from),
        )  # fmt: skip
        return self._released(entry, post.publish_at)

    @property
    def _since(self) -> datetime | None:
        """Slots from here on count for what is new; one in the very instant of the tick before was served by it."""
        return self.previous + timedelta.resolution if self.previous else None

    def _released(self, entry: Entry, declared: datetime | None) -> Entry:
        """Fix the instant that counts as publication: a date moved into the past never goes out at once."""
        old = self.known.get(entry.ident)
        known = old is not None and old.live_since is not None and old.publish_at == declared
        release = entry.release_at if known else declared
        if self.rules.mode is Mode.SEQUENCE:
            return replace(entry, publish_at=declared, release_at=declared)
        news = self.rules.mode is Mode.BROADCAST
        if news and entry.frozen_at is not None and entry.delivered:
            return replace(entry, publish_at=declared)  # it went out: a corrected date makes no new audience
        frozen = entry.frozen_at if known else None
        if declared is None:
            release = None
        elif not known and self.previous is None and news and declared < self.at:
            frozen = self.at  # the first look at a folder with a past: news that went before there was a list
        elif not known and self.previous is not None and self.at - self.rules.max_lateness <= declared < self.previous:
            release = next_slot(self.at, self.identity.timezone, self.rules)
        entry = replace(entry, publish_at=declared, release_at=release, frozen_at=frozen)
        return self._broadcast(entry) if news else entry

    def _broadcast(self, entry: Entry) -> Entry:
        if entry.frozen_at is not None:
            return entry
        if entry.release_at is None:
            why = f"posts/{entry.file} has no publish_at, so it is held: in broadcast mode a post needs one."
            return replace(entry, standing=Standing.ABSENT, reason=why)
        if entry.release_at < self.at - self.rules.max_lateness:
            why = (
                f"posts/{entry.file} was to go out on {entry.release_at:%-d %B %Y}, which is too long ago, so it is"
                " held: "
                f"set a new publish_at, or run `newsletter resend {entry.number} --missing`."
            )
            return replace(entry, standing=Standing.ABSENT, reason=why)
        return entry

    def _conflicting(self, post: Post) -> Entry:
        """One of two files that claim the same number or id: nobody passes until that is settled.

        A post that readers know keeps its number meanwhile: theirs is looked up by it.
        """
        old = self.known.get(post.id)
        entry = old if old is not None and old.live_since is not None else self._base(post)
        return replace(entry, status="conflict", standing=Standing.BLOCKS, reason="in conflict with another file")

    def _gone(self, entry: Entry) -> Entry:
        """A known post without a usable file."""
        if entry.status == "retracted":
            return replace(entry, standing=Standing.ABSENT, reason="")
        if entry.live_since is None:
            return replace(entry, status="missing", standing=Standing.ABSENT, reason="")
        fault = next((f for f in self.folder.faults if self._is_about(f, entry)), None)
        if fault is None and not any(e.delivered for e in self.known.values()):
            # Nobody ever got anything: she tidies up, and the samples that came with the project go.
            return replace(entry, status="missing", standing=Standing.ABSENT, reason="", live_since=None)
        if self.rules.on_missing is Missing.SKIP:
            return replace(
                entry, status="missing", standing=Standing.ABSENT, reason="", off_since=entry.off_since or self.at
            )
        state = "can't be used" if fault else "is gone"
        why = (
            f"posts/{entry.file} was live and {state}: readers who come to #{entry.number} wait. "
            "Put it right, or keep the file with `status: retracted` to pass it over."
        )
        return replace(
            entry, status="missing", standing=Standing.BLOCKS, reason=why, off_since=entry.off_since or self.at
        )

    @staticmethod
    def _is_about(fault: Fault, entry: Entry) -> bool:
        return fault.path.name == entry.file or fault.id == entry.ident

    def _waiting(self, entry: Entry, what: str) -> Entry:
        """A once live post that is a draft: readers wait for `hold_for`, then pass it over."""
        if entry.live_since is None:
            return replace(entry, standing=Standing.ABSENT)
        since = entry.off_since if self._was(entry) == "draft" and entry.off_since else self.at
        entry = replace(entry, off_since=since)
        until = since + self.rules.hold_for
        if self.at >= until:
            return replace(entry, standing=Standing.ABSENT)
        zone = self.identity.timezone
        day = f"{until.astimezone(zone):%-d %B}"
        why = f"{what}: readers who come to #{entry.number} wait until {day}, then pass it over."
        return replace(entry, standing=Standing.BLOCKS, reason=why)

    def _renames(self, entries: Sequence[Entry]) -> list[Entry]:
        """Hold a delivered post that vanished and the newcomer that looks like it.

        One that nobody has had yet is simply the newcomer under an earlier name.
        """
        named = {p.id for p in self.folder.posts if p.explicit_id}
        result = {e.ident: e for e in entries}
        for old in entries:
            if old.status != "missing" or old.live_since is None:
                continue
            for new in entries:
                strange = new.ident not in self.known or self._was(new) == "suspect"
                same_file = new.file == old.file  # an id in it says no longer that it is meant
                if new.status != "live" or not strange or (new.ident in named and not same_file):
                    continue
                if new.number == old.number or new.digest == old.digest:
                    if not old.delivered:
                        result[old.ident] = replace(
                            old, standing=Standing.ABSENT, live_since=None, off_since=None, reason=""
                        )
                        continue
                    why = _changed_id(old, new) if same_file else _renamed(old, new)
                    held = replace(new, status="suspect", standing=Standing.BLOCKS, live_since=None, reason=why)
                    result[new.ident] = held
                    result[old.ident] = replace(old, standing=Standing.BLOCKS, reason=why)
        return list(result.values())


def _renamed(old: Entry, new: Entry) -> str:
    return (
        f"posts/{new.file} looks like a rename of posts/{old.file}; both are held. If it is the same post, "
        f"write `id: {old.ident}` into its front matter; if it is another one, write `id: {new.ident}`."
    )


def _changed_id(old: Entry, new: Entry) -> str:
    return (
        f"posts/{new.file} had the id {old.ident} when readers got it, and has {new.ident} now; both are held. If it is"
        f" the same post, write `id: {old.ident}` again; if it is another one, give its file another name."
    )


def position_before(start: str | int | date, entries: Iterable[Entry], zone: tzinfo) -> int:
    """The number a new reader counts as having had, for the setting `start`; -1 = nothing. A date is one in *zone*."""
    live = [e for e in entries if e.standing is not Standing.ABSENT]
    if isinstance(start, int):
        return start - 1
    if start == "latest":
        return max((e.number for e in live), default=0) - 1
    if isinstance(start, date):
        earlier = [
            e.number
            for e in live
            if (w := e.publish_at or e.live_since) is not None and w.astimezone(zone).date() < start
        ]
        return max(earlier, default=-1)
    return -1
