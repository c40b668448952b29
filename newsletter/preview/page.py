"""The page: one post in one view, the same in the browser's live window and on the disk.

Every way to look at the post is a plain link, so the page works without script; where pages and letters lie is the
business of a `Site`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from email.message import EmailMessage
from functools import cache
from typing import Any, Protocol

from newsletter.checks import Finding, Severity
from newsletter.posts import Post, PostStatus
from newsletter.preview.places import places
from newsletter.preview.sheet import NEAR_CLIP, Sheet, kilobytes
from newsletter.preview.views import View, letter
from newsletter.proof import CLIP, SAMPLE, Proof
from newsletter.render import direction
from newsletter.render.templates import Filler
from newsletter.starter import builtin_templates

_ENCODED = re.compile(r"(?:^[A-Za-z0-9+/]{60,76}\n){8,}", re.MULTILINE)
_TURNS_MOST = 8  # letters of a sequence around the one that is looked at

_ABOUT = {
    PostStatus.DRAFT: "A draft: nobody gets it before its front matter says status: live.",
    PostStatus.LIVE: "Live: it leaves when its turn comes.",
    PostStatus.RETRACTED: "Retracted: nobody gets it any more.",
}
_KEPT_BACK = "Live, but kept from leaving until what is wrong with it is mended."
_LABELS = {Severity.ERROR: "Keeps it from leaving", Severity.WARNING: "Worth mending", Severity.NOTE: "Good to know"}


class Site(Protocol):
    """Where the pages are, as addresses to put into links."""

    live: bool  #: a server answers: forms work, and saved changes show

    def page(self, view: View) -> str:
        """The page that shows the post in *view*."""
        ...

    def letter(self, view: View, digest: str) -> str:
        """The letter alone, for a frame; *digest* changes with its bytes."""
        ...

    def message(self) -> str:
        """The message as a file to take away."""
        ...

    def neighbour(self, number: int) -> str:
        """The page of another post, "" where there is none."""
        ...


def page_of(name: str, values: Mapping[str, Any]) -> str:
    """Template *name* of templates/web with *values*."""
    return _filler().fill(name, values)


@cache  # compiling a page's templates costs 20 ms
def _filler() -> Filler:
    return Filler(builtin_templates().parent / "web")


def page(sheet: Sheet, view: View, site: Site, *, form: Mapping[str, str] | None = None) -> str:
    """The page that shows *sheet* in *view*; *form* has what the form for a test message says, where there is one."""
    proof, post = sheet.proof, sheet.proof.post
    language = post.language or proof.identity.language
    values: dict[str, Any] = {
        "newsletter": proof.identity.name,
        "number": post.number,
        "title": post.title,
        "about": _KEPT_BACK if sheet.kept_back else _ABOUT[post.status],
        "path": f"{post.path.parent.name}/{post.path.name}",
        "language": language,
        "direction": direction(language),
        "sentence": sheet.sentence,
        "held": sheet.held if sheet.reader else (),
        "live": site.live,
        "view": view.value,
        "view_title": view.label,
        "view_about": view.about,
        "views": [
            {
                "key": n,
                "name": v.value,
                "title": v.label,
                "href": site.page(v),
                "here": v is view,
                "letter": v.is_letter,
            }
            for n, v in enumerate(View, 1)
        ],
        "neighbours": beside(sheet.before, sheet.after, site),
        "message": site.message(),
        "form": form,
    }
    return page_of("preview.html", values | _inbox(proof) | _reader(sheet) | _sizes(proof) | _shown(sheet, view, site))


def beside(before: Post | None, after: Post | None, site: Site) -> list[dict[str, Any]]:
    """The way to the posts before and after one, as far as they have a page."""
    return [
        {"rel": rel, "number": post.number, "title": post.title, "href": href}
        for rel, post in (("prev", before), ("next", after))
        if post and (href := site.neighbour(post.number))
    ]


def _inbox(proof: Proof) -> dict[str, Any]:
    parsed, identity = proof.parsed, proof.identity
    sender = identity.sender.name or identity.name
    return {
        "sender": sender,
        "initial": sender[:1],
        "subject": str(parsed["Subject"]),
        "preheader": proof.rendered.preheader,
        "day": f"{parsed['Date'].datetime.astimezone(identity.timezone):%-d %b}",
        "recipient": proof.recipient.name or str(proof.recipient.address),
    }


def _reader(sheet: Sheet) -> dict[str, Any]:
    turns = sheet.when.turns
    here = next((i for i, turn in enumerate(turns) if turn.number == sheet.proof.post.number), 0)
    first = max(0, min(here - _TURNS_MOST // 2, len(turns) - _TURNS_MOST))
    return {
        "reader": sheet.reader,
        "reader_name": str(sheet.proof.recipient) if sheet.reader else f"a sample reader, {SAMPLE.name}",
        "readers": [{"address": r.address, "name": r.name} for r in sheet.readers],
        "turns": [
            {"number": t.number, "title": t.title, "day": t.day, "past": t.past, "here": i == here}
            for i, t in enumerate(turns[first : first + _TURNS_MOST], first)
        ],
        "turns_more": len(turns) - first - _TURNS_MOST,
    }


def _sizes(proof: Proof) -> dict[str, Any]:
    return {
        "html_size": proof.html_size,
        "clip": CLIP,
        "clip_near": NEAR_CLIP,
        "size_words": f"The letter has {kilobytes(proof.html_size)}; after 102 KB Gmail would cut it.",
        "total_words": ", ".join(_totals(proof.parsed, proof)) + ".",
    }


def _totals(parsed: EmailMessage, proof: Proof) -> Iterator[str]:
    pictures = [part for part in parsed.walk() if part.get_content_maintype() == "image"]
    yield f"The whole message has {kilobytes(len(proof.message))}"
    if pictures:
        yield f"{len(pictures)} {'picture' if len(pictures) == 1 else 'pictures'} included"
    yield f"{len(proof.text.split()):,} words"


# --- what the view shows, and what was found there


def _shown(sheet: Sheet, view: View, site: Site) -> dict[str, Any]:
    proof = sheet.proof
    html = letter(proof.page, view if view.is_letter else View.LIGHT, sheet.findings)
    in_letter = site.letter(view if view.is_letter else View.LIGHT, hashlib.sha256(html.encode()).hexdigest()[:12])
    found = places(proof.page, sheet.findings)
    header = proof.message.partition(b"\r\n\r\n")[0].decode("ascii").replace("\r\n", "\n")
    return {
        "frame": in_letter if view.is_letter else "",
        "text": proof.text if view is View.TEXT else "",
        "fields": [(name, str(value)) for name, value in proof.parsed.items()] if view is View.FIELDS else [],
        "raw_header": header,
        "source": _folded(proof.message) if view is View.SOURCE else "",
        "lines": _lines(sheet.findings, _file(proof)) if view is View.MARKDOWN else [],
        "findings": [
            {
                "severity": finding.severity.value,
                "label": _LABELS[finding.severity],
                "problem": finding.problem,
                "remedy": finding.remedy,
                "quote": finding.quote,
                "where": where,
                "href": href,
                "frame": view.is_letter and index in found,
            }
            for index, finding in enumerate(sheet.findings)
            for where, href in [_way(index, finding, view, site, in_letter, found)]
        ],
        "counts": _counts(sheet.findings),
    }


def _way(
    index: int, finding: Finding, view: View, site: Site, in_letter: str, found: Mapping[int, str]
) -> tuple[str, str]:
    """In words and as an address, where a finding is to be seen: in the letter's frame, else in the post's file."""
    if view.is_letter and index in found:
        return "Show it in the letter", f"{in_letter}#{found[index]}"
    if finding.line:
        return f"Line {finding.line} of your file", f"{site.page(View.MARKDOWN)}#line-{finding.line}"
    if index in found:
        return "In the letter", site.page(View.LIGHT)
    return "", ""


def _counts(findings: Sequence[Finding]) -> str:
    counts = {severity: sum(f.severity is severity for f in findings) for severity in Severity}
    nouns = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}
    said = [f"{n} {nouns[s]}{'' if n == 1 else 's'}" for s, n in counts.items() if n]
    return ", ".join(said) or "Nothing found."


def _file(proof: Proof) -> str:
    try:
        return proof.post.path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):  # it was there a moment ago, and is being written
        return proof.post.body


def _lines(findings: Sequence[Finding], text: str) -> list[dict[str, Any]]:
    """The lines of the post's file, each with the findings that are about it."""
    about: dict[int, list[dict[str, str]]] = {}
    for finding in findings:  # what weighs most comes first
        if finding.line:
            remark = {"severity": finding.severity.value, "words": f"{finding.problem} {finding.remedy}"}
            about.setdefault(finding.line, []).append(remark)
    return [{"n": n, "text": line, "findings": about.get(n, [])} for n, line in enumerate(text.splitlines(), 1)]


def _folded(message: bytes) -> str:
    """The message with long stretches of base64 cut to their first lines."""

    def shorter(found: re.Match[str]) -> str:
        lines = found[0].splitlines()
        return "\n".join([*lines[:3], f"[… {len(lines) - 4:,} more lines of base64 …]", lines[-1], ""])

    return _ENCODED.sub(shorter, message.decode("ascii").replace("\r\n", "\n"))
