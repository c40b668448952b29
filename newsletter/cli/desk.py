"""The desk: a post as it can be looked at, made anew from the files whenever they have changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any

from newsletter import trial
from newsletter.checks import Context, check
from newsletter.cli.project import Project, looked_at, now
from newsletter.config import Config
from newsletter.config.settings import FILE_NAME
from newsletter.errors import ConfigError, NewsletterError
from newsletter.keys import SigningKey
from newsletter.mail import Address, Mailbox
from newsletter.posts import Post
from newsletter.preview import Outlook, Sheet, Someone, neighbours, outlook
from newsletter.proof import SAMPLE, Proof, pull
from newsletter.store import Store

_KEPT_MOST = 12  # sheets: what a person switches between
_STALE = timedelta(minutes=1)  # of what was said about days and hours
_CHOICES_MOST = 500  # readers offered in the list; any other address can be typed

Stamp = tuple[tuple[str, int, int], ...]


def sheet_of(project: Project, number: int, reader: str) -> Sheet:
    """Post *number* as *reader* ("" = the sample one) gets it. Raises `NewsletterError`."""
    post, config = project.post(number), project.config
    about = _about(project, post, reader) if reader else _About(SAMPLE, Outlook(""))
    keys: tuple[SigningKey, ...] = ()
    with suppress(ConfigError):  # the machine that letters are written on may lack the key of the one that sends them
        keys = project.keys
    proof = pull(post, config.identity, config.design, about.recipient, date=about.when.at or now(), keys=keys)
    findings = check(
        proof, context=Context.of(project.folder, config.checks.lock_screen_words, config.design.templates)
    )
    before, after = neighbours(project.folder.posts, number)
    chosen = str(about.recipient.address) if reader else ""
    return Sheet(proof, about.when, chosen, tuple(findings), before, after, held=about.held)


@dataclass(frozen=True, slots=True)
class _About:
    """What there is to say of one reader and a post."""

    recipient: Mailbox
    when: Outlook
    held: tuple[str, ...] = ()


def _about(project: Project, post: Post, address: str) -> _About:
    """The subscriber with *address*, and when they get *post*; what it takes to know that is undone."""
    at, config = now(), project.config
    with looked_at(project, at) as (store, tick):
        reader = store.audience.find(address)
        titles = {p.number: p.title for p in project.folder.posts}
        when = outlook(store, config.identity, config.rules, post, reader, titles, at=at)
    held = [*tick.stopped, *(why for number, why in tick.held.items() if number == post.number)]
    return _About(Mailbox(reader.name, reader.address), when, tuple(held))


def _choices(project: Project) -> tuple[Someone, ...]:
    with looked_at(project, now()) as (store, _):
        return tuple(Someone(str(r.address), r.name) for r in islice(store.audience.readers(), _CHOICES_MOST))


def _address(words: str, readers: Iterable[Someone]) -> str:
    """What was typed to choose a reader, as an address: a name serves when one alone has it."""
    named = [one.address for one in readers if words.casefold() in one.name.casefold()]
    return named[0] if words and "@" not in words and len(named) == 1 else words


def _letter_files(config: Config) -> Iterator[Path]:
    yield config.root / FILE_NAME
    for folder in filter(None, [config.posts, config.design.templates]):
        yield from folder.rglob("*")


def _reader_files(config: Config) -> Iterator[Path]:
    database = config.store_url.removeprefix("sqlite:///")
    yield from filter(None, [config.subscribers_file, Path(database), Path(f"{database}-wal")])


def stamp(paths: Iterable[Path]) -> Stamp:
    """What is different when any of *paths* has changed."""
    found = []
    for path in paths:
        with suppress(OSError):
            status = path.stat()
            found.append((str(path), status.st_mtime_ns, status.st_size))
    return tuple(sorted(found))


@dataclass
class Desk:
    """Sheets of one project, each kept until a file changes; and test messages."""

    config: Config  #: the last that could be read
    _lock: Lock = field(default_factory=Lock)  # one at a time: the second wants what the first just made
    _kept: dict[tuple[int, str], tuple[Stamp, datetime, Sheet]] = field(default_factory=dict)
    _readers: tuple[Stamp, tuple[Someone, ...]] | None = None

    def sheet(self, number: int, reader: str) -> Sheet:
        """Post *number* for *reader* from the files as they are now. Raises `NewsletterError`."""
        with self._lock:
            project = self._project()
            try:
                readers = self._choices(project)
                return replace(self._sheet(project, number, _address(reader, readers)), readers=readers)
            finally:
                project.close()

    def beside(self, number: int) -> tuple[Post | None, Post | None]:
        """The posts before and after *number*, whatever is the matter with that one."""
        with suppress(NewsletterError):  # the settings may be what is the matter
            project = self._project()
            try:
                return neighbours(project.folder.posts, number)
            finally:
                project.close()
        return None, None

    def test(self, number: int, reader: str, to: str) -> str:
        """Send a test message, and say what went out. Raises `NewsletterError`."""
        project = self._project()
        try:
            reader = _address(reader, self._choices(project))
            return send_test(project, number, reader, to).sentence
        finally:
            project.close()

    @property
    def provider(self) -> str:
        """What a test goes through."""
        return way_of(self.config)

    @property
    def owner(self) -> str:
        """Where answers go, so where the owner reads."""
        identity = self.config.identity
        return str((identity.reply_to or identity.sender).address)

    def _project(self) -> Project:
        project = Project.at(self.config.root)
        self.config = project.config
        return project

    def _sheet(self, project: Project, number: int, reader: str) -> Sheet:
        key, config = (number, reader), project.config
        # Taken first: what is saved meanwhile is seen the next time.
        seen = stamp([*_letter_files(config), *(_reader_files(config) if reader else ())])
        kept = self._kept.get(key)
        if kept and kept[0] == seen and now() - kept[1] < _STALE:
            return kept[2]
        sheet = sheet_of(project, number, reader)
        self._kept.pop(key, None)
        self._kept[key] = seen, now(), sheet
        while len(self._kept) > _KEPT_MOST:
            del self._kept[next(iter(self._kept))]
        return sheet

    def _choices(self, project: Project) -> tuple[Someone, ...]:
        seen = stamp(_reader_files(project.config))
        if self._readers is None or self._readers[0] != seen:
            self._readers = seen, _choices(project)
        return self._readers[1]


# --- test messages


def way_of(config: Config) -> str:
    """The configured provider in the owner's words."""
    if config.provider == "folder":
        return f"the folder {config.folder.path.name}"
    return f"{config.smtp.host}" if config.provider == "smtp" else config.provider


def proof_for(project: Project, number: int, reader: str, to: Address) -> Proof:
    """Post *number* as *reader* gets it, marked as a test, to the address *to*."""
    post, config = project.post(number), project.config
    recipient = _about(project, post, reader).recipient if reader else SAMPLE
    recipient = Mailbox(recipient.name, to)
    return pull(post, config.identity, config.design, recipient, date=now(), mark=trial.MARK, keys=project.keys)


@dataclass(frozen=True, slots=True)
class Sent:
    """A test message that left."""

    sentence: str
    facts: dict[str, Any]


def send_test(project: Project, number: int, reader: str, to: str) -> Sent:
    """Send post *number* as *reader* gets it to *to*. Raises `NewsletterError`."""
    proof, config = proof_for(project, number, reader, Address.parse(to)), project.config
    store = project.existing_store() or Store.in_memory()  # a test makes no database
    fate = trial.send(proof, store, project.provider, now=now)
    subject, recipient = str(proof.parsed["Subject"]), proof.recipient.address
    if config.provider == "folder":
        where = config.folder.path / "new" / fate.provider_id
        sentence = f"“{subject}” is in {where}; the provider is a folder, so nothing was sent."
    else:
        said = f" ({fate.reply})" if fate.reply else ""
        sentence = f"“{subject}” went to {recipient} through {way_of(config)}{said}."
    return Sent(
        sentence,
        {
            "post": number,
            "to": str(recipient),
            "as": reader or None,
            "subject": subject,
            "provider": config.provider,
            "message_id": str(proof.parsed["Message-ID"]).strip("<>"),
            "reply": fate.reply or None,
        },
    )
