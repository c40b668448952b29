"""The sections of newsletter.toml as frozen values, with their defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from zoneinfo import ZoneInfo

from newsletter.config.palette import DARK, LIGHT, Palette
from newsletter.mail import Address, Mailbox

FILE_NAME = "newsletter.toml"
LOOPBACK: tuple[IPv4Network | IPv6Network, ...] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))


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


class Images(StrEnum):
    """How the pictures of a letter reach a reader."""

    ATTACHED = "attached"  #: with the message, shown by Content-ID; no site ever hears that it was opened
    HOSTED = "hosted"  #: from the newsletter's own website, https://…/m/HASH/NAME


class Visible(StrEnum):
    """Who reads the posts on the web."""

    ALL = "all"
    READERS = "readers"  #: each up to their own position, by a signed link
    NOBODY = "nobody"


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
    bounces_to: Address | None = None  #: reverse path, with a token for each delivery; None = the sender's address

    @property
    def list_id(self) -> str:
        """RFC 2919, without angle brackets."""
        return f"list.{self.sender.address.domain}"

    @property
    def reverse_path(self) -> Address:
        """Where a failure notice goes that belongs to no delivery."""
        return self.bounces_to or self.sender.address

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
    """[theme]: how a letter looks, and what it says around a post. None is the word of the post's language."""

    templates: Path | None = None  #: the project's templates/email; what is absent there comes from the package
    light: Palette = LIGHT
    dark: Palette = DARK
    font: str = "Georgia, 'Times New Roman', Times, serif"
    heading_font: str = ""  #: empty = the same as `font`
    code_font: str = "Menlo, Consolas, 'Courier New', monospace"
    logo: Path | None = None
    logo_alt: str = ""  #: empty = the newsletter's name
    greeting: str | None = None  #: a word ("Hi"), or a line with "{name}" where the reader's name goes
    sign_off: str | None = None
    signature: str | None = None  #: None = the sender's name
    crisis_line: str = ""  #: what this letter is not, and where help is
    footer: tuple[str, ...] = ()  #: lines between the reason for the letter and the postal address
    images: Images = Images.ATTACHED
    pages: Path | None = None  #: the project's templates/web; what is absent there comes from the package


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
class Rate:
    """*count* messages in each *per*."""

    count: int
    per: timedelta


@dataclass(frozen=True, slots=True)
class Limits:
    """[delivery]: how much may leave; None = as much as is due."""

    rate: Rate | None = None  #: all together
    rate_per_destination: Rate | None = None  #: to one mail system, such as Gmail
    warm_up: int | None = None  #: messages on the first day after go-live, each day twice as many


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
    messages_per_connection: int = 1_000  #: then a fresh one
    window: int = 50  #: messages that may be handed over without an answer, over all connections
    timeout: timedelta = timedelta(seconds=60)  #: to connect and for each reply before the final dot
    postfix_log: Path | None = None  #: of a Postfix on this machine: it tells what came of a message in doubt


@dataclass(frozen=True, slots=True)
class MailboxSettings:
    """[mailbox]: where bounces and requests to leave arrive, by IMAP."""

    host: str
    port: int = 993
    security: Security = Security.TLS
    username: str = ""
    password: str = field(default="", repr=False)  #: NEWSLETTER_MAILBOX_PASSWORD or password_file
    ca_file: Path | None = None  #: additional certificate authority, PEM
    folder: str = "INBOX"
    done_folder: str = "Newsletter/Handled"  #: made when it is not there; / stands for the server's own separator
    timeout: timedelta = timedelta(seconds=60)  #: to connect and for each answer


@dataclass(frozen=True, slots=True)
class VendorSettings:
    """[provider.VENDOR]; what only one of them has is empty for the others."""

    base_url: str  #: without a slash at its end
    key: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)  #: the second half, where a key has two
    webhook_secret: str = field(default="", repr=False)  #: what its webhooks are signed with, or carry
    batch: int = 1  #: most messages in one request
    threads: int = 4  #: requests at the same time
    timeout: timedelta = timedelta(seconds=60)  #: for one request as a whole
    region: str = ""  #: ses
    topics: tuple[str, ...] = ()  #: ses: the SNS topics that are listened to, by ARN
    configuration_set: str = ""  #: ses: whose events are told; empty: the account's own
    domain: str = ""  #: mailgun
    message_stream: str = ""  #: postmark
    manages_unsubscribe: bool = True  #: postmark, brevo put links of their own in, unless support turned it off


@dataclass(frozen=True, slots=True)
class DkimKey:
    """One key of [dkim]; what it is worth is seen by `newsletter.keys`."""

    selector: str
    pem: bytes = field(repr=False)  #: as it was found; empty while there is no such file
    where: str  #: how messages call the setting: "newsletter.toml, line 61: [dkim] key_file"
    path: Path | None = None  #: None when the key came from the environment


@dataclass(frozen=True, slots=True)
class Dkim:
    """[dkim]: signatures of our own."""

    domain: str
    keys: tuple[DkimKey, ...]


@dataclass(frozen=True, slots=True)
class Alerts:
    """[alerts]: how the owner learns that something needs her, also when nothing runs."""

    to: Mailbox | None = None  #: where alerts are mailed; None = nowhere
    health_file: Path | None = None  #: written by each run
    health_url: str = ""  #: asked for by each run that was in order; whoever watches it misses the others


@dataclass(frozen=True, slots=True)
class Web:
    """[web]: the public pages of `newsletter serve`."""

    sign_ups: Rate = Rate(200, timedelta(hours=1))  #: all together
    sign_ups_per_network: Rate = Rate(20, timedelta(hours=1))  #: from one block of addresses
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = LOOPBACK  #: whose word for the visitor's address counts
    tags_to_choose: tuple[str, ...] = ()  #: what readers may choose among on their own page


@dataclass(frozen=True, slots=True)
class Archive:
    """[archive]: the posts on the web."""

    visible: Visible = Visible.ALL
    noindex: bool = False  #: search engines are asked to leave it out


@dataclass(frozen=True, slots=True)
class Config:
    """One project, complete and checked. All paths are absolute."""

    root: Path
    identity: Identity
    rules: Rules = Rules()
    subscribers_file: Path | None = None
    #: SQLite paths absolute after `load`; may hold a password, so it never shows
    store_url: str = field(default="sqlite:///newsletter.db", repr=False)
    keep_details: timedelta = timedelta(weeks=52)  #: what `prune` leaves alone
    provider: str = "folder"
    on_uncertain: OnUncertain = OnUncertain.RESEND
    limits: Limits = Limits()
    processes: int = 1  #: that deliver side by side when much is due
    workers: bool = False  #: `newsletter worker`, here or elsewhere, delivers what a run planned
    design: Design = Design()
    alerts: Alerts = Alerts()
    log_file: Path | None = None  #: [log] file
    folder: FolderSettings = FolderSettings()
    smtp: SmtpSettings = SmtpSettings()
    mailbox: MailboxSettings | None = None  #: None: nobody looks into one
    vendors: Mapping[str, VendorSettings] = field(default_factory=dict)  #: by name; all of them after `load`
    plugins: Mapping[str, Mapping[str, object]] = field(default_factory=dict, repr=False)  #: of providers of others
    dkim: Dkim | None = None  #: None: whatever takes the mail signs it, or nobody
    notes: tuple[str, ...] = ()  #: sentences: what works, and should be mended all the same
    checks: Checking = Checking()
    web: Web = Web()
    archive: Archive = Archive()

    @property
    def posts(self) -> Path:
        """The folder of numbered posts."""
        return self.root / "posts"
