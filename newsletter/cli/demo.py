"""The command that shows a whole newsletter at work: demo."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from shlex import quote
from typing import Any

import click

from newsletter.cli.look import no_open_option, open_page
from newsletter.cli.output import Progress, data, facts, iso, json_option, say, table
from newsletter.cli.project import Project
from newsletter.cli.start import make_project, unfound
from newsletter.config import load
from newsletter.demo import RUNS, START, Calendar, questions, rehearse, remark, remarks, verdict, write_page
from newsletter.errors import ConfigError
from newsletter.providers import open_provider
from newsletter.store import Store

_REMEDY = "name a new folder, or leave it out"


@click.command()
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@no_open_option
@json_option
def demo(folder: Path | None, no_open: bool, as_json: bool) -> int:
    """See six weeks of a newsletter in half a minute, in a scratch folder.

    Makes a project with the sample posts and list in DIR (a new temporary folder, when left out) and runs it every
    hour for six weeks with a simulated clock. One reader joins late, and one leaves. Then it shows who got what.
    Nothing leaves this machine, and no other project is touched.

    \b
    Example:
      newsletter demo
    """
    root = _scratch(folder)
    try:
        calendar = _run(root)
    except BaseException:
        if folder is None:
            shutil.rmtree(root, ignore_errors=True)
        raise
    page = write_page(calendar, _program())
    if as_json:
        facts(_facts(calendar, page))
    else:
        _show(calendar, page)
        if not no_open:
            open_page(page.resolve().as_uri())
    return 1 if calendar.problems else 0


def _scratch(folder: Path | None) -> Path:
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="newsletter-demo-")).resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ConfigError(f"{folder} is not empty, and the demo touches nobody's files: {_REMEDY}.")
    except OSError as error:
        raise ConfigError(f"{folder} can't be used ({error.strerror}): {_REMEDY}.") from None
    return folder.resolve()


def _run(root: Path) -> Calendar:
    make_project(root)
    config = load(root, {})  # the environment may speak of a real newsletter
    say(f"Six weeks of hourly runs in {root}, with a simulated clock …")
    store = Store.open(config.store_url)
    try:
        with Progress("six weeks") as bar:
            provider = open_provider(config, now=lambda: START)
            return rehearse(config, store, provider, Project(config).secret, progress=bar)
    finally:
        store.close()


def _program() -> str:
    """What to type for it in this shell."""
    folder = unfound()
    return quote(str(folder / "newsletter")) if folder else "newsletter"


def _show(calendar: Calendar, page: Path) -> None:
    days = calendar.days
    data(f"\n{RUNS:,} runs from {START:%A %-d %B %Y} on; hours by each reader's own clock:\n")
    table(
        ("Reader", *(f"{day:%-d %b}" for day in days)),
        [
            (
                line.name,
                *(" ".join(f"#{x.post} {x.at:%H:%M}" for x in line.on(day)) or remark(line, day) for day in days),
            )
            for line in calendar.lines
        ],
    )
    data()
    for sentence in remarks(calendar):
        data(f"- {sentence}")
    data(f"\n{verdict(calendar)}\n")
    data(f"The messages   {calendar.folder}")
    data(f"A page         {page}")
    data("\nAsk it yourself:")
    for command, _ in questions(calendar, _program()):
        data(f"  {command}")


def _facts(calendar: Calendar, page: Path) -> dict[str, Any]:
    return {
        "folder": calendar.config.root,
        "messages_folder": calendar.folder,
        "page": page,
        "runs": RUNS,
        "messages": calendar.messages,
        "balanced": not calendar.problems,
        "problems": calendar.problems,
        "readers": [
            {
                "email": str(line.reader.address),
                "name": line.reader.name,
                "timezone": line.zone.key,
                "joined": iso(line.joined),
                "left": iso(line.left),
                "got": [{"post": x.post, "at": iso(x.at), "message": x.message} for x in line.letters],
            }
            for line in calendar.lines
        ],
    }


COMMANDS = {"demo": demo}
