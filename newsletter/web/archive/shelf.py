"""The shelf: which posts are on the web.

A post is there once it could have reached a reader: a run has seen it live, its date or its first slot is past, and
nothing holds it. What the folder says *now* counts at once where it takes something away: a draft, a retraction.

Guarantees
    Looking changes nothing. The instants of a post are those that runs have written down, so that they are the same at
    every look. As long as nothing changes, each look gives the same object.

Price
    A look at 100 posts that did not change costs 3 ms; to write one out costs 5, to judge one that nobody got yet 100.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock
from zoneinfo import ZoneInfo

from newsletter.catalogue import Entry, Standing, Survey, survey
from newsletter.config import Config, Mode, Rules
from newsletter.errors import NewsletterError
from newsletter.held import held_posts, judging
from newsletter.posts import Folder, Post, read_folder
from newsletter.press import Press
from newsletter.render import InlineImage, WebPost, render_web
from newsletter.sequence import NEVER, next_slot
from newsletter.store import Store

_Text = tuple[str, str]  # a file's name and digest


@dataclass(frozen=True, slots=True)
class Letter:
    """One post on the web."""

    post: Post
    shown: WebPost = field(repr=False)
    published: datetime  #: its own date, else when it was first seen
    updated: datetime  #: when it last changed

    def is_for(self, tags: frozenset[str]) -> bool:
        """Whether somebody with *tags* would be sent it."""
        return not self.post.tags or bool(self.post.tags & tags)


@dataclass(frozen=True)
class Shelf:
    """What is there."""

    letters: tuple[Letter, ...]  #: by number
    retracted: Mapping[str, int]  #: id → number
    changed: datetime  #: when anything about it last did
    media: Mapping[str, InlineImage] = field(repr=False)  #: by what stands behind `HERE`
    broken: frozenset[str] = frozenset()  #: ids of posts whose file can't be read now: what they were, stays
    notes: tuple[str, ...] = ()  #: for the owner: what could not be shown

    def public(self) -> tuple[Letter, ...]:
        """Those for everybody: a post with tags is for some readers, and a visitor is none of them."""
        return tuple(letter for letter in self.letters if not letter.post.tags)


@dataclass(slots=True)
class Library:
    """Looks at one project's posts, again and again; from any thread."""

    config: Config
    store: Store
    _shelf: Shelf | None = None
    _key: object = None
    _files: tuple[object, object] = (None, None)
    _folder: Folder | None = None
    _written: dict[_Text, WebPost | str] = field(default_factory=dict)  # words: why it can't be
    _judged: dict[_Text, str] = field(default_factory=dict)  # why it would be held
    _lock: Lock = field(default_factory=Lock)

    def look(self, *, at: datetime) -> Shelf:
        """What is there at *at*."""
        with self._lock:
            return self._look(at)

    def _look(self, at: datetime) -> Shelf:
        config, facts = self.config, self.store.facts
        folder = self._read()
        known = {entry.ident: entry for entry in self.store.catalogue.entries()}
        found = survey(
            known.values(), folder, at=at, previous=facts.last_tick(), rules=config.rules, identity=config.identity
        )
        # What waits because the whole newsletter does, waits here too.
        until = min([at, *(hold.since for hold in facts.holds() if hold.stops_all)])
        held = {} if _on_trial(config) else held_posts(self.store, folder)
        out = [entry for entry in found.entries if self._is_out(entry, known, until) and entry.number not in held]
        retracted = {entry.ident: entry.number for entry in found.entries if entry.status == "retracted"}
        stamps = tuple((e.ident, known[e.ident].changed_at, e.delivered) for e in out)
        changed = max((e.changed_at or NEVER for e in known.values()), default=NEVER)
        key = (folder, self._files[1], stamps, tuple(retracted.items()), changed)
        if self._shelf is None or key != self._key:
            self._shelf, self._key = self._arranged(folder, found, out, known, retracted, changed, at), key
        return self._shelf

    def _read(self) -> Folder:
        """The folder; read again when a file in it is another one."""
        config, before = self.config, self._files
        texts, pictures = _stamps(config)
        if pictures != before[1]:  # any post may show one
            self._written.clear()
            self._judged.clear()
        if self._folder is None or texts != before[0]:
            self._folder = folder = read_folder(config.posts, zone=config.identity.timezone, at=config.rules.at)
            texts_now = {(post.path.name, post.digest) for post in folder.posts}
            self._written = {text: shown for text, shown in self._written.items() if text in texts_now}
            self._judged = {text: why for text, why in self._judged.items() if text in texts_now}
        self._files = texts, pictures
        return self._folder

    def _is_out(self, entry: Entry, known: Mapping[str, Entry], at: datetime) -> bool:
        old = known.get(entry.ident)
        if entry.standing is not Standing.LIVE or old is None or old.live_since is None:
            return False
        since = out_since(entry, self.config.rules, self.config.identity.timezone)
        return entry.delivered or (since is not None and since <= at)

    def _arranged(
        self,
        folder: Folder,
        found: Survey,
        out: Sequence[Entry],
        known: Mapping[str, Entry],
        retracted: Mapping[str, int],
        changed: datetime,
        at: datetime,
    ) -> Shelf:
        posts, press = {post.id: post for post in folder.posts}, self._press(folder, at)
        tried = [self._letter(posts[entry.ident], entry, known[entry.ident], press, at) for entry in out]
        letters = [each for each in tried if isinstance(each, Letter)]
        broken = _broken(found.entries, folder)
        letters += [letter for letter in (self._shelf.letters if self._shelf else ()) if letter.post.id in broken]
        letters.sort(key=lambda letter: letter.post.number)
        notes = [each for each in tried if isinstance(each, str)]
        notes += [f"{broken[ident]} Until then its page stays as it was." for ident in broken]
        # A page is another one when a letter comes out, though nothing of any of them changed then.
        outs = (out_since(entry, self.config.rules, self.config.identity.timezone) for entry in out)
        changed = max([changed, *(s for s in outs if s and s <= at), *(letter.updated for letter in letters)])
        media = {image.url.partition("/m/")[2]: image for letter in letters for image in letter.shown.media}
        return Shelf(tuple(letters), retracted, changed, media, frozenset(broken), tuple(notes))

    def _letter(self, post: Post, entry: Entry, first: Entry, press: Press, at: datetime) -> Letter | str:
        """The letter, or why there is none; *first* is the entry as a run wrote it down."""
        written = self._web_version(post)
        if isinstance(written, str):
            return written
        if held := self._why_held(post, entry, press):
            return held
        own = entry.publish_at if entry.publish_at and entry.publish_at <= at else None
        published = own or first.live_since or at
        return Letter(post, written, published, max(published, first.changed_at or published))

    def _press(self, folder: Folder, at: datetime) -> Press:
        """What says of a letter that nobody got yet whether it could leave."""
        config = self.config
        if _on_trial(config):
            url = f"https://{config.identity.sender.address.domain}"
            config = replace(config, identity=replace(config.identity, url=url))
        press = Press.of(folder.posts, config.identity, config.design, b"", self.store.ledger)
        press.judge = judging(config, folder, {}, at=at)
        return press

    def _web_version(self, post: Post) -> WebPost | str:
        text = (post.path.name, post.digest)
        if text not in self._written:
            try:
                self._written[text] = render_web(post, self.config.identity, self.config.design)
            except NewsletterError as error:
                self._written[text] = f"{error}. It is not on the web."
        return self._written[text]

    def _why_held(self, post: Post, entry: Entry, press: Press) -> str:
        """What would keep a post from leaving that nobody was sent yet."""
        if entry.delivered:
            return ""
        text = (post.path.name, post.digest)
        if text not in self._judged:
            try:
                press.revision(post.id)
                self._judged[text] = ""
            except NewsletterError as error:
                self._judged[text] = str(error)
        return self._judged[text]


def out_since(entry: Entry, rules: Rules, zone: ZoneInfo) -> datetime | None:
    """From when on a reader in *zone* who had come to a live post could get it; None = never, as rules are now."""
    if rules.mode is not Mode.SEQUENCE and entry.release_at is not None:
        return entry.release_at
    since = max(filter(None, (entry.present_from, entry.release_at)), default=None)
    # Without either it was there before there was a list.
    return NEVER if since is None else next_slot(since, zone, rules)


def _broken(entries: Iterable[Entry], folder: Folder) -> dict[str, str]:
    """Posts that were out and whose file can't be read, with what is wrong: a slip must not take a page away."""
    return {
        entry.ident: f"{fault}."
        for entry in entries
        if entry.status == "missing" and entry.live_since
        for fault in folder.faults
        if fault.path.name == entry.file or fault.id == entry.ident
    }


def _on_trial(config: Config) -> bool:
    """Whether the url is one of this computer alone: no letter leaves with it, but looking is what it is for."""
    return config.identity.url.startswith("http:")


def _stamps(config: Config) -> tuple[list[object], list[object]]:
    """Name, size and time of everything below posts/: the texts, and the rest."""
    texts: list[object] = []
    rest: list[object] = []
    for path in sorted(config.posts.rglob("*")):
        try:
            found = path.stat()
        except OSError:  # gone since, or a link that leads nowhere
            continue
        if stat.S_ISREG(found.st_mode):
            (texts if path.parent == config.posts else rest).append((str(path), found.st_size, found.st_mtime_ns))
    return texts, rest
