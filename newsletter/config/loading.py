"""From the file and the environment to a `Config`, section by section.

The rules that join two keys (no connection without TLS off this machine, no user name without a password)
stand here; what one value alone must be stands in `values`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from newsletter.config import values
from newsletter.config.document import Document, Section
from newsletter.config.settings import (
    FILE_NAME,
    Checking,
    Config,
    Design,
    First,
    FolderSettings,
    Identity,
    Missing,
    Mode,
    OnUncertain,
    Rules,
    Security,
    SmtpSettings,
)
from newsletter.config.values import WrongValueError
from newsletter.errors import ConfigError
from newsletter.mail import Address, Mailbox

PASSWORD_VARIABLE = "NEWSLETTER_SMTP_PASSWORD"  # noqa: S105  the name, not the secret
STORE_VARIABLE = "NEWSLETTER_STORE_URL"
PROVIDERS = ("folder", "smtp")

_NOBODY = Mailbox("", Address("nobody", "invalid"))  # takes the place of a wrong sender until the faults are raised
_SECRET_MAX = 64 * 1024  # octets; more is no secret but the wrong file
_STORE_REMEDY = 'write "sqlite:///newsletter.db" or "postgresql://…"'


def find_root(start: Path) -> Path:
    """The folder with newsletter.toml, from *start* upwards; raises `ConfigError`."""
    start = start.absolute()
    for folder in (start, *start.parents):
        try:
            if (folder / FILE_NAME).is_file():
                return folder
        except OSError:
            continue  # a folder we may not look into is not ours
    raise ConfigError(
        f"there is no {FILE_NAME} here or in any folder above {start}: "
        "run `newsletter init` to make a project, or name one with --root DIR"
    )


def load(root: Path, environment: Mapping[str, str]) -> Config:
    """Read newsletter.toml in *root*; raises `ConfigError` listing every fault."""
    root = root.resolve()
    if "?" in str(root):  # SQLAlchemy takes what follows for options of the database
        raise ConfigError(f"{root}: a project's folder must not have a ? in its path; rename the folder")
    document = Document(_text_of(root / FILE_NAME), FILE_NAME)
    top = document.root
    identity = _identity(top.section("newsletter"))
    rules = _rules(top.section("sequence"))
    subscribers_file = top.section("subscribers").read("file", lambda value: _path(root, value), None)
    store_url = _store_url(document, root, environment)
    delivery = top.section("delivery")
    provider = delivery.read("provider", values.word_of(PROVIDERS), "folder")
    on_uncertain = delivery.read("on_uncertain", values.choice(OnUncertain), OnUncertain.RESEND)
    checks = _checks(top.section("checks"))
    providers = top.section("provider")
    folder = _folder(providers.section("folder"), root)
    smtp = _smtp(providers.section("smtp"), root, environment, in_use=provider == "smtp")
    document.finish()
    design = Design(root / "templates" / "email")
    return Config(
        root, identity, rules, subscribers_file, store_url, provider, on_uncertain, design, folder, smtp, checks
    )


def _text_of(path: Path) -> str:
    try:
        octets = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(
            f"there is no {FILE_NAME} in {path.parent}: run `newsletter init` there to make a project"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}; check its permissions") from None
    if octets.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ConfigError(f"{FILE_NAME} is saved as UTF-16; in your editor choose Save As and the encoding UTF-8")
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(
            f"{FILE_NAME}, line {line}: a letter is not UTF-8; in your editor choose Save As and the encoding UTF-8"
        ) from None


def _identity(section: Section) -> Identity:
    return Identity(
        name=section.require("name", values.filled, "", "the name of the newsletter, as readers see it"),
        sender=section.require("from", values.mailbox, _NOBODY, 'who writes, such as "Maya Thorne <maya@example.org>"'),
        postal_address=section.require(
            "postal_address", values.postal_address, "", "the law wants a postal address in every newsletter"
        ),
        reply_to=section.read("reply_to", values.mailbox, None),
        url=section.read("url", values.url, ""),
        language=section.read("language", values.language, "en"),
        timezone=section.read("timezone", values.timezone, values.zone("UTC")),
        unsubscribe_to=section.read("unsubscribe_to", values.address, None),
    )


def _rules(section: Section) -> Rules:
    default = Rules()
    return Rules(
        mode=section.read("mode", values.choice(Mode), default.mode),
        every=section.read("every", values.days, default.every),
        days=section.read("days", values.weekdays, default.days),
        at=section.read("at", values.clock, default.at),
        start=section.read("start", values.start, default.start),
        first=section.read("first", values.choice(First), default.first),
        min_gap=section.read("min_gap", values.duration(), default.min_gap),
        hold_for=section.read("hold_for", values.duration(), default.hold_for),
        on_missing=section.read("on_missing", values.choice(Missing), default.on_missing),
        max_lateness=section.read("max_lateness", values.duration(), default.max_lateness),
        holidays=section.read("holidays", values.holidays, default.holidays),
        catch_up_every=section.read("catch_up_every", values.days, default.catch_up_every),
        quiet_hours=section.read("quiet_hours", values.quiet_hours, default.quiet_hours),
    )


def _path(root: Path, value: object) -> Path:
    given = values.filled(value)
    if given.startswith("~"):
        raise WrongValueError("write the whole path instead of ~, or one that begins in the project's folder")
    return root / given


def _existing(root: Path, value: object) -> Path:
    path = _path(root, value)
    if not path.is_file():
        raise WrongValueError(f"there is no such file; it is looked for from {root} on")
    return path


def _secret(root: Path, value: object) -> str:
    """The one line of a secret's own file. Neither the line nor the file's name shows in a fault.

    The name is kept back because owners put the secret itself there.
    """
    try:
        with _path(root, value).open("rb") as file:
            octets = file.read(_SECRET_MAX + 1)
    except OSError as error:
        raise WrongValueError(
            f"the file it names can't be read: {error.strerror} (it is looked for from {root} on)"
        ) from None
    try:
        secret = octets.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise WrongValueError(
            "the file it names is not UTF-8 text; save it as UTF-8 with nothing but the secret in it"
        ) from None
    if not secret or not secret.isprintable() or len(octets) > _SECRET_MAX:
        raise WrongValueError("the file it names must hold one line with the secret and nothing else")
    return secret


def _store_url(document: Document, root: Path, environment: Mapping[str, str]) -> str:
    """The environment comes before `url_file`, and that before `url`; no value is quoted, each may hold a password."""
    section = document.root.section("store")
    default = f"sqlite:///{root / 'newsletter.db'}"

    def absolute(value: object) -> str:
        return _absolute_store(root, values.filled(value))

    in_file = section.read("url", absolute, default, secret=True)
    named = section.read("url_file", lambda value: absolute(_secret(root, value)), in_file, secret=True)
    if not (given := environment.get(STORE_VARIABLE, "")):
        return named
    try:
        return absolute(given)
    except WrongValueError as wrong:
        document.environment_fault(STORE_VARIABLE, str(wrong))
        return default


def _absolute_store(root: Path, given: str) -> str:
    scheme, separator, rest = given.partition("://")
    if scheme == "postgresql" and rest:
        return given
    if scheme != "sqlite" or not separator:
        close = values.nearest(scheme, ("sqlite", "postgresql")) if re.fullmatch("[a-z0-9+]{1,20}", scheme) else None
        raise WrongValueError(f'did you mean "{close}://"? {_STORE_REMEDY}' if close else _STORE_REMEDY)
    if rest and not rest.startswith("/"):
        raise WrongValueError('write three slashes, as in "sqlite:///newsletter.db"')
    path = rest.removeprefix("/")
    if not path or ":memory:" in path or path.startswith("file:"):
        raise WrongValueError(
            "a database in memory forgets who got what, so that everyone would get everything again; "
            'write a file, such as "sqlite:///newsletter.db"'
        )
    if "?" in path:
        raise WrongValueError('leave out what begins with ?; write "sqlite:///newsletter.db"')
    return f"sqlite:///{_path(root, path)}"


def _checks(section: Section) -> Checking:
    default = Checking()
    return Checking(
        strict=section.read("strict", values.yes_or_no, default.strict),
        lock_screen_words=section.read("lock_screen_words", values.phrases, default.lock_screen_words),
    )


def _folder(section: Section, root: Path) -> FolderSettings:
    return FolderSettings(section.read("path", lambda value: _path(root, value), root / "outbox"))


def _smtp(section: Section, root: Path, environment: Mapping[str, str], *, in_use: bool) -> SmtpSettings:
    default = SmtpSettings()
    host = section.read("host", values.host, default.host)
    local = values.is_loopback(host)
    security = section.read("security", values.choice(Security), Security.NONE if local else Security.STARTTLS)
    if security is Security.NONE and not local:
        section.fault(
            "security",
            f'without protection only this machine can be reached, not {host}; write "starttls" or "tls"',
            ' = "none"',
        )
    username = section.read("username", values.text, "")
    password = section.read("password_file", lambda value: _secret(root, value), "", secret=True)
    password = environment.get(PASSWORD_VARIABLE, "").rstrip("\r\n") or password
    if in_use and username and not password and not section.has("password_file"):
        section.fault(
            "username",
            f"there is no password for it; put one in the environment as {PASSWORD_VARIABLE}, "
            "or in a file of its own that password_file names",
        )
    return SmtpSettings(
        host=host,
        port=section.read("port", values.number(1, 65535), default.port),
        security=security,
        username=username,
        password=password,
        ca_file=section.read("ca_file", lambda value: _existing(root, value), None),
        connections=section.read("connections", values.number(1, 50), default.connections),
        timeout=section.read("timeout", values.duration(timedelta(seconds=1), timedelta(hours=1)), default.timeout),
    )
