"""The command that shows a post as its readers get it: preview."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from newsletter.cli.output import data, facts, iso, json_option, say, warn
from newsletter.cli.project import Project, looked_at, now, open_project
from newsletter.mail import Mailbox
from newsletter.posts import Post
from newsletter.preview import Outlook, outlook, warnings_of, write
from newsletter.proof import CLIP, SAMPLE, Proof, pull

_DIR = click.Path(file_okay=False, path_type=Path)
no_open_option = click.option("--no-open", is_flag=True, help="Don't open the page in the browser.")


@click.command()
@click.argument("number", type=click.IntRange(min=1))
@click.option("--as", "address", metavar="ADDRESS", help="As this subscriber gets it, and when.")
@click.option("--text", "as_text", is_flag=True, help="Print the plain-text part and write nothing.")
@click.option("--output", metavar="DIR", type=_DIR, help="Write the page and the message into this folder.")
@no_open_option
@json_option
@click.pass_context
def preview(
    ctx: click.Context,
    number: int,
    address: str | None,
    as_text: bool,
    output: Path | None,
    no_open: bool,
    as_json: bool,
) -> None:
    """Look at post NUMBER as its readers will get it.

    Makes the message as it would leave, with the unsubscribe links turned off, and opens a page with it: on a desktop
    and on a phone, as plain text, with its header fields and its size. Drafts can be looked at too. Nothing is sent,
    and nothing is changed.

    \b
    Example:
      newsletter preview 4
      newsletter preview 4 --as ana@example.org
      newsletter preview 4 --text | less
    """
    if as_text and (output or as_json):
        raise click.UsageError("--text prints the plain text alone; leave out --output and --json, or --text.")
    project = open_project(ctx)
    post = project.post(number)
    recipient, when = _as(project, post, address) if address else (SAMPLE, Outlook(""))
    made = pull(post, project.config.identity, project.config.design, recipient, date=when.at or now())
    warnings = warnings_of(post, project.folder.warnings)
    if as_text:
        data(made.text.removesuffix("\n"))
        return
    folder = output or Path(tempfile.mkdtemp(prefix="newsletter-preview-"))  # it stays: the browser reads it later
    page = write(made, folder, sentence=_sentence(when, made), warnings=warnings)
    if as_json:
        facts(_facts(made, page, address, when, warnings))
        return
    data(f"#{post.number} {post.title} ({post.status})")
    if when.sentence:
        data(_sentence(when, made))
    data(f"The page: {page.resolve()}")
    warn(warnings)
    if not no_open:
        open_page(page)


def _as(project: Project, post: Post, address: str) -> tuple[Mailbox, Outlook]:
    """The subscriber with *address*, and when they get *post*; what it takes to know that is undone."""

    at, config = now(), project.config
    with looked_at(project, at) as (store, result):
        reader = store.audience.find(address)
        when = outlook(store, config.identity, config.rules, post, reader, at=at)
        warn(result.stopped)
    return Mailbox(reader.name, reader.address), when


def _sentence(when: Outlook, made: Proof) -> str:
    earlier = when.revision is not None and when.revision != made.revision
    return f"{when.sentence} What they got was an earlier text." if earlier else when.sentence


def _facts(made: Proof, page: Path, address: str | None, when: Outlook, warnings: list[str]) -> dict[str, Any]:
    page = page.resolve()
    return {
        "post": made.post.number,
        "title": made.post.title,
        "status": made.post.status,
        "subject": made.post.subject,
        "preheader": made.rendered.preheader,
        "reader": address and str(made.recipient.address),
        "at": iso(when.at),
        "sentence": _sentence(when, made) or None,
        "html_size": made.html_size,
        "clipped_from": CLIP,
        "message_size": len(made.message),
        "warnings": warnings,
        "files": {"page": page} | {kind: page.with_name(f"post.{kind}") for kind in ("html", "txt", "eml")},
    }


def open_page(page: Path) -> None:
    """Show *page* in the browser, where there is a screen to show it on."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return
    import webbrowser

    if not webbrowser.open(page.resolve().as_uri()):
        say("No browser was found; open the page yourself.")


COMMANDS = {"preview": preview}
