"""One opened project: where the configuration becomes a store, a provider and a key."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.journal import open_journal
from newsletter.config import Config, find_root, load
from newsletter.errors import ConfigError, NotFound, StoreError

if TYPE_CHECKING:
    from newsletter.incoming import Open
    from newsletter.keys import SigningKey
    from newsletter.mail import Provider
    from newsletter.posts import Folder, Post
    from newsletter.scheduler import Dispatch, PressMaker, Tick
    from newsletter.store import Store

SECRET_VARIABLE = "NEWSLETTER_SECRET"  # noqa: S105  the name, not the secret
_SECRET_BYTES = 32
_CLOCKS_APART = timedelta(minutes=5)  # a lease has twenty


def now() -> datetime:
    """The time. Everything below takes it as an argument."""
    return datetime.now(UTC)


def state_folder() -> Path:
    """Where marks outside the project live (XDG Base Directory)."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "newsletter"


@dataclass
class Project:
    """Settings, and on demand everything that is opened from them."""

    config: Config
    opened: list[Store] = field(default_factory=list)

    @classmethod
    def find(cls, root: Path | None) -> Project:
        """The project in *root*, or here or above. Raises `ConfigError`."""
        return cls.at(find_root(root.resolve() if root else Path.cwd()))

    @classmethod
    def at(cls, root: Path) -> Project:
        """The project in the folder *root*."""
        return cls(load(root, os.environ))

    @cached_property
    def store(self) -> Store:
        """The database, made on first use."""
        return self._opened(create=True)

    @property
    def store_to_run_on(self) -> Store:
        """The database, for a run that sends. Raises `StoreError` when two clocks disagree.

        Runs on several machines tell by the time whether another is alive: one that is an hour ahead would take over
        what others are about to send. With workers all go by the database's clock.
        """
        if self.config.workers:
            return self.store
        off = self.store.facts.clock_off(now())
        if abs(off) > _CLOCKS_APART:
            minutes, way = abs(off) // timedelta(minutes=1), "ahead of" if off > timedelta(0) else "behind"
            raise StoreError(
                f"this machine's clock is {minutes:,} minutes {way} PostgreSQL's: set the wrong one right"
                " (`timedatectl` shows it). Nothing was sent, nothing is lost."
            )
        return self.store

    def existing_store(self) -> Store | None:
        """The database, or None while there is none: a question must not make one."""
        path = self.database
        return None if path is not None and not path.exists() else self.store

    @cached_property
    def provider(self) -> Provider:
        """The configured provider; nothing is connected yet."""
        from newsletter.providers import open_provider

        return open_provider(self.config, now=now)

    @cached_property
    def box(self) -> Open | None:
        """Opens the mailbox of [mailbox], if there is one; nothing is connected yet."""
        if self.config.mailbox is None:
            return None
        from newsletter.providers.mailbox import Mailbox

        return partial(Mailbox, self.config.mailbox)

    @cached_property
    def secret(self) -> bytes:
        """The signing key: NEWSLETTER_SECRET, or secret.key beside the database, made at first use.

        Raises `ConfigError` when it is gone and there are letters that it signed.
        """
        if word := os.environ.get(SECRET_VARIABLE, ""):
            return self._checked(word, SECRET_VARIABLE)
        path = self.secret_path
        try:
            return self._checked(path.read_text().strip(), str(path))
        except FileNotFoundError:
            if (store := self.existing_store()) and store.ledger.any_template():
                raise ConfigError(_KEY_IS_GONE.format(path=path)) from None
            return _new_secret(path)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"{path} can't be read ({_why(error)}); it signs every unsubscribe link, so restore it from a backup."
            ) from None

    @cached_property
    def press(self) -> PressMaker:
        """Makes presses that sign as [dkim] says. Raises `ConfigError` for a key that can't sign."""
        from newsletter.press import Press

        return partial(Press.of, keys=self.keys)

    @cached_property
    def keys(self) -> tuple[SigningKey, ...]:
        """The keys of [dkim]. Raises `ConfigError` for one that can't sign."""
        if self.config.dkim is None:
            return ()
        from newsletter.keys import signing_keys

        return signing_keys(self.config.dkim)

    @property
    def secret_path(self) -> Path:
        """Where the signing key lives."""
        return self.secret_path_of(self.config.store_url)

    def secret_path_of(self, url: str) -> Path:
        """Where it lives when the database is at *url*."""
        return (path.parent if (path := _file_of(url)) else self.config.root) / "secret.key"

    @cached_property
    def folder(self) -> Folder:
        """The posts as they are now."""
        from newsletter.posts import read_folder

        return read_folder(self.config.posts, zone=self.config.identity.timezone, at=self.config.rules.at)

    def post(self, number: int) -> Post:
        """The usable post with *number*; raises the fault that its file has, or `NotFound`."""
        for post in self.folder.posts:
            if post.number == number:
                return post
        faults = [str(f) for f in self.folder.faults if f.number == number]
        if faults:
            raise NotFound("\n".join(faults))
        numbers = ", ".join(str(p.number) for p in self.folder.posts)
        there = f"there are: {numbers}" if numbers else 'begin one with `newsletter new "The first session"`'
        raise NotFound(f"there is no post {number} in posts/; {there}.")

    @cached_property
    def clock(self) -> Callable[[], datetime]:
        """The time: of this machine, or where there are workers, of the database that they share."""
        if not self.config.workers:
            return now
        from newsletter.worker import Clock

        return Clock(self.store.workers.clock())

    @cached_property
    def dispatch(self) -> Dispatch | None:
        """Hands what is due over to workers, if there are any."""
        if not self.config.workers:
            return None
        from newsletter.worker import dispatch

        return lambda c, at: dispatch(c, self.config, at=at)

    def close(self) -> None:
        """Let go of the database."""
        for store in self.opened:
            store.close()

    @property
    def has_secret(self) -> bool:
        """Whether there is a signing key; a question must not make one."""
        return bool(os.environ.get(SECRET_VARIABLE)) or self.secret_path.exists()

    @property
    def known_secret(self) -> bytes:
        """The signing key if there is one, else one that signs nothing."""
        return self.secret if self.has_secret else bytes(_SECRET_BYTES)

    @property
    def database(self) -> Path | None:
        """SQLite's file; None for PostgreSQL."""
        return _file_of(self.config.store_url)

    def _opened(self, *, create: bool) -> Store:
        from newsletter.store import Store

        store = Store.open(self.config.store_url, create=create, state_folder=state_folder())
        self.opened.append(store)
        return store

    @staticmethod
    def _checked(word: str, where: str) -> bytes:
        if len(word) < _SECRET_BYTES:
            raise ConfigError(f"{where} is too short for a signing key: it needs {_SECRET_BYTES} characters or more.")
        return word.encode()


def _file_of(url: str) -> Path | None:
    return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None


_KEY_IS_GONE = (
    "{path} is missing, and every unsubscribe link that was mailed is signed with it: copy it back from your backup"
    " (or set NEWSLETTER_SECRET). Nothing was sent. If it is lost for good, `openssl rand -hex 32 > {path}` makes a new"
    " one; the links in earlier letters are dead then."
)


def _why(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or "it is not text"


def _new_secret(path: Path) -> bytes:
    word = secrets.token_hex(_SECRET_BYTES)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(word + "\n")
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:  # another process was first
        return path.read_text().strip().encode()
    except OSError as error:
        raise ConfigError(
            f"{path} can't be written ({error.strerror}): the key that signs unsubscribe links needs a place."
        ) from None
    return word.encode()


def open_project(ctx: click.Context) -> Project:
    """The project of this command line; closed when the command ends."""
    project = Project.find(ctx.find_root().obj)
    open_journal(project.config.log_file)
    ctx.call_on_close(project.close)
    return project


@contextmanager
def looked_at(project: Project, at: datetime, *, file: bool = True) -> Iterator[tuple[Store, Tick]]:
    """The project as the next run will find it; whatever is done with it is undone.

    Posts are taken in, and unless *file* is false the owner's subscriber file; without a database, into memory.
    """
    from newsletter.held import held_posts
    from newsletter.intake import take_in, take_posts
    from newsletter.scheduler import Tick, reason_to_wait
    from newsletter.store import Store

    result = Tick(at)
    store = project.existing_store() or Store.in_memory()
    try:
        with store.rehearsal():
            result.stopped = reason_to_wait(store, project.config.provider, at=at)
            if file:
                found = take_in(project.config, store, project.known_secret, at=at)
            else:
                found = take_posts(project.config, store, at=at)
            result.add(found)
            result.held = held_posts(store, found.folder)
            yield store, result
    finally:
        if store not in project.opened:
            store.close()
