"""The sections of newsletter.toml as frozen values, with their defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, time, timedelta
from enum import StrEnum
from pathlib import Path
from zoneinfo import ZoneInfo

from newsletter.mail import Address, Mailbox

FILE_NAME = "newsletter.toml"


class Mode(StrEnum):
    """Who gets post N (docs/sequence.md)."""

    SEQUENCE = "sequence"  #: each reader 1, 2, 3, ... at the cadence
    BROADCAST = "broadcast"  #: everyone confirmed at the post's publish_at
    HYBRID = "hybrid"  #: new readers catch up, then publish_at for all


class First(StrEnum):
    """When a new reader's first post leaves."""

    SLOT = "slot"
    AT_ONCE = "at once"


class Missing(StrEnum):
    """What readers do who come to a live post whose file is gone or broken."""

    HOLD = "hold"
    SKIP = "skip"


class OnUncertain(StrEnum):
    """What becomes of a message that was handed over and never answered."""

    RESEND = "resend"
    HOLD = "hold"


class Security(StrEnum):
    """How a connection to an SMTP server is protected."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"  #: only on loopback


@dataclass(frozen=True, slots=True)
class Identity:
    """[newsletter]: who writes, from where, in what language and zone."""

    name: str
    sender: Mailbox  #: key `from`
    postal_address: str
    reply_to: Mailbox | None = None
    url: str = ""  #: https://… without a trailing slash; empty when there is no web side
    language: str = "en"  #: BCP 47
    timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    unsubscribe_to: Address | None = None  #: address of the mailto form; default reply_to, else sender

    @property
    def list_id(self) -> str:
        """RFC 2919, without angle brackets."""
        return f"list.{self.sender.address.domain}"

    @property
    def unsubscribe_address(self) -> Address:
        """Where a mailto unsubscribe goes."""
        return self.unsubscribe_to or (self.reply_to or self.sender).address


@dataclass(frozen=True, slots=True)
class Rules:
    """[sequence]: when which reader gets which post. Days are civil days in the reader's zone."""

    mode: Mode = Mode.SEQUENCE
    every: int = 7  #: days between two posts
    days: frozenset[int] = frozenset(range(7))  #: allowed weekdays, Monday = 0
    at: time = time(9)  #: local time of a slot
    start: str | int | date = "first"  #: "first", "latest", a number, or a date
    first: First = First.SLOT
    min_gap: timedelta = timedelta(hours=20)
    hold_for: timedelta = timedelta(days=7)
    on_missing: Missing = Missing.HOLD
    max_lateness: timedelta = timedelta(hours=48)
    holidays: frozenset[date] = frozenset()
    catch_up_every: int = 1  #: days, in hybrid mode
    quiet_hours: tuple[time, time] | None = None  #: nothing is handed over from the first to the second, local time


@dataclass(frozen=True, slots=True)
class Design:
    """How a letter looks."""

    templates: Path | None = None  #: the project's templates/email; what is absent there comes from the package


#: What a glance at somebody's locked telephone should not tell; a * stands for any ending.
LOCK_SCREEN_WORDS = (
    "abortion", "abuse*", "addict*", "affair", "alcohol*", "anorexi*", "anxiety", "bipolar", "bulimi*", "cancer",
    "depress*", "diagnos*", "disorder*", "divorce*", "hiv", "medication*", "miscarriage*", "overdos*", "panic attack*",
    "psychiatr*", "psychosis", "psychotic", "ptsd", "rape*", "rehab", "relaps*", "schizo*", "self-harm*", "suicid*",
    "trauma*",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Checking:
    """[checks]: how a post is judged before it leaves."""

    strict: bool = False  #: a warning holds a post as an error does
    lock_screen_words: tuple[str, ...] = LOCK_SCREEN_WORDS  #: not for a subject or preheader; lower case


@dataclass(frozen=True, slots=True)
class FolderSettings:
    """[provider.folder]"""

    path: Path = Path("outbox")  #: absolute after `load`


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """[provider.smtp]"""

    host: str = "127.0.0.1"
    port: int = 25
    security: Security = Security.STARTTLS
    username: str = ""
    password: str = field(default="", repr=False)  #: NEWSLETTER_SMTP_PASSWORD or password_file
    ca_file: Path | None = None  #: additional certificate authority, PEM
    connections: int = 4
    timeout: timedelta = timedelta(seconds=60)  #: to connect and for each reply before the final dot


@dataclass(frozen=True, slots=True)
class Config:
    """One project, complete and checked. All paths are absolute."""

    root: Path
    identity: Identity
    rules: Rules = Rules()
    subscribers_file: Path | None = None
    #: SQLite paths absolute after `load`; may hold a password, so it never shows
    store_url: str = field(default="sqlite:///newsletter.db", repr=False)
    provider: str = "folder"
    on_uncertain: OnUncertain = OnUncertain.RESEND
    design: Design = Design()
    folder: FolderSettings = FolderSettings()
    smtp: SmtpSettings = SmtpSettings()
    checks: Checking = Checking()

    @property
    def posts(self) -> Path:
        """The folder of numbered posts."""
        return self.root / "posts"
