"""Webhooks: who may call `serve`, and the command that tells the owner the address."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import click

from newsletter import feedback
from newsletter.cli.output import data, facts, json_option
from newsletter.cli.project import Project, open_project
from newsletter.config import VENDORS, VendorSettings
from newsletter.errors import ConfigError
from newsletter.events import Heard, Hook
from newsletter.scheduler import fingerprint

if TYPE_CHECKING:
    from newsletter.store.feedback import Taken
    from newsletter.web.hooks import Hear


def vendors(project: Project) -> dict[str, Hear]:
    """Who may tell what came back: all of them, since reports follow for days after a change of provider."""
    return {name: partial(_hear, name, settings) for name, settings in project.config.vendors.items()}


def _hear(name: str, settings: VendorSettings, hook: Hook, at: datetime) -> Heard:
    from newsletter.providers import vendor  # a vendor's module costs 100 ms: only one that tells something pays

    heard: Heard = vendor(name).hear(hook, settings, at=at)
    return heard


def take_in(project: Project, source: str, heard: Heard, at: datetime) -> Taken:
    """Let what *source* told do what it says."""
    return feedback.take_in(project.store, heard, source=source, fingerprint=fingerprint(project.secret), at=at)


@click.command()
@click.argument("vendor", required=False)
@json_option
@click.pass_context
def webhook(ctx: click.Context, vendor: str | None, as_json: bool) -> None:
    """The address at which your provider tells what came back.

    Copy it into the provider's settings for webhooks: bounces, complaints and unsubscribes, nothing else. `newsletter
    serve` must run. Keep it to yourself: of some providers it is all that tells a true report from a forged one.

    \b
    Example:
      newsletter webhook
      newsletter webhook postmark
    """
    from newsletter.web.hooks import path_for

    project = open_project(ctx)
    name, url = vendor or project.config.provider, project.config.identity.url
    if name not in VENDORS:
        known = ", ".join(VENDORS)
        raise ConfigError(f"{name} tells nothing by webhook; name the service through which you send: {known}.")
    if not url:
        raise ConfigError("newsletter.toml: [newsletter] url is empty, so nobody could call; see `newsletter serve`.")
    address = url + path_for(name, project.secret)
    if as_json:
        facts({"provider": name, "url": address})
    else:
        data(address)


COMMANDS = {"webhook": webhook}
