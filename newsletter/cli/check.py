"""The command that judges posts before they leave: check."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from textwrap import wrap
from typing import Any

import click

from newsletter.checks import Context, Finding, Part, Severity, check_post, from_fault
from newsletter.cli.output import Progress, data, facts, json_option, plural, warn
from newsletter.cli.project import Project, now, open_project
from newsletter.posts import Fault, Post, PostStatus

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
_WIDEST = 100


@dataclass(frozen=True, slots=True)
class _Judged:
    """One file and what was found in it."""

    number: int | None
    title: str
    file: str
    draft: bool
    findings: tuple[Finding, ...]

    def count(self, *severities: Severity) -> int:
        return sum(finding.severity in severities for finding in self.findings)


@click.command()
@click.argument("number", type=click.IntRange(min=1), required=False)
@click.option("--strict", is_flag=True, help="Answer 1 for a warning too.")
@json_option
@click.pass_context
def check(ctx: click.Context, number: int | None, strict: bool, as_json: bool) -> int:
    """Find what is wrong with post NUMBER before it leaves, or with every post.

    Looks at what you wrote, at both parts of the letter and at the message as it would leave; nothing is looked up
    elsewhere. An error keeps the post from leaving until it is mended, a warning does not. The word in brackets is the
    check's name: `allow: NAME` in a post's front matter silences it there.

    \b
    Example:
      newsletter check 4
      newsletter check --strict
    """
    project = open_project(ctx)
    judged = _all(project) if number is None else [_one(project, number)]
    if as_json:
        facts([_fact(j, finding) for j in judged for finding in j.findings])
    else:
        _show(judged, alone=number is not None)
    if number is None and not as_json:
        remarks = {words for post in project.folder.posts for _, words in post.remarks}
        warn(w for w in project.folder.warnings if not any(w.endswith(words) for words in remarks))
    grave = [Severity.ERROR, *([Severity.WARNING] if strict or project.config.checks.strict else [])]
    # A draft is being written: what is wrong with it counts when she asks for it.
    return int(any(j.count(*grave) for j in judged if number is not None or not j.draft))


def _one(project: Project, number: int) -> _Judged:
    faults = [f for f in project.folder.faults if f.number == number]
    return _broken(faults) if faults else _judged(project, project.post(number))


def _all(project: Project) -> list[_Judged]:
    """Every post that may leave, with the files that are none, by number."""
    folder = project.folder
    broken: dict[str, list[Fault]] = {}
    for fault in folder.faults:
        broken.setdefault(fault.path.name, []).append(fault)
    found = [_broken(faults) for faults in broken.values()]
    posts = [post for post in folder.posts if post.status is not PostStatus.RETRACTED]
    with Progress("checking") as bar:
        for done, post in enumerate(posts):
            bar(done, len(posts))
            found.append(_judged(project, post))
    return sorted(found, key=lambda judged: (judged.number or 0, judged.file))


def _judged(project: Project, post: Post) -> _Judged:
    config = project.config
    context = Context.of(project.folder, config.checks.lock_screen_words)
    found = check_post(post, config.identity, config.design, context=context, at=now())
    draft = post.status is PostStatus.DRAFT
    return _Judged(post.number, post.title, f"posts/{post.path.name}", draft, tuple(found))


def _broken(faults: list[Fault]) -> _Judged:
    first = faults[0]
    return _Judged(first.number, "", f"posts/{first.path.name}", False, tuple(map(from_fault, faults)))


def _fact(judged: _Judged, finding: Finding) -> dict[str, Any]:
    return {
        "post": judged.number,
        "file": judged.file,
        "rule": finding.rule,
        "severity": finding.severity,
        "problem": finding.problem,
        "remedy": finding.remedy,
        "part": finding.part,
        "line": finding.line,
        "quote": finding.quote,
    }


# --- in words


def _show(judged: list[_Judged], *, alone: bool) -> None:
    shared = _shared(judged)
    if shared:
        data(_bold("Every letter"))
        _show_findings(shared.values())
    for j in judged:
        own = [finding for finding in j.findings if _said(finding) not in shared]
        if own or alone:
            number = f"#{j.number} " if j.number else ""
            heading = f"{number}{j.title}".strip() or "A file that is no post"
            data(f"{_bold(heading)}{' (a draft)' if j.draft else ''}  {_dim(j.file)}")
            _show_findings(own)
    data(_summary(judged, shared))


_Said = tuple[str, str]


def _said(finding: Finding) -> _Said:
    return finding.rule, finding.problem


def _shared(judged: list[_Judged]) -> dict[_Said, Finding]:
    """What the template does to each of several posts: it is said once."""
    whole = [j for j in judged if j.title]
    if len(whole) < 2:
        return {}
    everywhere = set.intersection(*({_said(f) for f in j.findings if f.part is not Part.POST} for j in whole))
    return {_said(f): replace(f, quote="") for f in whole[0].findings if _said(f) in everywhere}


def _show_findings(findings: Iterable[Finding]) -> None:
    columns = min(shutil.get_terminal_size((_WIDEST, 24)).columns, _WIDEST)
    for finding in findings:
        place = f"line {finding.line}" if finding.line else "" if finding.part is Part.POST else finding.part
        mark = (
            click.style(f"{finding.severity:<7}", fg=_COLOURS[finding.severity], bold=True)
            if _colour()
            else (f"{finding.severity:<7}")
        )
        first, *rest = _wrapped(finding.problem, columns - 21)
        data(f"  {mark}  {place:<8}  {first}")
        for line in (*rest, *_wrapped(f"{finding.remedy} [{finding.rule}]", columns - 21)):
            data(f"{'':21}{line}")
        if finding.quote:
            data(f"{'':21}{_dim(f'> {finding.quote}')}")
    data()


def _wrapped(text: str, columns: int) -> list[str]:
    return wrap(text, max(columns, 30), break_long_words=False, break_on_hyphens=False) or [""]


def _summary(judged: list[_Judged], shared: dict[_Said, Finding]) -> str:
    looked = f"{plural(len(judged), 'post')} looked at"
    own = [f for j in judged for f in j.findings if _said(f) not in shared]
    counts = {severity: sum(f.severity is severity for f in (*own, *shared.values())) for severity in Severity}
    parts = [plural(count, severity) for severity, count in counts.items() if count]
    if not parts:
        return f"{looked}: nothing was found."
    held = sum(bool(j.count(Severity.ERROR)) for j in judged if not j.draft)
    kept = f" {plural(held, 'post does', 'posts do')} not leave before that is mended." if held else ""
    return f"{looked}: {', '.join(parts)}.{kept}"


def _colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _bold(text: str) -> str:
    return click.style(text, bold=True) if _colour() else text


def _dim(text: str) -> str:
    return click.style(text, dim=True) if _colour() else text


COMMANDS = {"check": check}
