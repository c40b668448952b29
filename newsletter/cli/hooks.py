"""The command that tells the owner where webhooks go."""

from __future__ import annotations

import click

from newsletter.cli.output import data, facts, json_option
from newsletter.cli.project import open_project
from newsletter.errors import ConfigError


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
    from newsletter.providers import tellers
    from newsletter.web.hooks import path_for

    project = open_project(ctx)
    name, url = vendor or project.config.provider, project.config.identity.url
    if name not in (told := tellers()):
        known = ", ".join(told)
        raise ConfigError(f"{name} tells nothing by webhook; name the service through which you send: {known}.")
    if not url:
        raise ConfigError("newsletter.toml: [newsletter] url is empty, so nobody could call; see `newsletter serve`.")
    address = url + path_for(name, project.secret)
    if as_json:
        facts({"provider": name, "url": address})
    else:
        data(address)


COMMANDS = {"webhook": webhook}
