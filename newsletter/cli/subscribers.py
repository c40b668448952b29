"""The commands of `newsletter subscribers`."""

from __future__ import annotations

import click

from newsletter import consent
from newsletter.cli import Suggesting
from newsletter.cli.export import EVERYONE, STATUSES, export, matching, reader_facts
from newsletter.cli.imports import import_, imports, undo_import
from newsletter.cli.intake import add, sync
from newsletter.cli.merging import duplicates, merge
from newsletter.cli.output import ask, data, facts, json_option, plural, say, table, warn, yes_option
from newsletter.cli.project import Project, now, open_project
from newsletter.cli.readers import counted, existing, find, show_next, unread
from newsletter.errors import NewsletterError, NotFound
from newsletter.intake import fingerprint
from newsletter.mail import Address
from newsletter.store import Store
from newsletter.store.audience import Reader
from newsletter.subscribers import Pause, Status, read_rows

_NAME_MOST = 40  # characters of a name in the list

_PAUSED = {
    Pause.OWNER: "by you",
    Pause.FILE: "left your file",
    Pause.ADDRESS: "address refused",
    Pause.READER: "by the reader",
}


@click.group(cls=Suggesting)
def subscribers() -> None:
    """The readers.

    Those in your own file (subscribers.csv) are read from it whenever mail goes out; the commands here are for all
    others, and for what a file can't say. Who has unsubscribed stays so, whatever a file says.

    \b
    newsletter subscribers list
    newsletter subscribers COMMAND -h    help and an example for each command
    """


def _pauses(reader: Reader) -> str:
    return ", ".join(words for pause, words in _PAUSED.items() if pause in reader.pauses)


def _short(name: str) -> str:
    """*name* for the list: what one says, and nothing that turns the line round; --json has all of it."""
    plain = "".join(c for c in name if c.isprintable() or c == "\N{ZERO WIDTH JOINER}")
    return plain if len(plain) <= _NAME_MOST else f"{plain[: _NAME_MOST - 1]}…"


def _state(reader: Reader) -> str:
    return f"paused ({_pauses(reader)})" if reader.status is Status.ACTIVE and reader.pauses else reader.status.value


# Looking


@click.command("list")
@click.option("--status", default=EVERYONE, show_default=True, type=click.Choice(STATUSES), help="Only these.")
@click.option("--tag", default="", help="Only those with this tag.")
@json_option
@click.pass_context
def list_(ctx: click.Context, status: str, tag: str, as_json: bool) -> None:
    """Every reader, and the last post they have had.

    \b
    Example:
      newsletter subscribers list --status unsubscribed
    """
    project = open_project(ctx)
    store = project.existing_store()
    if as_json:
        facts([reader_facts(reader) for reader in matching(store, status, tag)] if store else [])
    elif store is None or not store.audience.anybody():
        data("There are no readers on record yet.")
    else:
        rows = [
            (
                reader.address,
                _short(reader.name),
                _state(reader),
                "" if reader.had_through is None else f"#{reader.position}",
                reader.timezone,
            )
            for reader in matching(store, status, tag)
        ]
        if rows:
            table(("Address", "Name", "Status", "Had", "Time zone"), rows)
            data()
        data(counted(store.audience.counts()))
    if news := unread(project, store):
        warn([news.strip()])


# One reader


@click.command()
@click.argument("address")
@click.pass_context
def pause(ctx: click.Context, address: str) -> None:
    """Send a reader nothing until you say resume.

    \b
    Example:
      newsletter subscribers pause ana@example.org
    """
    project = open_project(ctx)
    store = existing(project)
    find(project, store, address)
    reader = store.audience.pause(address)
    if reader.status is Status.ACTIVE:
        data(
            f"{reader.address} is paused; `newsletter subscribers resume {reader.address}` goes on with the next post."
        )
    else:
        data(f"{reader.address} is {reader.status} and gets nothing anyway.")


@click.command()
@click.argument("address")
@click.pass_context
def resume(ctx: click.Context, address: str) -> int:
    """Go on with a reader you paused, or whose address was refused.

    \b
    Example:
      newsletter subscribers resume ana@example.org
    """
    project, at = open_project(ctx), now()
    store = existing(project)
    before = find(project, store, address)
    reader = store.audience.resume(address, at=at)
    if reader.status is not Status.ACTIVE:
        data(f"{reader.address} is {reader.status}, so there is nothing to resume.")
        return 0
    if Pause.FILE in reader.pauses:
        name = project.config.subscribers_file.name if project.config.subscribers_file else "your file"
        data(f"{reader.address} is still paused: the row is gone from {name}. Put it back there.")
        return 0
    if reader.pauses:
        data(f"{reader.address} is still paused: {_pauses(reader)}.")
        return 0
    data(f"{reader.address} {'goes on' if before.pauses else 'was not paused'}.")
    show_next(project, reader, "Next post", at=at)
    return 0


@click.command()
@click.argument("address")
@click.pass_context
def unsubscribe(ctx: click.Context, address: str) -> None:
    """Enter that somebody asked you to stop, by mail or in person.

    It lasts, whatever a file or an import says; only their own word brings them back.

    \b
    Example:
      newsletter subscribers unsubscribe ana@example.org
    """
    project = open_project(ctx)
    store = existing(project)
    if find(project, store, address).status is Status.UNSUBSCRIBED:
        data(f"{address} has unsubscribed before.")
        return
    reader = consent.unsubscribe(store, address, at=now(), detail="entered by the owner")
    data(f"{reader.address} is unsubscribed, and gets nothing more.")


@click.command()
@click.argument("address")
@yes_option
@click.pass_context
def confirm(ctx: click.Context, address: str, yes: bool) -> int:
    """Enter that somebody said yes to you.

    That is one who is pending, or had left and asked to come back. They go on where they stopped. Only their own word
    counts, so this asks you whether you have it.

    \b
    Example:
      newsletter subscribers confirm ana@example.org
    """
    project = open_project(ctx)
    store = existing(project)
    reader = find(project, store, address)
    if reader.status is Status.ACTIVE:
        data(f"{reader.address} is a reader already.")
        return 0
    if not ask(f"{reader.address} is {reader.status}. Did they ask you themselves?", yes=yes):
        say("Nothing was changed.")
        return 1
    reader = consent.confirm(store, address, at=now(), detail="entered by the owner, on the person's own word")
    data(f"{reader.address} is a reader{' again' if reader.had_through is not None else ' now'}.")
    show_next(project, reader, "Next post", at=now())
    return 0


@click.command()
@click.argument("old")
@click.argument("new")
@click.pass_context
def correct(ctx: click.Context, old: str, new: str) -> None:
    """Give a reader another address: NEW instead of OLD.

    A post that was refused for the old address is sent to the new one.

    \b
    Example:
      newsletter subscribers correct ana@exmaple.org ana@example.org
    """
    project = open_project(ctx)
    store = existing(project)
    before = find(project, store, old)
    other = _known(store, new)
    reader = consent.correct(store, old, new, fingerprint=fingerprint(project.secret), at=now())
    data(f"{before.address} is {reader.address} now.")
    if other is not None and other.id != reader.id:
        data("There was a reader of that address, who had got nothing yet: the two are one now.")
    if reader.address.key != before.address.key and (where := _place_in_file(project, before)):
        warn([f"{where} still has {before.address}: correct it there too, before the file is read again."])


@click.command()
@click.argument("address")
@click.option(
    "--keep-suppressed",
    is_flag=True,
    help="Keep a coded trace that reveals nothing, so that no import brings them back.",
)
@yes_option
@click.pass_context
def erase(ctx: click.Context, address: str, keep_suppressed: bool, yes: bool) -> int:
    """Delete a person, with everything kept of them.

    Who had unsubscribed, or still stands in your own file, leaves a coded trace of the address, so that the next
    reading of the file does not bring them back; the address can't be read from it.

    \b
    Example:
      newsletter subscribers erase ana@example.org
    """
    project = open_project(ctx)
    store = existing(project)
    reader = find(project, store, address)
    where = _place_in_file(project, reader, *store.merging.of(reader))
    keep = keep_suppressed or bool(where)
    deliveries = plural(len(store.accounts.history(reader)), "delivery", "deliveries")
    records = plural(len(store.accounts.consent(reader)), "record")
    data(f"{reader.name or reader.address} <{reader.address}>, {_state(reader)}, will be deleted,")
    data(f"with {deliveries} and {records} of consent. How many got each post stays known.")
    if where:
        data(f"{where} still has this address: delete the row there.")
        data("A coded trace of the address stays, so that the file does not bring them back.")
    elif keep or reader.status in (Status.UNSUBSCRIBED, Status.SUPPRESSED):
        data("A coded trace of the address stays, so that no file brings them back.")
    if not ask("Delete?", yes=yes):
        say("Nothing was changed.")
        return 1
    store.audience.erase(address, keep_hash=keep, fingerprint=fingerprint(project.secret), at=now())
    data("Deleted. Copies elsewhere are yours to delete: backups of the database, messages in outbox folders.")
    return 0


def _known(store: Store, address: str) -> Reader | None:
    try:
        return store.audience.find(address)
    except NotFound:
        return None


def _place_in_file(project: Project, reader: Reader, *others: Address) -> str:
    """Where the reader's row stands in the owner's file: "subscribers.csv, row 3"; empty when it doesn't.

    *others* are addresses of records that were merged into theirs.
    """
    keys = {address.key for address in (reader.address, *others)}
    path = project.config.subscribers_file
    if path is None:
        return ""
    try:
        for row in read_rows(path):
            if row.address is not None and row.address.key in keys:
                return f"{path.name}, row {row.row},"
    except NewsletterError:
        return f"{path.name}, which can't be read now," if reader.in_file else ""
    return ""


_NAMED = {
    "list": list_, "add": add, "import": import_, "imports": imports, "undo-import": undo_import, "export": export,
    "duplicates": duplicates, "merge": merge, "pause": pause, "resume": resume,
    "unsubscribe": unsubscribe, "confirm": confirm, "correct": correct, "sync": sync, "erase": erase,
}  # fmt: skip
for _name, _command in _NAMED.items():
    subscribers.add_command(_command, _name)

COMMANDS = {"subscribers": subscribers}
