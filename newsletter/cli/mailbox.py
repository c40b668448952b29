"""The command that reads what came back by mail: mailbox."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from newsletter.cli.output import data, facts, json_option, plural, table
from newsletter.cli.project import now, open_project
from newsletter.errors import ConfigError, NotFound
from newsletter.mail import printable

_OCTETS_MAX = 4_000_000  # of a file; more is no mail
_WORDS_SHOWN = 70
_NAMES = {
    "bounce": ("bounce", "bounces"),
    "delayed": ("delay", "delays"),
    "delivered": ("receipt", "receipts"),
    "complaint": ("complaint", "complaints"),
    "unsubscribe": ("request to leave", "requests to leave"),
}


@click.command()
@click.option("--parse", is_flag=True, help="Say what the mails in FILES tell, and touch nothing.")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@json_option
@click.pass_context
def mailbox(ctx: click.Context, parse: bool, files: tuple[Path, ...], as_json: bool) -> None:
    """Read what came back by mail: bounces, complaints, requests to leave.

    One pass over the mailbox that [mailbox] names; `newsletter send` and `newsletter schedule` do the same before they
    send. What was dealt with moves to a folder of its own. Nothing is deleted, and what people write stays where it is.

    \b
    Example:
      newsletter mailbox
      newsletter mailbox --parse bounce.eml --json
    """
    if parse:
        if not files:
            raise click.UsageError("name the files to read: newsletter mailbox --parse bounce.eml", ctx)
        _parse(files, as_json=as_json)
        return
    if files:
        raise click.UsageError(f"to read a file, write: newsletter mailbox --parse {files[0]}", ctx)
    _look(ctx, as_json=as_json)


def _look(ctx: click.Context, *, as_json: bool) -> None:
    from newsletter.cli.stop import Stop
    from newsletter.incoming import look
    from newsletter.intake import fingerprint

    project = open_project(ctx)
    if project.box is None:
        raise ConfigError(
            "there is no mailbox to read: name one in [mailbox] of newsletter.toml (host, username, and the password"
            " in a file of its own that password_file names)"
        )
    secret = project.secret
    found = look(
        project.box, project.store, project.config.identity, secret,
        fingerprint=fingerprint(secret), at=now(), stop=Stop(),
    )  # fmt: skip
    if as_json:
        facts({"read": found.read, "handled": found.kinds, "effects": found.effects, "left": found.left})
        return
    parts = [f"{n:,} {_NAMES[kind][n != 1]}" for kind, n in sorted(found.kinds.items())]
    data(f"{plural(found.read, 'new letter')} read{': ' + ', '.join(parts) if parts else ''}.")
    for effect, words in (
        ("unsubscribed", "left the list, as they asked"),
        ("suppressed", "will not be mailed again: the mailbox is not there, or they complained"),
        (
            "quarantined",
            "would be suppressed, but so many at once wait for your word: `newsletter suppressions quarantined`",
        ),
    ):
        if count := next((n for e, n in found.effects.items() if e == effect), 0):
            data(f"{plural(count, 'reader')} {words}.")
    if found.left:
        stay = "stays where it was" if found.left == 1 else "stay where they were"
        data(f"{plural(found.left, 'letter')} {stay}, for you.")


def _parse(files: tuple[Path, ...], *, as_json: bool) -> None:
    from newsletter.reports import mails, read

    told: list[dict[str, Any]] = []
    for path in files:
        try:
            with path.open("rb") as file:
                octets = file.read(_OCTETS_MAX)
        except OSError as error:
            raise NotFound(f"{path} can't be read: {error.strerror}; name the files of mails, such as *.eml.") from None
        told += [
            {
                "file": str(path),
                "recipient": printable(one.recipient) or None,
                "kind": one.kind.value,
                "status": one.reply.status,
                "diagnostic": one.reply.text,
                "suppress": one.suppress,
            }
            for mail in mails(octets)
            for one in read(mail)
        ]
    if as_json:
        facts(told)
        return
    table(
        ["file", "recipient", "kind", "status", "suppress", "what was said"],
        [
            [
                *(printable(one[name] or "") for name in ("file", "recipient", "kind", "status")),
                "yes" if one["suppress"] else "no",
                _short(one["diagnostic"]),
            ]
            for one in told
        ],
    )


def _short(text: str) -> str:
    return text if len(text) <= _WORDS_SHOWN else f"{text[: _WORDS_SHOWN - 1]}…"


COMMANDS = {"mailbox": mailbox}
