"""From the file and the environment to a `Config`, section by section.

The rules that join two keys (no connection without TLS off this machine, no user name without a password)
stand here; what one value alone must be stands in `values`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

from newsletter.config import files, palette, servers, times, values, vendors
from newsletter.config.document import Document, Section
from newsletter.config.palette import Palette
from newsletter.config.settings import (
    FILE_NAME,
    Alerts,
    Archive,
    Checking,
    Config,
    Design,
    First,
    FolderSettings,
    Identity,
    Images,
    Limits,
    Missing,
    Mode,
    OnUncertain,
    Rules,
    Visible,
    Web,
)
from newsletter.config.values import WrongValueError
from newsletter.errors import ConfigError
from newsletter.mail import Address, Mailbox

STORE_VARIABLE = "NEWSLETTER_STORE_URL"
KEEP_DETAILS = times.duration(timedelta(weeks=4))
PROVIDERS = ("folder", "smtp", *vendors.VENDORS)

_NOBODY = Mailbox("", Address("nobody", "invalid"))  # takes the place of a wrong sender until the faults are raised
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
    subscribers_file = top.section("subscribers").read("file", lambda value: files.path(root, value), None)
    store = top.section("store")
    store_url = _store_url(document, store, root, environment)
    keep_details = store.read("keep_details", KEEP_DETAILS, timedelta(weeks=52))
    delivery = top.section("delivery")
    provider = delivery.read("provider", vendors.provider_name(PROVIDERS), "folder")
    on_uncertain = delivery.read("on_uncertain", values.choice(OnUncertain), OnUncertain.RESEND)
    design = _design(top.section("theme"), root, identity)
    checks = _checks(top.section("checks"))
    limits = _limits(delivery)
    processes = delivery.read("processes", values.number(1, 64), 1)
    workers = delivery.read("workers", _workers(store_url), False)
    providers = top.section("provider")
    folder = _folder(providers.section("folder"), root)
    server = providers.section("smtp")
    smtp = servers.smtp(server, root, environment, in_use=provider == "smtp")
    reading = vendors.Reading(document, root, environment, provider, identity.sender.address.domain)
    of_vendors = reading.all(providers)
    plugins = vendors.brought(providers, PROVIDERS)
    dkim = servers.dkim(top.section("dkim"), root, environment, identity.sender.address.domain, wanted=top.has("dkim"))
    post_box = top.section("mailbox")
    mailbox = servers.mailbox(post_box, root, environment, wanted=top.has("mailbox"))
    alerts = _alerts(top.section("alerts"), root)
    web = _web(top.section("web"))
    archive = _archive(top.section("archive"))
    log_file = top.section("log").read("file", values.optional(lambda value: files.path(root, value)), None)
    document.finish()
    secrets = [
        *servers.password_file(server, root, environment),
        *servers.password_file(post_box, root, environment, servers.MAILBOX_VARIABLE),
        *reading.secret_files,
        *servers.key_files(dkim),
    ]
    return Config(
        root,
        identity,
        rules,
        subscribers_file,
        store_url,
        keep_details,
        provider,
        on_uncertain,
        limits=limits,
        processes=processes,
        workers=workers,
        design=design,
        alerts=alerts,
        log_file=log_file,
        folder=folder,
        smtp=smtp,
        vendors=of_vendors,
        plugins=plugins,
        checks=checks,
        web=web,
        archive=archive,
        dkim=dkim,
        mailbox=mailbox,
        notes=tuple(_notes(secrets, smtp.postfix_log if provider == "smtp" else None)),
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
        timezone=section.read("timezone", times.timezone, times.zone("UTC")),
        unsubscribe_to=section.read("unsubscribe_to", values.address, None),
        bounces_to=section.read("bounces_to", values.optional(values.bounce_address), None),
    )


def _rules(section: Section) -> Rules:
    default = Rules()
    return Rules(
        mode=section.read("mode", values.choice(Mode), default.mode),
        every=section.read("every", times.days, default.every),
        days=section.read("days", times.weekdays, default.days),
        at=section.read("at", times.clock, default.at),
        start=section.read("start", times.start, default.start),
        first=section.read("first", values.choice(First), default.first),
        min_gap=section.read("min_gap", times.duration(), default.min_gap),
        hold_for=section.read("hold_for", times.duration(), default.hold_for),
        on_missing=section.read("on_missing", values.choice(Missing), default.on_missing),
        max_lateness=section.read("max_lateness", times.duration(), default.max_lateness),
        holidays=section.read("holidays", times.holidays, default.holidays),
        catch_up_every=section.read("catch_up_every", times.days, default.catch_up_every),
        quiet_hours=section.read("quiet_hours", times.quiet_hours, default.quiet_hours),
    )


def _limits(section: Section) -> Limits:
    return Limits(
        rate=section.read("rate", values.optional(times.rate), None),
        rate_per_destination=section.read("rate_per_destination", values.optional(times.rate), None),
        warm_up=section.read("warm_up", values.optional(times.a_day), None),
    )


def _alerts(section: Section, root: Path) -> Alerts:
    return Alerts(
        to=section.read("to", values.optional(values.mailbox), None),
        health_file=section.read("health_file", lambda value: files.path(root, value), None),
        health_url=section.read("health_url", values.url, ""),
    )


def _web(section: Section) -> Web:
    default = Web()
    return Web(
        sign_ups=section.read("sign_ups", times.rate, default.sign_ups),
        sign_ups_per_network=section.read("sign_ups_per_network", times.rate, default.sign_ups_per_network),
        trusted_proxies=section.read("trusted_proxies", values.networks, default.trusted_proxies),
        tags_to_choose=section.read("tags_to_choose", values.tags, default.tags_to_choose),
    )


def _archive(section: Section) -> Archive:
    default = Archive()
    return Archive(
        visible=section.read("visible", values.choice(Visible), default.visible),
        noindex=section.read("noindex", values.yes_or_no, default.noindex),
    )


def _store_url(document: Document, section: Section, root: Path, environment: Mapping[str, str]) -> str:
    """The environment comes before `url_file`, and that before `url`; no value is quoted, each may hold a password."""
    default = f"sqlite:///{root / 'newsletter.db'}"

    def absolute(value: object) -> str:
        return _absolute_store(root, values.filled(value))

    in_file = section.read("url", absolute, default, secret=True)
    named = section.read("url_file", lambda value: absolute(files.secret(root, value)), in_file, secret=True)
    if not (given := environment.get(STORE_VARIABLE, "")):
        return named
    try:
        return absolute(given)
    except WrongValueError as wrong:
        document.environment_fault(STORE_VARIABLE, str(wrong))
        return default


def store_url(root: Path, given: str | None, file: Path | None) -> str:
    """Another database's url, as *given* or from the line in *file*. Raises `ConfigError`, without quoting it."""
    try:
        return _absolute_store(root, values.filled(given if file is None else files.secret(Path.cwd(), str(file))))
    except WrongValueError as wrong:
        raise ConfigError(f"{'--to' if file is None else file}: {wrong}") from None


def span(name: str, value: str) -> timedelta:
    """How long details are kept, as the option *name* has it. Raises `ConfigError`."""
    try:
        return KEEP_DETAILS(value)
    except WrongValueError as wrong:
        raise ConfigError(f"{name}: {wrong}") from None


def _workers(store_url: str) -> Callable[[object], bool]:
    def read(value: object) -> bool:
        if values.yes_or_no(value) and not store_url.startswith("postgresql"):
            raise WrongValueError(
                "workers share a PostgreSQL database, and [store] url names SQLite, which one machine empties by"
                " itself: take this line out, or move first (`newsletter move --to postgresql://…`)"
            )
        return values.yes_or_no(value)

    return read


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
    return f"sqlite:///{files.path(root, path)}"


def _design(section: Section, root: Path, identity: Identity) -> Design:
    default = Design(root / "templates" / "email", pages=root / "templates" / "web")
    light = _palette(section, palette.LIGHT)
    images = section.read("images", values.choice(Images), default.images)
    if images is Images.HOSTED and not identity.url:
        section.fault(
            "images", 'a website has to show them: set url in [newsletter], or write "attached"', ' = "hosted"'
        )
    return Design(
        templates=default.templates,
        light=light,
        dark=_palette(section.section("dark"), palette.at_night(light)),
        font=section.read("font", values.font, default.font),
        heading_font=section.read("heading_font", values.font, default.heading_font),
        code_font=section.read("code_font", values.font, default.code_font),
        logo=section.read("logo", lambda value: _inside(root, value), None),
        logo_alt=section.read("logo_alt", values.text, default.logo_alt),
        greeting=section.read("greeting", values.greeting, None),
        sign_off=section.read("sign_off", values.text, None),
        signature=section.read("signature", values.text, None),
        crisis_line=section.read("crisis_line", values.text, default.crisis_line),
        footer=section.read("footer", values.lines, default.footer),
        images=images,
        pages=default.pages,
    )


def _palette(section: Section, default: Palette) -> Palette:
    """Six-digit colours, and none of them too faint to be read where it stands."""
    found = Palette(**{role: section.read(role, values.colour, getattr(default, role)) for role in palette.ROLES})
    told: set[str] = set()
    for role, ground, contrast in palette.too_faint(found):
        words, behind = getattr(found, role), getattr(found, ground)
        if section.has(role):
            better = f'words need {palette.LEAST_CONTRAST}; "{palette.legible(words, behind)}" has it'
            section.fault(role, f"on {ground} {behind} its contrast is {contrast:.1f}, and {better}", f' = "{words}"')
        elif ground not in told:
            told.add(ground)
            better = f"words need {palette.LEAST_CONTRAST}; choose another, or set {role} too"
            section.fault(
                ground, f"{role} {words} on it has a contrast of {contrast:.1f}, and {better}", f' = "{behind}"'
            )
    return found


def _inside(root: Path, value: object) -> Path:
    """A file that is there and, links followed, lies in the project."""
    path = files.existing(root, value)
    if not path.resolve().is_relative_to(root):
        raise WrongValueError(f"it lies outside the project; copy it into {root} and name it from there")
    return path


def _checks(section: Section) -> Checking:
    default = Checking()
    return Checking(
        strict=section.read("strict", values.yes_or_no, default.strict),
        lock_screen_words=section.read("lock_screen_words", values.phrases, default.lock_screen_words),
    )


def _folder(section: Section, root: Path) -> FolderSettings:
    return FolderSettings(section.read("path", lambda value: files.path(root, value), root / "outbox"))


def _notes(secrets: Iterable[tuple[str, Path]], postfix_log: Path | None) -> Iterator[str]:
    if postfix_log and not os.access(postfix_log, os.R_OK):
        why = "can't be read by this user" if postfix_log.exists() else "is not there"
        yield f"postfix_log {postfix_log} {why}, so it settles no doubt; check it in [provider.smtp]."
    for where, path in secrets:
        if path.is_file() and path.stat().st_mode & 0o077:
            yield (
                f"{where}: other users of this computer can read {path.name}, and so send mail in your name; "
                f"type: chmod 600 {path}"
            )
