"""[provider.VENDOR]: what the services with an HTTP interface need to know, one table for all seven.

Keys come from the environment, else from a file of their own; neither they nor those files' names show in a fault.
A provider that another package brings has a section too, which that package reads itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import metadata
from pathlib import Path

from newsletter.config import files, times, values
from newsletter.config.document import Document, Section
from newsletter.config.settings import VendorSettings
from newsletter.config.values import WrongValueError
from newsletter.mail import shown

ENTRY_POINTS = "newsletter.providers"  #: the group in which other packages name theirs
HOOKS = "newsletter.hooks"  #: and the one for what reads their webhooks


@dataclass(frozen=True, slots=True)
class Vendor:
    """What is known of a vendor before anything is set."""

    title: str  #: as it calls itself
    base_url: str
    key: str  #: names the setting and the variable; see `variable`
    secret: str = ""
    batch_most: int = 1  #: messages it takes in one request
    hook: str = "webhook_secret"  #: what its webhooks are signed with, or carry; empty: they need none
    threads: int = 4
    batch: int = 1  #: that we put into one, unless set: what a power cut leaves in doubt grows with it

    def variable(self, name: str, key: str) -> str:
        """The environment variable for *key*."""
        return f"NEWSLETTER_{name}_{key}".upper()


VENDORS: Mapping[str, Vendor] = {
    "ses": Vendor("Amazon SES", "https://email.{region}.amazonaws.com", "access_key_id", "secret_access_key", hook=""),
    "mailgun": Vendor("Mailgun", "https://api.mailgun.net", "key"),
    "postmark": Vendor("Postmark", "https://api.postmarkapp.com", "token", batch_most=500, batch=100),
    "resend": Vendor("Resend", "https://api.resend.com", "key", batch_most=100, batch=100, threads=2),
    "brevo": Vendor("Brevo", "https://api.brevo.com", "key"),
    "mailjet": Vendor("Mailjet", "https://api.mailjet.com", "key", "secret", batch_most=50, batch=50),
    "sendgrid": Vendor("SendGrid", "https://api.sendgrid.com", "key"),
}

#: The ARN of an SNS topic; its groups are partition and region, which name the host that speaks for it.
TOPIC = re.compile(
    r"arn:(aws|aws-cn|aws-us-gov):sns:([a-z]{2}(?:-[a-z]+)+-[0-9]):[0-9]{12}:[\w-]{1,256}(?:\.fifo)?", re.ASCII
)
_TIMES = times.duration(timedelta(seconds=1), timedelta(minutes=10))


@dataclass(slots=True)
class Reading:
    """The sections of one file."""

    document: Document
    root: Path
    environment: Mapping[str, str]
    in_use: str  #: [delivery] provider: only its key is missed
    sender: str  #: the domain of the sender
    secret_files: list[tuple[str, Path]] = field(default_factory=list)  #: where each is named, and the file

    def all(self, providers: Section) -> dict[str, VendorSettings]:
        """Every vendor's settings, in use or not: a misspelt key is told before it matters."""
        return {name: self._vendor(name, providers.section(name)) for name in VENDORS}

    def _vendor(self, name: str, section: Section) -> VendorSettings:
        vendor, used = VENDORS[name], self.in_use == name
        key = self._secret(name, section, vendor.key, wanted=used)
        second = self._secret(name, section, vendor.secret, wanted=used) if vendor.secret else ""
        region = section.read("region", _region, "us-east-1") if name == "ses" else ""
        if used and name == "ses":
            section.need("region", 'where your account is, such as "eu-west-1"')
        batch = vendor.batch
        if vendor.batch_most > 1:
            batch = section.read("batch", values.number(1, vendor.batch_most), batch)
        postmark, own_links = name == "postmark", name in ("postmark", "brevo")
        return VendorSettings(
            base_url=section.read("base_url", _base_url, vendor.base_url.format(region=region)),
            key=key,
            secret=second,
            webhook_secret=self._secret(name, section, vendor.hook) if vendor.hook else "",
            batch=batch,
            threads=section.read("threads", values.number(1, 50), vendor.threads),
            timeout=section.read("timeout", _TIMES, timedelta(seconds=60)),
            region=region,
            topics=section.read("topics", _topics, ()) if name == "ses" else (),
            configuration_set=section.read("configuration_set", values.text, "") if name == "ses" else "",
            domain=section.read("domain", values.domain, self.sender) if name == "mailgun" else "",
            message_stream=section.read("message_stream", values.filled, "broadcast") if postmark else "",
            manages_unsubscribe=section.read("manages_unsubscribe", values.yes_or_no, True) if own_links else True,
        )

    def _secret(self, name: str, section: Section, key: str, *, wanted: bool = False) -> str:
        """The environment comes before the file."""
        setting, variable = f"{key}_file", VENDORS[name].variable(name, key)
        if section.has(key):
            section.read(key, _elsewhere(f"{variable}, or in a file of its own that {setting} names"), "", secret=True)
        found = section.read(setting, lambda value: files.secret(self.root, value), "", secret=True)
        if given := self.environment.get(variable, "").strip():
            if given.isascii() and given.isprintable():  # it goes into a header field
                return given
            self.document.environment_fault(variable, "it must be one line of plain letters, digits and signs")
        elif section.has(setting):
            if found and not found.isascii():
                section.fault(setting, "the file it names must hold plain letters, digits and signs")
            elif found:
                path = section.read(setting, lambda value: files.path(self.root, value), self.root)
                self.secret_files.append((section.place(setting), path))
        elif wanted:
            words = key.replace("_", " ")
            section.need(
                setting,
                f"{VENDORS[name].title} gives you its {words}; put it in the environment as {variable}, or in a file of"
                " its own that this setting names",
            )
        return found


def _elsewhere(where: str) -> Callable[[object], str]:
    def read(_: object) -> str:
        raise WrongValueError(f"it must not be in this file; put it in the environment as {where}")

    return read


def _topics(value: object) -> tuple[str, ...]:
    found = values.lines(value)
    if wrong := next((topic for topic in found if not TOPIC.fullmatch(topic)), None):
        raise WrongValueError(
            f'{shown(wrong)} is no topic; write its ARN, such as "arn:aws:sns:eu-west-1:123456789012:letters"'
        )
    return found


def _region(value: object) -> str:
    given = values.filled(value).lower()
    if not re.fullmatch(r"[a-z]{2}(-[a-z0-9]+)+", given):  # it becomes part of a host's name
        raise WrongValueError('write the code of a region, such as "eu-west-1"')
    return given


def _base_url(value: object) -> str:
    if found := values.url(value):
        return found
    raise WrongValueError("it must not be empty; leave the line out for the usual address")


def brought(section: Section, known: tuple[str, ...]) -> dict[str, Mapping[str, object]]:
    """What stands in *section* about providers that installed packages bring, in use or not."""
    names = [name for name in section.tables if name not in known]
    return {n: section.section(n).untouched() for n in names if metadata.entry_points(group=ENTRY_POINTS, name=n)}


def provider_name(known: tuple[str, ...]) -> Callable[[object], str]:
    """A reader for the name of a provider: one of *known*, or one that an installed package brings."""

    def read(value: object) -> str:
        given = value.strip().lower() if isinstance(value, str) else ""
        # Looking through what is installed costs some ms, which only a name we don't have pays.
        if given and given not in known and metadata.entry_points(group=ENTRY_POINTS, name=given):
            return given
        return values.word_of(known)(value)

    return read
