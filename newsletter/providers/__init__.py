"""The ways a message leaves: each module is one `newsletter.mail.Provider`, and nothing else uses the network.

`folder` writes files (rehearsal, demo), `smtp` submits to a mail server; the others are one vendor's HTTP interface
each. Another package may bring more (docs/adding-a-provider.md).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from importlib import import_module, metadata
from types import ModuleType

from newsletter.config import ENTRY_POINTS, HOOKS, VENDORS, Config
from newsletter.errors import ConfigError, NewsletterError
from newsletter.events import Heard, Hook
from newsletter.mail import Provider, shown

_log = logging.getLogger(__name__)


def open_provider(config: Config, *, now: Callable[[], datetime], helo: str = "") -> Provider:
    """The provider of *config*; touches neither disk nor network yet. Raises `ConfigError`.

    *helo* is the host name an SMTP server is greeted with (RFC 5321 section 4.1.1.1); empty: our address. *now* is for
    vendors whose requests are signed with their time.
    """
    # Imported here: smtplib and ssl cost 25 ms, requests 97, that a project with a folder never needs.
    name = config.provider
    if name == "folder":
        from newsletter.providers.folder import Folder

        return Folder(config.folder)
    if name == "smtp":
        from newsletter.providers.smtp import Smtp

        return Smtp(config.smtp, helo=helo)
    if name in VENDORS:
        provider: Provider = vendor(name).open_(config.vendors[name], now=now)
        return provider
    for found in metadata.entry_points(group=ENTRY_POINTS, name=name):
        theirs: Provider = found.load()(config.plugins.get(name, {}), config.root)
        return theirs
    raise ConfigError(f"provider {shown(name)} is not known; set provider in [delivery] to {_NAMES}")


def provider_before(config: Config, name: str, *, now: Callable[[], datetime]) -> Provider | None:
    """The provider *name*, as far as newsletter.toml still says how it is spoken to; to be asked, not to send."""
    if name in VENDORS and not (name in config.vendors and config.vendors[name].key):
        return None
    try:
        return open_provider(replace(config, provider=name), now=now) if name in (*VENDORS, "folder", "smtp") else None
    except NewsletterError as error:
        _log.warning("%s can't be asked: %s", name, error)
        return None


_NAMES = " or ".join(("folder", "smtp", *VENDORS))


def vendor(name: str) -> ModuleType:
    """The module of a vendor: `open_`, `hear` and `refusals`."""
    return import_module(f"newsletter.providers.{name}")


def tellers() -> list[str]:
    """The providers that can tell by webhook what came back."""
    return [*VENDORS, *sorted({found.name for found in metadata.entry_points(group=HOOKS)} - {*VENDORS})]


def ear(config: Config, name: str) -> Callable[[Hook, datetime], Heard]:
    """What reads the webhooks of *name*, one of `tellers`: raises `HookRefused` for what is not genuine."""
    if name in VENDORS:
        return lambda hook, at: vendor(name).hear(hook, config.vendors[name], at=at)
    (found,) = metadata.entry_points(group=HOOKS, name=name)
    hear = found.load()
    return lambda hook, at: hear(hook, config.plugins.get(name, {}), at=at)


def refusals(config: Config) -> list[str]:
    """What *config*'s provider can't do exactly, each with the way out. Asks nobody."""
    if config.provider not in VENDORS:
        return []
    found: list[str] = vendor(config.provider).refusals(config)
    if config.identity.bounces_to is not None:
        found = [
            *found,
            f"{config.provider} gives letters a reverse path of its own, so nothing ever comes to bounces_to: remove it"
            " from [newsletter] (bounces are told by webhook, see `newsletter webhook`), or send through smtp.",
        ]
    return found
