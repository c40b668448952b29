"""Commands about the posts themselves: new, import, posts."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.output import ask, data, facts, json_option, plural, say, table, warn, yes_option
from newsletter.cli.project import Project, now, open_project
from newsletter.errors import NewsletterError, PostError, StoreError

if TYPE_CHECKING:
    from newsletter.catalogue import Entry
    from newsletter.posts import Fault, Folder

_HIGHEST = 999_999_999
_WEB_PAGE = re.compile(r"\s*(?:<!doctype html|<html|<head|<\?xml)", re.IGNORECASE)
_FRONT_MATTER = re.compile(r"\s*---[ \t]*\n(?:.*\n)*?title:.*\n(?:.*\n)*?---", re.IGNORECASE)


@click.command()
@click.argument("title")
@click.pass_context
def new(ctx: click.Context, title: str) -> None:
    """Begin a post with TITLE: the next number, its front matter filled in, as a draft.

    Readers get it when you change "status: draft" in it to "status: live".

    \b
    Example:
      newsletter new "The first session"
    """
    from newsletter.posts import file_name, new_post_text, slug

    project = open_project(ctx)
    if not any(c.isprintable() and not c.isspace() for c in title):
        raise click.UsageError('the title is empty: newsletter new "The first session"', ctx)
    shelf = _Shelf.of(project)
    number = shelf.next_number()
    path = project.config.posts / file_name(number, title)
    _write({path: new_post_text(title, post_id=shelf.free_id(slug(title) or "post", number))})
    data(_short(path))
    say(f"A draft: write it in any text editor, and look at it with `newsletter preview {number}`.")


@dataclass
class _Shelf:
    """The numbers and ids that are taken, in posts/ and in the records, with the files that have them."""

    numbers: dict[int, list[str]]
    ids: set[str]

    @classmethod
    def of(cls, project: Project) -> _Shelf:
        with suppress(OSError):  # reading it says more
            project.config.posts.mkdir(exist_ok=True)
        folder = project.folder
        shelf = cls({}, set())
        files = [(p.number, p.path.name, p.id) for p in (*folder.posts, *folder.held)]
        files += [(f.number or 0, f.path.name, f.id) for f in folder.faults]
        for number, name, ident in dict.fromkeys(files):
            shelf.ids.add(ident)
            if number < _HIGHEST:
                shelf.numbers.setdefault(number, []).append(name)
        known = _known(project)
        gone = [entry for entry in known if entry.ident not in shelf.ids and entry.live_since is not None]
        if any(entry.delivered for entry in known):
            # Readers are past these numbers, or wait at them, though the files are gone: no place for a new post.
            for entry in gone:
                shelf.numbers.setdefault(entry.number, [f"{entry.file}, which is gone"])
        shelf.ids.update(entry.ident for entry in gone)
        return shelf

    def next_number(self) -> int:
        """One above the highest."""
        return max(self.numbers, default=0) + 1

    def free_id(self, wish: str, number: int) -> str:
        """*wish*, or something near it when another post has it."""
        return wish if wish not in self.ids else f"{wish}-{number}"


def _known(project: Project) -> list[Entry]:
    """The posts on record; writing goes on without them when the database can't be read now."""
    with suppress(StoreError):
        if store := project.existing_store():
            return store.catalogue.entries()
    return []


def _write(posts: dict[Path, str]) -> None:
    """Write all of *posts*, or none."""
    from newsletter.cli.files import create

    written: list[Path] = []
    try:
        for path, text in posts.items():
            create(path, text.encode())
            written.append(path)
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        why = "there is such a file already" if isinstance(error, FileExistsError) else error.strerror
        raise NewsletterError(f"posts/{path.name} can't be written ({why}); nothing was changed.") from None


def _short(path: Path) -> str:
    """*path* as it can be typed here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


# import


@dataclass
class _Page:
    """One pasted page on its way to a post."""

    source: str  #: as the owner called it
    title: str
    body: str
    cut: tuple[str, ...]
    number: int | None


@click.command("import")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--number",
    metavar="N",
    type=click.IntRange(1),
    help="The post's number, when the page doesn't say it or it is taken.",
)
@yes_option
@json_option
@click.pass_context
def import_(ctx: click.Context, files: tuple[str, ...], number: int | None, yes: bool, as_json: bool) -> int:
    """Turn pasted web pages into numbered posts.

    FILE is plain text: open the page in a browser, select all, copy, and paste it into a text editor. A line such
    as "Blog #7" gives the number; menus, dates and links to other pages are cut, and you are told which.
    With - the page is read from standard input. Either all pages become posts, or none.

    \b
    Example:
      newsletter import page.txt
      newsletter import page.txt --number 7
    """
    project = open_project(ctx)
    if number is not None and len(files) > 1:
        raise click.UsageError("--number is for one page; name one FILE with it.", ctx)
    pages = [_page(name) for name in files]
    shelf = _Shelf.of(project)
    if number is not None:
        pages[0].number = number
    guessed = _numbered(pages, shelf)
    posts = _posts(pages, shelf, project)
    if not as_json:
        for page, path in zip(pages, posts, strict=True):
            _announce(page, _short(path), guessed=page in guessed)
    # A script has said what it wants; a person may have pasted the wrong page.
    if sys.stdin.isatty() and not ask(f"Write {'it' if len(pages) == 1 else 'them'}?", yes=yes):
        say("Nothing was changed.")
        return 1
    _write(posts)
    if as_json:
        facts([_page_facts(page, path) for page, path in zip(pages, posts, strict=True)])
        return 0
    say(f"{'It is' if len(pages) == 1 else 'They are'} live: `newsletter plan` shows who gets what when.")
    say('To hold a post back, write "status: draft" into its file.')
    return 0


def _page(name: str) -> _Page:
    """Read one pasted page. Raises `PostError`."""
    from newsletter.pasted import read_pasted
    from newsletter.posts import plain_text

    called = "standard input" if name == "-" else name
    text = plain_text(sys.stdin.buffer.read() if name == "-" else Path(name), called)
    if _FRONT_MATTER.match(text):
        raise PostError(called, "this is a post already; put the file into posts/ under a name such as 007-title.md")
    if _WEB_PAGE.match(text):
        raise PostError(
            called,
            "this is a web page's source; open it in a browser, select all, copy, and paste the words into a text file",
        )
    found = read_pasted(text, called)
    return _Page(called, found.title, found.body, found.cut, found.number)


def _numbered(pages: list[_Page], shelf: _Shelf) -> list[_Page]:
    """Give each page a number that is free; returns those whose own page has none. Raises `PostError`."""
    taken: dict[int, str] = {number: f"posts/{' and posts/'.join(names)}" for number, names in shelf.numbers.items()}
    for page in pages:
        if page.number is None:
            continue
        if not 0 < page.number <= _HIGHEST:
            raise PostError(page.source, f"a post can't have the number {page.number}; say another one with --number N")
        if other := taken.get(page.number):
            remedy = f"if this is another post, import it with --number {max(taken) + 1}. Nothing was changed"
            raise PostError(page.source, f"number {page.number} is taken by {other}; {remedy}")
        taken[page.number] = page.source
    guessed = [page for page in pages if page.number is None]
    for number, page in enumerate(guessed, max(taken, default=0) + 1):
        page.number = number
    return guessed


def _posts(pages: Iterable[_Page], shelf: _Shelf, project: Project) -> dict[Path, str]:
    """The files to write, each with its content."""
    from newsletter.posts import PostStatus, file_name, new_post_text, slug

    found: dict[Path, str] = {}
    for page in pages:
        assert page.number is not None
        ident = shelf.free_id(slug(page.title) or "post", page.number)
        shelf.ids.add(ident)
        path = project.config.posts / file_name(page.number, page.title)
        found[path] = new_post_text(page.title, post_id=ident, body=page.body, status=PostStatus.LIVE)
    return found


def _page_facts(page: _Page, path: Path) -> dict[str, Any]:
    return {"source": page.source, "post": page.number, "title": page.title, "file": path, "cut": page.cut}


def _announce(page: _Page, path: str, *, guessed: bool) -> None:
    data(f"{page.source} → {path}")
    data(
        f"  #{page.number} {page.title}"
        + (" (the page has no number of its own; this is the next free one)" if guessed else "")
    )
    words = sum(any(map(str.isalnum, word)) for word in page.body.split())
    headings = sum(line.startswith("## ") for line in page.body.splitlines())
    data(f"  {plural(words, 'word')}, {plural(headings, 'heading')}")
    if page.cut:
        data(f"  {plural(len(page.cut), 'line')} left out:")
        for line in page.cut:
            data(f"    {line if len(line) <= 90 else line[:89] + '…'}")


# posts


@click.command()
@json_option
@click.pass_context
def posts(ctx: click.Context, as_json: bool) -> None:
    """List the posts, how many readers have got each, and what is wrong with any of them.

    \b
    Example:
      newsletter posts
    """
    from newsletter.catalogue import survey

    project = open_project(ctx)
    config, store, folder = project.config, project.existing_store(), project.folder
    known = store.catalogue.entries() if store else []
    found = survey(
        known,
        folder,
        at=now(),
        previous=store.facts.last_tick() if store else None,
        rules=config.rules,
        identity=config.identity,
    )
    got = {p["ident"]: p["deliveries"].get("accepted", 0) for p in store.accounts.by_post()} if store else None
    rows = [_row(e, folder, got) for e in found.entries if e.status != "missing" or e.live_since is not None]
    listed = {row["file"] for row in rows}
    titles = {post.path.name: post.title for post in folder.held}
    unlisted = {f.path.name: f for f in folder.faults if f.path.name not in listed}
    rows += [_unlisted(fault, titles.get(name), got) for name, fault in unlisted.items()]
    rows.sort(key=lambda row: (row["number"] or 0, row["file"]))
    if as_json:
        facts({"posts": rows, "problems": list(found.notes), "warnings": list(folder.warnings)})
        return
    if rows:
        _show(rows, project)
    else:
        data('There are no posts yet: newsletter new "The first session" begins one.')
    warn([*found.notes, *folder.warnings])


def _row(entry: Entry, folder: Folder, got: dict[str, int] | None) -> dict[str, Any]:
    states = {"conflict": "held", "suspect": "held", "missing": "gone"}
    state = states.get(entry.status, entry.status)
    if state == "live" and entry.reason:
        state = "held"
    if state == "gone" and any(fault.path.name == entry.file for fault in folder.faults):
        state = "broken"
    return {
        "number": entry.number, "title": entry.title, "state": state, "file": entry.file, "id": entry.ident,
        "publish_at": entry.publish_at, "accepted": None if got is None else got.get(entry.ident, 0),
    }  # fmt: skip


def _unlisted(fault: Fault, title: str | None, got: dict[str, int] | None) -> dict[str, Any]:
    """A file that is new and can't be used; it has a *title* when only its number or id is in the way."""
    return {
        "number": fault.number, "title": title or "", "state": "broken" if title is None else "held",
        "file": fault.path.name, "id": fault.id, "publish_at": None, "accepted": None if got is None else 0,
    }  # fmt: skip


def _show(rows: list[dict[str, Any]], project: Project) -> None:
    zone = project.config.identity.timezone
    columns = {
        "Post": [f"#{row['number']}" if row["number"] else "" for row in rows],
        "Title": [title if len(title) <= 44 else title[:43] + "…" for title in (row["title"] for row in rows)],
        "State": [row["state"] for row in rows],
    }
    if any(row["publish_at"] for row in rows):
        dates = (row["publish_at"] for row in rows)
        columns["Publish"] = [f"{at.astimezone(zone):%Y-%m-%d %H:%M}" if at else "" for at in dates]
    if any(row["accepted"] for row in rows):
        columns["Sent to"] = [f"{row['accepted']:,}" for row in rows]
    columns["File"] = [row["file"] for row in rows]
    right = frozenset(at for at, heading in enumerate(columns) if heading in ("Post", "Sent to"))
    table(list(columns), zip(*columns.values(), strict=True), right=right)


COMMANDS = {"new": new, "import": import_, "posts": posts}
