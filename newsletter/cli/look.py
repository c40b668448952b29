"""The commands that show a post as its readers get it: preview, test."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.output import data, facts, iso, json_option, say, warn
from newsletter.cli.project import Project, now, open_project

if TYPE_CHECKING:
    from newsletter.preview import Sheet

_DIR = click.Path(file_okay=False, path_type=Path)
no_open_option = click.option("--no-open", is_flag=True, help="Don't open the page in the browser.")


@click.command()
@click.argument("number", type=click.IntRange(min=1))
@click.option("--as", "address", default="", metavar="ADDRESS", help="As this subscriber gets it, and when.")
@click.option("--text", "as_text", is_flag=True, help="Print the plain-text part and write nothing.")
@click.option("--output", metavar="DIR", type=_DIR, help="Write the pages and the message into this folder.")
@click.option("--serve", is_flag=True, help="Show a live page, also when no terminal is here.")
@click.option("--port", type=click.IntRange(1, 65535), help="Where the live page is; otherwise any free port.")
@no_open_option
@json_option
@click.pass_context
def preview(
    ctx: click.Context,
    number: int,
    address: str,
    as_text: bool,
    output: Path | None,
    serve: bool,
    port: int | None,
    no_open: bool,
    as_json: bool,
) -> None:
    """Look at post NUMBER as its readers will get it.

    At a terminal: opens a page that shows what you save as you save it, until Ctrl-C. It is for this computer alone.
    In a script, or with --output: writes the pages into a folder and says where.

    Nothing is changed, and nothing is sent. The unsubscribe links do nothing. Drafts can be looked at too.

    \b
    Example:
      newsletter preview 4
      newsletter preview 4 --as ana@example.org
      newsletter preview 4 --text | less
    """
    if as_text and (output or as_json):
        raise click.UsageError("--text prints the plain text alone; leave out --output and --json, or --text.")
    served = serve or port is not None
    if served and (as_text or as_json or output):
        raise click.UsageError("--serve and --port show a live page; leave out --text, --json and --output, or those.")
    project = open_project(ctx)
    if served or not (as_text or as_json or output or not _terminal()):
        _show_live(project, number, address, port or 0, no_open)
        return
    from newsletter.cli.desk import sheet_of

    sheet = sheet_of(project, number, address)
    if as_text:
        data(sheet.proof.text.removesuffix("\n"))
        return
    folder = output or Path(tempfile.mkdtemp(prefix="newsletter-preview-"))  # it stays: the browser reads it later
    page = _written(sheet, folder, pictures=output is not None)
    if as_json:
        facts(_facts(sheet, page))
        return
    post = sheet.proof.post
    data(f"#{post.number} {post.title} ({post.status})")
    if sheet.sentence:
        data(sheet.sentence)
    data(f"The page: {page.resolve()}")
    warn(sheet.held)
    warn(f"{f.severity}: {f.problem} {f.remedy}" for f in sheet.findings)
    if not no_open:
        open_page(page.resolve().as_uri())


def _terminal() -> bool:
    """Whether a person is here who can end what goes on."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def _written(sheet: Sheet, folder: Path, *, pictures: bool) -> Path:
    """The pages in *folder*, with *pictures* of the letter where Chromium is there to take them."""
    from newsletter.preview import chromium, write

    program = chromium.found() if pictures else None
    if pictures and program is None:
        say("Without Chromium there are no pictures of the letter (PNG); everything else is there.")
    if program is None:
        return write(sheet, folder)
    try:
        with chromium.camera(program) as photograph:
            return write(sheet, folder, camera=photograph)
    except (chromium.BrowserGone, BrokenPipeError):
        say(f"{program} took no pictures of the letter; everything else is there.")
        return write(sheet, folder)


def _show_live(project: Project, number: int, address: str, port: int, no_open: bool) -> None:
    """The live page, until Ctrl-C."""
    from urllib.parse import urlencode

    from newsletter.cli.desk import Desk
    from newsletter.config.settings import FILE_NAME
    from newsletter.web.guard import Guard
    from newsletter.web.preview import preview_app
    from newsletter.web.serving import listening, serve
    from newsletter.web.watching import Bell, watching

    config, bell = project.config, Bell()
    sock = listening(port)
    place = sock.getsockname()[1]
    url = f"http://127.0.0.1:{place}/{number}{'?' + urlencode({'as': address}) if address else ''}"
    folders = [config.posts, *filter(None, [config.design.templates])]
    files = [config.root / FILE_NAME, *filter(None, [config.subscribers_file])]
    app = Guard(preview_app(Desk(config), bell, first=number, now=now), place)
    with suppress(KeyboardInterrupt), watching(folders, files, bell):
        data(f"The live page: {url}")
        say("What you save shows there. Ctrl-C ends it.")
        if not no_open:
            open_page(url)
        serve(app, sock, ending=bell.close)


def _facts(sheet: Sheet, page: Path) -> dict[str, Any]:
    from newsletter.proof import CLIP

    made, page = sheet.proof, page.resolve()
    return {
        "post": made.post.number,
        "title": made.post.title,
        "status": made.post.status,
        "subject": made.post.subject,
        "preheader": made.rendered.preheader,
        "reader": sheet.reader or None,
        "at": iso(sheet.when.at),
        "sentence": sheet.sentence or None,
        "html_size": made.html_size,
        "clipped_from": CLIP,
        "message_size": len(made.message),
        "findings": [
            {
                "rule": f.rule,
                "severity": f.severity,
                "problem": f.problem,
                "remedy": f.remedy,
                "part": f.part,
                "line": f.line,
                "quote": f.quote,
            }
            for f in sheet.findings
        ],
        "files": {"page": page} | {kind: page.with_name(f"post.{kind}") for kind in ("html", "txt", "eml")},
    }


def open_page(url: str) -> None:
    """Show *url* in the browser, where there is a screen to show it on."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return
    import webbrowser

    if not webbrowser.open(url):
        say("No browser was found; open the page yourself.")


@click.command()
@click.argument("number", type=click.IntRange(min=1))
@click.option("--to", required=True, metavar="ADDRESS", help="Where the test goes: a mailbox of yours.")
@click.option("--as", "address", default="", metavar="ADDRESS", help="As this subscriber gets it.")
@json_option
@click.pass_context
def test(ctx: click.Context, number: int, to: str, address: str, as_json: bool) -> None:
    """Send post NUMBER to yourself, through the configured provider.

    It is the message that a reader gets, with "[Test]" before its subject and unsubscribe links that do nothing. It
    works before `newsletter go-live`, for drafts too, and nothing is recorded of it: no reader's turn changes.

    \b
    Example:
      newsletter test 4 --to maya@example.org
      newsletter test 4 --to maya@example.org --as ana@example.org
    """
    from newsletter.cli.desk import send_test

    sent = send_test(open_project(ctx), number, address, to)
    if as_json:
        facts(sent.facts)
    else:
        data(sent.sentence)


COMMANDS = {"preview": preview, "test": test}
