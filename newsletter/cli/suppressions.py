"""The commands of `newsletter suppressions`."""

from __future__ import annotations

from typing import Any

import click

from newsletter import feedback
from newsletter.cli import Suggesting
from newsletter.cli.output import ask, data, facts, iso, json_option, plural, say, table, warn, yes_option
from newsletter.cli.project import now, open_project
from newsletter.errors import NotFound
from newsletter.intake import fingerprint
from newsletter.mail import Address
from newsletter.store.feedback import Effect, Waiting
from newsletter.store.suppressions import Suppression
from newsletter.subscribers import Cause

_WHY = {
    "bounced": "letters came back",
    "complained": "called a letter spam",
    "forbidden": "by you",
    "erased": "was erased",
    "left elsewhere": "had left elsewhere",
    "corrected": "has another address now",
}


@click.group(cls=Suggesting)
def suppressions() -> None:
    """Addresses that get nothing more, whatever a file says.

    An address that turns out not to exist, and one whose reader calls a letter spam, comes here by itself.

    \b
    newsletter suppressions list
    newsletter suppressions COMMAND -h    help and an example for each command
    """


@click.command("list")
@json_option
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """Who gets nothing more, since when and why.

    \b
    Example:
      newsletter suppressions list
    """
    project = open_project(ctx)
    store = project.existing_store()
    found = list(store.suppressions.all(fingerprint=fingerprint(project.known_secret))) if store else []
    named, traces = [s for s in found if s.address], [s for s in found if not s.address]
    if as_json:
        facts([_facts(s) for s in found])
        return
    zone = project.config.identity.timezone
    if named:
        rows = [
            (s.address, f"{s.since.astimezone(zone):%Y-%m-%d}", _WHY.get(s.reason, s.reason), s.detail) for s in named
        ]
        table(("Address", "Since", "Why", ""), rows)
        data()
    data(f"{plural(len(named), 'reader gets', 'readers get') if named else 'No reader is suppressed; everybody gets'}"
         f" {'nothing more' if named else 'what is due'}.")  # fmt: skip
    if traces:
        data(f"Of {plural(len(traces), 'further address', 'further addresses')} only a coded trace is kept, which keeps"
             " it out and reveals nothing.")  # fmt: skip
    warn(feedback.undecided(store) if store else [])


def _facts(s: Suppression) -> dict[str, Any]:
    return {
        "email": s.address or None, "since": iso(s.since), "reason": s.reason, "detail": s.detail or None,
        "liftable": s.liftable,
    }  # fmt: skip


@click.command()
@click.argument("addresses", nargs=-1, required=True)
@click.option("--reason", default="", help="For your own memory; kept with the reader.")
@click.option("--complained", is_flag=True, help="They called it spam, or told you so: for ever, it can't be lifted.")
@json_option
@click.pass_context
def add(ctx: click.Context, addresses: tuple[str, ...], reason: str, complained: bool, as_json: bool) -> None:
    """Send nothing more to these ADDRESSES, readers or not.

    Of an address that is no reader's only a coded trace is kept: no file and no import brings it in.

    \b
    Example:
      newsletter suppressions add ana@example.org --reason "asked me on the telephone"
    """
    project = open_project(ctx)
    cause = Cause.COMPLAINED if complained else Cause.FORBIDDEN
    parsed = [Address.parse(address) for address in addresses]
    done = []
    for address in parsed:
        known = project.store.suppressions.add(
            address, cause, detail=reason, fingerprint=fingerprint(project.secret), at=now()
        )
        done.append({"email": str(address), "reason": cause.value, "reader": known})
        if not as_json:
            data(f"{address} gets nothing more{'' if known else ', though it is no reader: no file brings it in'}.")
    if as_json:
        facts(done)


@click.command()
@click.argument("address")
@yes_option
@json_option
@click.pass_context
def lift(ctx: click.Context, address: str, yes: bool, as_json: bool) -> int:
    """Send to ADDRESS again.

    The mailbox is there after all. What came back is sent again, one letter at a time. A complaint is for ever.

    \b
    Example:
      newsletter suppressions lift ana@example.org
    """
    project = open_project(ctx)
    store, parsed = project.existing_store(), Address.parse(address)
    if store is None:
        raise NotFound("there are no readers on record yet, so nobody is suppressed.")
    if not ask(f"Send to {parsed} again?", yes=yes):
        say("Nothing was changed.")
        return 1
    reader = store.suppressions.lift(parsed, fingerprint=fingerprint(project.secret), at=now())
    if as_json:
        facts({"email": str(parsed), "reader": reader})
    else:
        data(f"{parsed} {'gets letters again, from the next slot on' if reader else 'may become a reader again'}.")
    return 0


@click.command()
@json_option
@click.pass_context
def quarantined(ctx: click.Context, as_json: bool) -> None:
    """What waits for your word.

    It was told of too many readers at once. Look whether it can be true: an old list may have many dead addresses; a
    provider's mistake, or somebody who got hold of your webhook's address, looks the same. Then `accept` or `discard`,
    for some of them or for all.

    \b
    Example:
      newsletter suppressions quarantined
    """
    project = open_project(ctx)
    store = project.existing_store()
    found = store.feedback.waiting() if store else []
    if as_json:
        facts([_waiting_facts(w) for w in found])
        return
    if not found:
        data("Nothing waits for your word.")
        return
    zone = project.config.identity.timezone
    rows = [(w.address, w.kind, w.source, f"{w.heard_at.astimezone(zone):%Y-%m-%d %H:%M}", w.reply) for w in found]
    table(("Address", "Told", "By", f"At ({zone.key})", ""), rows)
    data("\nTo believe it: `newsletter suppressions accept`; not to: `newsletter suppressions discard`.")


def _waiting_facts(w: Waiting) -> dict[str, Any]:
    reply = str(w.reply) or None
    return {"email": w.address, "kind": w.kind, "source": w.source, "at": iso(w.heard_at), "reply": reply}


def _decide(ctx: click.Context, addresses: tuple[str, ...], *, believed: bool, yes: bool, as_json: bool) -> int:
    project = open_project(ctx)
    store = project.existing_store()
    keys = {Address.parse(address).key for address in addresses}
    waiting = store.feedback.waiting() if store else []
    about = {w.address for w in waiting if not keys or Address.parse(w.address).key in keys}
    if store is None or not about:
        raise NotFound("nothing waits for your word" + (" about that address." if keys else "."))
    what = "Send nothing more to" if believed else "Forget what was told about"
    if not ask(f"{what} {plural(len(about), 'reader')}?", yes=yes):
        say("Nothing was changed.")
        return 1
    taken = feedback.decide(store, keys, believed=believed, fingerprint=fingerprint(project.secret), at=now())
    suppressed = taken.effects[Effect.SUPPRESSED]
    if as_json:
        facts({effect.value: count for effect, count in taken.effects.items()})
    elif believed:
        data(f"{plural(suppressed, 'reader gets', 'readers get')} nothing more.")
    else:
        data(f"What was told about {plural(len(about), 'reader is', 'readers are')} forgotten; they get what is due.")
    return 0


@click.command()
@click.argument("addresses", nargs=-1)
@yes_option
@json_option
@click.pass_context
def accept(ctx: click.Context, addresses: tuple[str, ...], yes: bool, as_json: bool) -> int:
    """Believe what waits, about ADDRESSES or all.

    \b
    Example:
      newsletter suppressions accept
      newsletter suppressions accept ana@example.org
    """
    return _decide(ctx, addresses, believed=True, yes=yes, as_json=as_json)


@click.command()
@click.argument("addresses", nargs=-1)
@yes_option
@json_option
@click.pass_context
def discard(ctx: click.Context, addresses: tuple[str, ...], yes: bool, as_json: bool) -> int:
    """Forget what waits, about ADDRESSES or all.

    \b
    Example:
      newsletter suppressions discard
    """
    return _decide(ctx, addresses, believed=False, yes=yes, as_json=as_json)


for _command in (list_, add, lift, quarantined, accept, discard):
    suppressions.add_command(_command)

COMMANDS = {"suppressions": suppressions}
