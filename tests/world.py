"""A small newsletter for tests: a folder of posts, readers, a clock, and a provider that remembers.

The provider is a fake that knows nothing of the ledger: what a test asks it (`World.got`) is what arrived.
Everything else is real: files are written and read, the store is a database, messages are composed.
Only the look of a post is left out (`PlainPress`), because rendering costs a hundred times the rest.
"""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from newsletter import consent
from newsletter.compose import MessageTemplate, compile_template
from newsletter.config import Alerts, Config, Identity, Limits, Mode, OnUncertain, Rules
from newsletter.errors import NewsletterError
from newsletter.incoming import Open
from newsletter.intake import fingerprint, floor, take_in
from newsletter.mail import About, Accepted, Address, Deferred, Mailbox, Message, Outcome, Rejected, Reply, Uncertain
from newsletter.posts import Post
from newsletter.press import Press
from newsletter.render import Rendered
from newsletter.scheduler import Tick, tick
from newsletter.store import Store
from newsletter.store.accounts import Record
from newsletter.store.attempts import Begun, Claim
from newsletter.store.audience import Reader
from newsletter.store.facts import HoldKind
from newsletter.store.forecast import Expected, forecast
from newsletter.subscribers import Row

SECRET = b"a key for tests, thirty-two bytes"
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
ANA, BO, CY = "ana@example.org", "bo@example.org", "cy@example.org"
OWNER = "maya@example.org"
MONDAY, TUESDAY, FRIDAY, SUNDAY = 0, 1, 4, 6
#: Mail servers' answers, as `provider.answers[address]` takes them
GREYLISTED = Deferred(Reply(451, "4.7.1", "try again later"))
NO_SUCH_USER = Rejected(Reply(550, "5.1.1", "no such user"), About.ADDRESS)
DEAD = replace(NO_SUCH_USER, suppress=True)
SPAM = Rejected(Reply(554, "5.7.1", "looks like spam"), About.MESSAGE)
BLOCKED = Rejected(Reply(554, "5.7.1", "your server is on a list"), About.US)
LOST = Uncertain("the line went dead after the final dot")


@dataclass(frozen=True)
class Letter:
    """One message that arrived."""

    address: str
    number: int  #: of the post, as its subject had it
    at: datetime
    message_id: str
    subject: str
    text: str
    data: bytes = field(repr=False)


class FakeProvider:
    """Accepts everything, except what *answers* says otherwise about an address, attempt by attempt.

    An answer that is an exception is raised in place of the outcome: nothing of that message was taken.
    A message whose answer is `Uncertain` arrives only when its address is in *arrives*.
    """

    def __init__(self, world: World, *, window: int = 50) -> None:
        self.name, self.window = "fake", window
        self.answers: defaultdict[str, list[Outcome | Exception]] = defaultdict(list)
        self.always: dict[str, Outcome] = {}  #: by address, or "*" for everybody
        self.away: Exception | None = None  #: raised before anything is taken
        self.arrives: set[str] = set()
        self.box: list[Letter] = []
        self.alerts: list[str] = []  #: what the owner was told by mail
        self.attempts: list[tuple[str, datetime]] = []
        self.before: dict[str, Any] = {}  #: called when a message to the address is pulled
        self._world = world

    def submit(self, messages: Iterable[Message]) -> Iterator[tuple[Message, Outcome]]:
        if self.away is not None:
            raise self.away
        for message in messages:
            address = str(message.envelope.recipient)
            self.attempts.append((address, self._world.now))
            answer = self.answers[address].pop(0) if self.answers[address] else None
            outcome = answer or self.always.get(address) or self.always.get("*") or Accepted()
            if isinstance(outcome, Exception):
                raise outcome
            if isinstance(outcome, Accepted) or (isinstance(outcome, Uncertain) and address in self.arrives):
                self._take(message, address)
            if address in self.before:
                self.before.pop(address)()
            yield message, outcome

    def _take(self, message: Message, address: str) -> None:
        parsed = message_from_bytes(message.data, policy=policy.default)
        subject = str(parsed["Subject"])
        assert parsed["To"].endswith(f"{address}>") or parsed["To"] == address
        plain = next(p for p in parsed.walk() if p.get_content_type() == "text/plain")
        text = plain.get_payload(decode=True).decode()
        if address == OWNER:
            self.alerts.append(text)
            return
        number = int(re.match(r"No\. (\d+): ", subject)[1])
        self.box.append(Letter(address, number, self._world.now, message.message_id, subject, text, message.data))


class SearchableProvider(FakeProvider):
    """A provider that can be asked whether a message arrived, and knows unless it is *blind*."""

    blind = False

    def lookup(self, message_id: str, *, since: datetime) -> Accepted | Uncertain | None:
        assert since < self._world.now
        if self.blind:
            return Uncertain("the log does not reach so far")
        return next((Accepted(m.message_id) for m in self.box if m.message_id == message_id), None)


class PlainPress(Press):
    """A press that sets a post in plain type; a post whose body says "unprintable" can't be rendered."""

    unprintable: Collection[str] = frozenset()  #: addresses for which no message can be composed

    def revision(self, ident: str) -> str:
        if ident not in self._revisions:
            if ident not in self.posts:
                raise NewsletterError(f"the file of post {ident!r} is not usable now")
            template = _plain(self.posts[ident], self.identity)
            self._revisions[ident] = template.revision
            self._templates[template.revision] = template
        return self._revisions[ident]

    def print(self, claim: Claim, *, at: datetime) -> tuple[Begun, Message]:
        if str(claim.recipient.address) in self.unprintable:
            raise NewsletterError(f"{claim.recipient.address} can't be set in type")
        return super().print(claim, at=at)


_printed: dict[tuple[str, int, Identity], MessageTemplate] = {}
_printing = threading.Lock()


def _plain(post: Post, identity: Identity) -> MessageTemplate:
    if "unprintable" in post.body:
        raise NewsletterError(f"posts/{post.path.name}: the template has no such variable")
    key = (post.digest, post.number, identity)
    with _printing:
        if key not in _printed:
            body = f"Hello@@GREETING@@,\n\n{post.body}\n\n@@UNSUBSCRIBE_MAILTO@@\n"
            rendered = Rendered(f"No. {post.number}: {post.title}", "", f"<p>{body}</p>", body, "en", "ltr", ())
            _printed[key] = compile_template(rendered, identity, post_id=post.id)
        return _printed[key]


class World:
    """One project with its store, from 2 March 2026 (a Monday), 00:00 UTC, on."""

    def __init__(self, root: Path, store: Store, **rules: Any) -> None:
        self.root, self.store = root, store
        self.now = datetime(2026, 3, 2, tzinfo=UTC)
        identity = Identity("Letters", Mailbox("Maya", Address.parse("maya@letters.example.org")), "12 Birch Lane")
        self.config = Config(root, identity, Rules(**{"every": 1, **rules}), provider="fake")
        self.provider: FakeProvider = FakeProvider(self)
        self.sound = True  #: the accounts must balance at the end
        self.ticks: list[Tick] = []
        self.unprintable: set[str] = set()
        (root / "posts").mkdir()
        store.facts.go_live("fake", at=self.now)

    # The owner's side

    def rules(self, **changes: Any) -> None:
        """Edit [sequence]."""
        self.config = replace(self.config, rules=replace(self.config.rules, **changes))

    def zone(self, name: str) -> None:
        """Edit [newsletter] timezone."""
        self.config = replace(self.config, identity=replace(self.config.identity, timezone=ZoneInfo(name)))

    def alert_owner(self, **changes: Any) -> None:
        """Edit [alerts]: the owner is told by mail."""
        alerts = Alerts(to=Mailbox("", Address.parse(OWNER)), **changes)
        self.config = replace(self.config, alerts=alerts)

    def on_uncertain(self, value: OnUncertain) -> None:
        self.config = replace(self.config, on_uncertain=value)

    def post(self, number: int, slug: str = "", body: str = "Words.", *, title: str = "", **front: Any) -> Path:
        """Write posts/NNN-slug.md; further keys go into the front matter (`id` as `ident`)."""
        slug = slug or f"post-{number}"
        path = self.root / "posts" / f"{number:03d}-{slug}.md"
        if "ident" in front:
            front["id"] = front.pop("ident")
        lines = [f"title: {title or slug}", *(f"{key}: {value}" for key, value in front.items())]
        path.write_text("---\n" + "\n".join(lines) + f"\n---\n\n{body}\n", encoding="utf-8")
        return path

    def posts(self, *numbers: int) -> None:
        for number in numbers:
            self.post(number)

    def file(self, number: int) -> Path:
        (found,) = (self.root / "posts").glob(f"{number:03d}-*.md")
        return found

    def csv(self, *rows: str, header: str = "email,name,timezone,tags,had_through") -> None:
        """Write subscribers.csv and let the project follow it."""
        self.config = replace(self.config, subscribers_file=self.root / "subscribers.csv")
        (self.root / "subscribers.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")

    def join(
        self, *addresses: str, at_once: bool = False, had: int | None = None, zone: str = "", tags: str = ""
    ) -> None:
        """Add readers on the owner's word."""
        for address in addresses:
            words = frozenset(tags.split("|")) if tags else frozenset()
            row = Row(0, Address.parse(address), "", zone, words, None, had)
            start = floor(self.config, self.store)
            self.store.audience.add(row, floor=start, at_once=at_once, fingerprint=self.hash, at=self.now)

    def crowd(self, count: int, start: int = 0, *, confirmed: bool = True) -> list[str]:
        """Add many readers at one stroke; returns their addresses."""
        names = [f"r{n:05d}@example.org" for n in range(start, start + count)]
        rows = [Row(n, Address.parse(name)) for n, name in enumerate(names)]
        found = floor(self.config, self.store)
        self.store.audience.import_rows(rows, confirmed=confirmed, floor=found, fingerprint=self.hash, at=self.now)
        return names

    @staticmethod
    def hash(key: str) -> str:
        return fingerprint(SECRET)(key)

    def leave(self, address: str) -> None:
        consent.unsubscribe(self.store, address, at=self.now)

    def confirm(self, address: str) -> None:
        consent.confirm(self.store, address, at=self.now)

    def correct(self, old: str, new: str) -> None:
        consent.correct(self.store, old, new, fingerprint=self.hash, at=self.now)

    def pause(self, address: str | None = None) -> None:
        """One reader, or everything."""
        if address is None:
            self.store.facts.hold(HoldKind.OWNER, "paused by you", at=self.now)
        else:
            self.store.audience.pause(address)

    def resume(self, address: str | None = None) -> None:
        """One reader, or every hold."""
        if address is None:
            self.store.facts.lift({h.kind for h in self.store.facts.holds()}, at=self.now)
        else:
            self.store.audience.resume(address, at=self.now)

    def settle(self, address: str, number: int, verdict: str) -> None:
        (record,) = [r for r in self.history(address) if r.post == number and r.state in ("uncertain", "quarantined")]
        self.store.ledger.settle(record.id, accepted=verdict == "accepted", at=self.now, gap=self.config.rules.min_gap)

    def resend(self, number: int, which: str) -> int:
        """Plan copies, as `newsletter resend` does; returns how many."""
        folder = take_in(self.config, self.store, SECRET, at=self.now).folder
        press = self.press(folder.posts, self.config.identity, self.root, SECRET, self.store.ledger)
        entry = self.store.catalogue.entry(number)
        revision = press.revision(entry.ident) if entry.ident in press.posts else ""
        news = self.config.rules.mode is Mode.BROADCAST
        return self.store.ledger.copies(number, which, revision, gap=self.config.rules.min_gap, at=self.now, news=news)

    def press(self, *args: Any) -> PlainPress:
        made = PlainPress.of(*args)
        made.unprintable = self.unprintable
        return made

    @property
    def identity_address(self) -> str:
        """Where requests to leave are sent."""
        return str(self.config.identity.unsubscribe_address)

    # Time

    def tick(self, at: datetime | str | None = None, *, box: Open | None = None) -> Tick:
        """One tick, at *at* or now; *box* is the mailbox."""
        if at is not None:
            self.now = when(at)
        done = tick(
            self.config, self.store, self.provider, SECRET, now=lambda: self.now, jitter=lambda: 0.5, press=self.press,
            wait=self.pass_time, box=box,
        )  # fmt: skip
        self.ticks.append(done)
        return done

    def pass_time(self, span: timedelta) -> None:
        """What a run that waits does to the clock."""
        self.now += span

    def limits(self, **changes: Any) -> None:
        """Edit the limits of [delivery]."""
        self.config = replace(self.config, limits=Limits(**changes))

    def run(self, start: datetime | str, end: datetime | str, every: timedelta = DAY) -> None:
        """Ticks from *start* to before *end*."""
        at, end = when(start), when(end)
        while at < end:
            self.tick(at)
            at += every

    def forecast(self, days: int, *, reader: str | None = None) -> list[Expected]:
        """What `newsletter plan` says now; it changes nothing."""
        with self.store.rehearsal():
            take_in(self.config, self.store, SECRET, at=self.now)
            key = self.store.audience.find(reader).id if reader else None
            return forecast(self.store, self.config.identity, self.config.rules, at=self.now, days=days, reader=key)

    # What came of it

    def got(self, address: str) -> list[tuple[int, datetime]]:
        """What arrived: (number, instant)."""
        return [(m.number, m.at) for m in self.provider.box if m.address == address]

    def diary(self, address: str, zone: str = "UTC") -> list[str]:
        """What arrived, as ``#1 3 09:00``: post 1 on 3 March at nine, local time of *zone*."""
        return [f"#{number} {said(at, zone)}" for number, at in self.got(address)]

    def numbers(self, address: str) -> list[int]:
        return [number for number, _ in self.got(address)]

    def letters(self, address: str) -> list[Letter]:
        return [m for m in self.provider.box if m.address == address]

    def reader(self, address: str) -> Reader:
        return self.store.audience.find(address)

    def history(self, address: str) -> list[Record]:
        return self.store.accounts.history(self.reader(address))

    def states(self, address: str) -> list[tuple[int, str, str]]:
        """(number, state, reason) of every delivery, by number."""
        return sorted((r.post, r.state.value, r.reason) for r in self.history(address))

    @property
    def notes(self) -> str:
        """Everything the last tick told the owner."""
        return "\n".join(self.ticks[-1].notes + self.ticks[-1].stopped)

    def holds(self) -> set[HoldKind]:
        return {h.kind for h in self.store.facts.holds()}

    def check(self) -> None:
        """The accounts balance, and nobody got a message twice who should not have."""
        if self.sound:
            assert self.store.accounts.verify() == []


def when(text: datetime | str, zone: str = "UTC") -> datetime:
    """``3 09:00`` is 3 March 2026, 09:00; ``4-12 10:00`` is 12 April; local time of *zone*."""
    if isinstance(text, datetime):
        return text
    day, _, clock = text.partition(" ")
    month, _, day = day.rpartition("-")
    parts = [int(p) for p in (clock or "00:00").split(":")]
    local = datetime.combine(date(2026, int(month or 3), int(day)), time(*parts), ZoneInfo(zone))
    return local.astimezone(UTC)


def said(at: datetime, zone: str = "UTC") -> str:
    """The other way round; seconds are left out."""
    local = at.astimezone(ZoneInfo(zone))
    return f"{'' if local.month == 3 else f'{local.month}-'}{local:%-d %H:%M}"
