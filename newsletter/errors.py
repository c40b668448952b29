"""What can go wrong, as a tree; each message says what, where and what to do.

NewsletterError                   1
├── ConfigError                   2   newsletter.toml, environment, no project here
├── PostError                     2   a post's file: path, line, remedy
├── TemplateError                 1   a template's file: name, line, remedy
├── PostHeld                      1   the checks found an error in a post; its readers wait
├── SubscriberError               2   an address or a row of a subscriber file
├── StoreError                    1   the database
│   ├── StoreBusy                75   another program holds it
│   ├── StoreAway                 1   the server does not answer now
│   ├── StoreMoved                2   its ledger lives elsewhere now
│   └── StoreTooNew               2   written by a newer version
├── ProviderError                 1   the provider refuses *us*; no recipient is marked
├── HookRefused                   1   a request that claims to come from a provider, and doesn't
├── RunLocked                    75   another run holds the lock
└── NotFound                      2   an address, a post or a delivery that is not there

The number is the exit status the command line answers with.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import ClassVar


class NewsletterError(Exception):
    """Base of every error whose message is meant for the owner."""

    exit_status: ClassVar[int] = 1


class ConfigError(NewsletterError):
    """newsletter.toml or the environment is wrong; the message lists every fault with file and key."""

    exit_status = 2


class PostError(NewsletterError):
    """A post's file can't be used as it is; *more* is wrong with it besides, when that is known."""

    exit_status = 2

    def __init__(self, path: Path | str, problem: str, *, line: int | None = None) -> None:
        self.path, self.problem, self.line = Path(path), problem, line
        self.more: tuple[PostError, ...] = ()
        super().__init__(f"{path}{f', line {line}' if line else ''}: {problem}")


class TemplateError(NewsletterError):
    """A template can't be rendered."""

    def __init__(self, template: str, problem: str, *, line: int | None = None) -> None:
        self.template, self.problem, self.line = template, problem, line
        super().__init__(f"template {template}{f', line {line}' if line else ''}: {problem}")


class PostHeld(NewsletterError):
    """A post was judged before its first message left, and must be mended first."""


class SubscriberError(NewsletterError):
    """An address that can't be one, or a row of a subscriber file that can't be taken."""

    exit_status = 2


class StoreError(NewsletterError):
    """The database can't be used: read-only, full, damaged, unreachable."""


class StoreBusy(StoreError):
    """Another program keeps the database locked."""

    exit_status = 75


class StoreAway(StoreError):
    """PostgreSQL does not answer, or went away in the middle: nobody knows then whether a commit was done."""


class StoreMoved(StoreError):
    """The ledger was carried to another database, or has not come here completely."""

    exit_status = 2


class StoreTooNew(StoreError):
    """A newer version of newsletter wrote this database."""

    exit_status = 2


class ProviderError(NewsletterError):
    """The provider refuses us (login, sender, quota, not reachable); recipients are left untouched.

    *retry_after* says when trying again may help by itself; None means not before the owner has acted. *busy*: the
    provider said so itself, and wants to be left alone.
    """

    def __init__(self, message: str, *, retry_after: timedelta | None = None, busy: bool = False) -> None:
        self.retry_after, self.busy = retry_after, busy
        super().__init__(message)


class HookRefused(NewsletterError):
    """A request that claims to come from a provider and isn't genuine; nothing of it is taken in."""


class RunLocked(NewsletterError):
    """Another run is at work on this project."""

    exit_status = 75


class NotFound(NewsletterError):
    """No such address, post or delivery."""

    exit_status = 2
