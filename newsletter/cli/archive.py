"""The command that writes the letters as files for a website: archive."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.output import data, facts, json_option, plural, say, warn
from newsletter.cli.project import Project, now, open_project
from newsletter.errors import ConfigError, NewsletterError

if TYPE_CHECKING:
    from newsletter.web.archive.export import Kept
    from newsletter.web.archive.shelf import Shelf


@click.command()
@click.option(
    "--output", metavar="DIR", type=click.Path(path_type=Path), required=True, help="The folder that the pages go into."
)
@click.option("--url", "site", default="", metavar="URL", help="Where the folder will be; otherwise [newsletter] url.")
@json_option
@click.pass_context
def archive(ctx: click.Context, output: Path, site: str, as_json: bool) -> int:
    """Write the letters as web pages, with an index and feeds, into a folder for any host.

    The pages work below any address and from the disk; no server of ours is needed. Run it again after each change:
    what is the same stays as it is, and the page of a letter that was retracted goes. Nothing else is touched. A letter
    is there once a run has seen it and it could have reached a reader.

    \b
    Example:
      newsletter archive --output site
      newsletter archive --output site --url https://example.org/letters
    """
    project = open_project(ctx)
    site = _address(site) if site else project.config.identity.url
    _refuse_hidden(project)
    _refuse_place(project, output)
    shelf, kept = _written(project, output, site)
    notes = [*shelf.notes, *(f"{name} was changed since it was written, so it stays; delete it." for name in kept.left)]
    if not shelf.letters:
        notes.append("no letter is there yet: the first is when a run (`newsletter send`) could have sent it.")
    if not site:
        notes.append(
            "there are no feeds, as each address in one is whole; set url in [newsletter], or name it with --url."
        )
    count = len(shelf.public())
    if as_json:
        told = {"folder": output.resolve(), "letters": count, "written": kept.written, "removed": kept.removed}
        facts(told | {"notes": notes})
    else:
        changed = f"{plural(len(kept.written), 'file')} written, {len(kept.removed):,} removed"
        data(f"{plural(count, 'letter')}: {output.resolve() / 'index.html'}")
        say(f"{changed}." if kept.written or kept.removed else "Nothing had changed.")
        warn(notes)
    return 1 if kept.left else 0


def _written(project: Project, output: Path, site: str) -> tuple[Shelf, Kept]:
    from newsletter.web.archive.export import files, keep
    from newsletter.web.archive.paper import Paper
    from newsletter.web.archive.shelf import Library
    from newsletter.web.pages import Pages

    config, store = project.config, project.existing_store()
    if store is None:
        raise NewsletterError(
            "no run has looked at the posts yet, so none of them is out, and no page was written; `newsletter plan`"
            " tells what the first run will do, and `newsletter send` is one."
        )
    shelf = Library(config, store).look(at=now())
    paper = Paper(Pages(config.identity, config.design, ""), config.archive, config.rules.mode)
    return shelf, keep(files(shelf, paper, config.identity, site=site), output, spared=shelf.broken)


def _address(given: str) -> str:
    from newsletter.config.values import WrongValueError, url

    try:
        return url(given)
    except WrongValueError as wrong:
        raise click.UsageError(f"--url {given}: {wrong}") from None


def _refuse_hidden(project: Project) -> None:
    from newsletter.config import Visible

    visible = project.config.archive.visible
    if visible is not Visible.ALL:
        raise ConfigError(
            f'newsletter.toml: [archive] visible is "{visible}", and files on a website are for everybody; write'
            ' visible = "all" if that is meant. Nothing was written.'
        )


def _refuse_place(project: Project, output: Path) -> None:
    """A folder of its own: pages among the posts or the settings would be taken for something else."""
    root, place = project.config.root.resolve(), output.resolve()
    taken = [root / "posts", root / "templates"]
    if root.is_relative_to(place) or any(place.is_relative_to(folder) for folder in taken):
        raise NewsletterError(
            f"{output} is where the newsletter itself lies; choose a folder of its own, such as site."
        )


COMMANDS = {"archive": archive}
