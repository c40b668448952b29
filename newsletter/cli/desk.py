"""The desk: a post as it can be looked at, made anew from the files whenever they have changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any

from newsletter import trial
from newsletter.checks import Context, check
from newsletter.cli.project import Project, looked_at, now
from newsletter.config import Config
from newsletter.config.settings import FILE_NAME
from newsletter.mail import Address, Mailbox
from newsletter.preview import Outlook, Sheet, Someone, neighbours, outlook
from newsletter.proof import SAMPLE, Proof, pull

_KEPT_MOST = 12  # sheets: what a person switches between
_STALE = timedelta(minutes=1)  # of what was said about days and hours
_CHOICES_MOST = 500  # readers offered in the list; any other address can be typed

Stamp = tuple[tuple[str, int, int], ...]


def sheet_of(project: Project, number: int, reader: str, *, choices: bool = False) -> Sheet:
    """Post *number* as *reader* ("" = the sample one) gets it. Raises `NewsletterError`."""
    post, config = project.post(number), project.config
    about = _asked(project, number, reader) if reader or choices else _Asked()
    proof = pull(post, config.identity, config.design, about.recipient, date=about.when.at or now())
    before, after = neighbours(project.folder.posts, number)
    context = Context.of(project.folder, config.checks.lock_screen_words)
    findings = tuple(check(proof, context=context))
    return Sheet(proof, about.when, findings, before, after, about.readers, about.held)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the database says for a sheet."""

    recipient: Mailbox = SAMPLE
    when: Outlook = field(default_factory=lambda: Outlook(""))
    readers: tuple[Someone, ...] = ()
    held: tuple[str, ...] = ()


def _asked(project: Project, number: int, address: str) -> _Asked:
    """The subscriber with *address*, when they get the post, and whom else to choose; what it takes is undone."""
    at, config = now(), project.config
    post = project.post(number)
    with looked_at(project, at) as (store, tick):
        someone = (Someone(str(r.address), r.name) for r in store.audience.readers())
        readers = tuple(one for one, _ in zip(someone, range(_CHOICES_MOST), strict=False))
        if not address:
            return _Asked(readers=readers)
        reader = store.audience.find(address)
        titles = {p.number: p.title for p in project.folder.posts}
        when = outlook(store, config.identity, config.rules, post, reader, titles, at=at)
    return _Asked(
        Mailbox(reader.name, reader.address),
        when,
        readers,
        (*tick.stopped, *(why for held, why in tick.held.items() if held == number)),
    )


def stamp(config: Config) -> Stamp:
    """What is different when any file that a letter is made of has changed."""
    return tuple(sorted(_stamps(config)))


def _stamps(config: Config) -> Iterator[tuple[str, int, int]]:
    folders = [folder for folder in (config.posts, config.design.templates) if folder]
    database = config.store_url.removeprefix("sqlite:///")
    files = [config.root / FILE_NAME, config.subscribers_file, Path(database), Path(f"{database}-wal")]
    for path in [*(p for folder in folders for p in folder.rglob("*")), *filter(None, files)]:
        try:
            found = path.stat()
        except OSError:
            continue
        yield str(path), found.st_mtime_ns, found.st_size


@dataclass
class Desk:
    """Sheets of one project, each kept until a file changes; and test messages."""

    config: Config  #: the last that could be read
    _lock: Lock = field(default_factory=Lock)  # one at a time: the second wants what the first just made
    _kept: dict[tuple[int, str], tuple[Stamp, datetime, Sheet]] = field(default_factory=dict)

    def sheet(self, number: int, reader: str) -> Sheet:
        """Post *number* for *reader* from the files as they are now. Raises `NewsletterError`."""
        with self._lock:
            project = self._project()
            try:
                return self._sheet(project, number, reader)
            finally:
                project.close()

    def test(self, number: int, reader: str, to: str) -> str:
        """Send a test message, and say what went out. Raises `NewsletterError`."""
        project = self._project()
        try:
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
        key, seen = (number, reader), stamp(project.config)  # taken first: what is saved meanwhile is seen next time
        kept = self._kept.get(key)
        if kept and kept[0] == seen and now() - kept[1] < _STALE:
            return kept[2]
        sheet = sheet_of(project, number, reader, choices=True)
        self._kept.pop(key, None)
        self._kept[key] = seen, now(), sheet
        while len(self._kept) > _KEPT_MOST:
            del self._kept[next(iter(self._kept))]
        return sheet


# --- test messages


def way_of(config: Config) -> str:
    """The configured provider in the owner's words."""
    if config.provider == "folder":
        return f"the folder {config.folder.path.name}"
    return f"{config.smtp.host}" if config.provider == "smtp" else config.provider


def proof_for(project: Project, number: int, reader: str, to: Address) -> Proof:
    """Post *number* as *reader* gets it, marked as a test, to the address *to*."""
    recipient = _asked(project, number, reader).recipient if reader else SAMPLE
    config = project.config
    return pull(
        project.post(number), config.identity, config.design, Mailbox(recipient.name, to), date=now(), mark=trial.MARK
    )


@dataclass(frozen=True, slots=True)
class Sent:
    """A test message that left."""

    sentence: str
    facts: dict[str, Any]


def send_test(project: Project, number: int, reader: str, to: str) -> Sent:
    """Send post *number* as *reader* gets it to *to*. Raises `NewsletterError`."""
    proof, config = proof_for(project, number, reader, Address.parse(to)), project.config
    accepted = trial.send(proof, project.provider)
    subject, recipient = str(proof.parsed["Subject"]), proof.recipient.address
    if config.provider == "folder":
        where = config.folder.path / "new" / accepted.provider_id
        sentence = f"“{subject}” is in {where}; the provider is a folder, so nothing was sent."
    else:
        said = f" ({accepted.reply})" if accepted.reply else ""
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
            "reply": str(accepted.reply) if accepted.reply else None,
        },
    )
