"""The sections that name a server or a key of the owner's: [provider.smtp], [mailbox], [dkim]."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path

from newsletter.config import files, times, values
from newsletter.config.document import Section
from newsletter.config.settings import Dkim, DkimKey, MailboxSettings, Security, SmtpSettings
from newsletter.config.values import WrongValueError

PASSWORD_VARIABLE = "NEWSLETTER_SMTP_PASSWORD"  # noqa: S105  the name, not the secret
MAILBOX_VARIABLE = "NEWSLETTER_MAILBOX_PASSWORD"
DKIM_VARIABLE = "NEWSLETTER_DKIM_KEY"
_IMAP_PORT = 143  # RFC 8314 section 3: 993 speaks TLS from the first octet, 143 after STARTTLS


def smtp(section: Section, root: Path, environment: Mapping[str, str], *, in_use: bool) -> SmtpSettings:
    """[provider.smtp]; a password is asked for only when it is *in_use*."""
    default = SmtpSettings()
    host = section.read("host", values.host, default.host)
    usual = Security.NONE if values.is_loopback(host) else default.security
    security, username, password = _access(section, root, environment, PASSWORD_VARIABLE, host, usual, in_use=in_use)
    return SmtpSettings(
        host=host,
        port=section.read("port", values.number(1, 65535), default.port),
        security=security,
        username=username,
        password=password,
        ca_file=section.read("ca_file", lambda value: files.existing(root, value), None),
        connections=section.read("connections", values.number(1, 50), default.connections),
        messages_per_connection=section.read(
            "messages_per_connection", values.number(1, 1_000_000), default.messages_per_connection
        ),
        window=section.read("window", values.number(1, 1_000), default.window),
        timeout=section.read("timeout", times.duration(timedelta(seconds=1), timedelta(hours=1)), default.timeout),
        postfix_log=section.read("postfix_log", values.optional(lambda value: files.path(root, value)), None),
    )


def mailbox(section: Section, root: Path, environment: Mapping[str, str], *, wanted: bool) -> MailboxSettings | None:
    """[mailbox]; None unless it is *wanted*."""
    default = MailboxSettings("")
    if wanted:
        section.need("host", 'the mail server that keeps your mail, such as "imap.example.org"')
        section.need("username", "the name with which your mail program logs in; often the whole address")
    host = section.read("host", values.host, "127.0.0.1")
    security, username, password = _access(section, root, environment, MAILBOX_VARIABLE, host, default.security)
    folder = section.read("folder", values.folder_name, default.folder)
    done = section.read("done_folder", values.folder_name, default.done_folder)
    if folder.lower() == done.lower():
        section.fault("done_folder", "it has to be another folder than the one that is read", f' = "{done}"')
    usual = default.port if security is Security.TLS else _IMAP_PORT
    made = MailboxSettings(
        host=host,
        port=section.read("port", values.number(1, 65535), usual),
        security=security,
        username=username,
        password=password,
        ca_file=section.read("ca_file", lambda value: files.existing(root, value), None),
        folder=folder,
        done_folder=done,
        timeout=section.read("timeout", times.duration(timedelta(seconds=1), timedelta(hours=1)), default.timeout),
    )
    return made if wanted else None


def _access(
    section: Section,
    root: Path,
    environment: Mapping[str, str],
    variable: str,
    host: str,
    usual: Security,
    *,
    in_use: bool = True,
) -> tuple[Security, str, str]:
    """How *host* is spoken to, and with which name and password; the environment's comes before the file's."""
    security = section.read("security", values.choice(Security), usual)
    if security is Security.NONE and not values.is_loopback(host):
        section.fault(
            "security",
            f'without protection only this machine can be reached, not {host}; write "starttls" or "tls"',
            ' = "none"',
        )
    username = section.read("username", values.text, "")
    password = section.read("password_file", lambda value: files.secret(root, value), "", secret=True)
    password = environment.get(variable, "").rstrip("\r\n") or password
    if in_use and username and not password and not section.has("password_file"):
        section.fault(
            "username",
            f"there is no password for it; put one in the environment as {variable}, "
            "or in a file of its own that password_file names",
        )
    return security, username, password


def dkim(section: Section, root: Path, environment: Mapping[str, str], sender: str, *, wanted: bool) -> Dkim | None:
    """[dkim]; the environment comes before `key_file`."""
    domain = section.read("domain", values.domain, sender)
    if sender != domain and not sender.endswith(f".{domain}"):
        # RFC 7489 section 3.1.1: else the signature says nothing of the address that readers see.
        section.fault("domain", f"it has to be {sender}, the domain of [newsletter] from, or one above it")
    pem = environment.get(DKIM_VARIABLE, "").replace("\\n", "\n").encode()  # such files have a line for a variable
    first = _dkim_key(section, "", root, pem, wanted=wanted)
    second = _dkim_key(section, "ed25519_", root)
    if first and second and first.selector == second.selector:
        section.fault("ed25519_selector", "two keys have two names; write another one than that of selector")
    keys = tuple(filter(None, (first, second)))
    return Dkim(domain, keys) if keys else None


def _dkim_key(section: Section, prefix: str, root: Path, pem: bytes = b"", *, wanted: bool = False) -> DkimKey | None:
    name, file = f"{prefix}selector", f"{prefix}key_file"
    selector = section.read(name, values.selector, "")
    nothing: tuple[Path | None, bytes] = (None, b"")
    path, octets = section.read(file, partial(_key_file, root), nothing, secret=True)
    if not (wanted or pem or section.has(name) or section.has(file)):
        return None
    section.need(name, "the name of the key in the DNS; `newsletter dkim` makes a key and says what to write here")
    if pem:
        return DkimKey(selector, pem, f"{DKIM_VARIABLE} in the environment")
    section.need(file, "the file with the key; `newsletter dkim` makes one")
    return DkimKey(selector, octets, section.place(file), path)


def _key_file(root: Path, value: object) -> tuple[Path | None, bytes]:
    """A key's file and what is in it: nothing as long as it is not there, so that the command that makes it can run."""
    path = files.path(root, value)
    try:
        with path.open("rb") as file:
            octets = file.read(files.SECRET_MAX + 1)
    except FileNotFoundError:
        return path, b""
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        why = error.strerror if isinstance(error, OSError) else "that is no name of a file"
        raise WrongValueError(f"the file it names can't be read: {why}") from None
    if len(octets) > files.SECRET_MAX:
        raise WrongValueError("the file it names is too large for a key")
    return path, octets


def password_file(
    section: Section, root: Path, environment: Mapping[str, str], variable: str = PASSWORD_VARIABLE
) -> Iterator[tuple[str, Path]]:
    """Where the password's file is named, and the file; nothing when the password comes from elsewhere."""
    if section.has("password_file") and not environment.get(variable):
        yield section.place("password_file"), section.read("password_file", lambda value: files.path(root, value), root)


def key_files(dkim: Dkim | None) -> Iterator[tuple[str, Path]]:
    """Where keys are named that were read from a file, and the files."""
    for key in dkim.keys if dkim else ():
        if key.pem and key.path:
            yield key.where, key.path
