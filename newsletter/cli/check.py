"""The command that judges posts before they leave: check."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import click

from newsletter.checks import Context, Finding, Part, Severity, check_post, from_fault
from newsletter.cli.findings import bold, counted, dim, show_finding
from newsletter.cli.output import Progress, data, facts, json_option, plural, warn
from newsletter.cli.project import Project, now, open_project
from newsletter.posts import Fault, Post, PostStatus


@dataclass(frozen=True, slots=True)
class _Verdict:
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
    verdicts = _all(project) if number is None else [_one(project, number)]
    if as_json:
        facts([_fact(v, finding) for v in verdicts for finding in v.findings])
    else:
        _show(verdicts, alone=number is not None, strict=project.config.checks.strict)
    if number is None and not as_json:
        remarks = {words for post in project.folder.posts for _, words in post.remarks}
        warn(w for w in project.folder.warnings if not any(w.endswith(words) for words in remarks))
    grave = [Severity.ERROR, *([Severity.WARNING] if strict or project.config.checks.strict else [])]
    # A draft is being written: what is wrong with it counts when she asks for it.
    return int(any(v.count(*grave) for v in verdicts if number is not None or not v.draft))


def _one(project: Project, number: int) -> _Verdict:
    faults = [f for f in project.folder.faults if f.number == number]
    return _broken(faults) if faults else _verdict(project, project.post(number))


def _all(project: Project) -> list[_Verdict]:
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
            found.append(_verdict(project, post))
    return sorted(found, key=lambda verdict: (verdict.number or 0, verdict.file))


def _verdict(project: Project, post: Post) -> _Verdict:
    config = project.config
    context = Context.of(project.folder, config.checks.lock_screen_words, config.design.templates)
    found = check_post(post, config.identity, config.design, context=context, at=now())
    draft = post.status is PostStatus.DRAFT
    return _Verdict(post.number, post.title, f"posts/{post.path.name}", draft, tuple(found))


def _broken(faults: list[Fault]) -> _Verdict:
    first = faults[0]
    return _Verdict(first.number, "", f"posts/{first.path.name}", False, tuple(map(from_fault, faults)))


def _fact(verdict: _Verdict, finding: Finding) -> dict[str, Any]:
    return {
        "post": verdict.number,
        "file": verdict.file,
        "rule": finding.rule,
        "severity": finding.severity,
        "problem": finding.problem,
        "remedy": finding.remedy,
        "part": finding.part,
        "line": finding.line,
        "quote": finding.quote,
    }


# --- in words


def _show(verdicts: list[_Verdict], *, alone: bool, strict: bool) -> None:
    shared = _shared(verdicts)
    if shared:
        data(bold("Every letter"))
        _show_findings(shared.values())
    for v in verdicts:
        own = [finding for finding in v.findings if _said(finding) not in shared]
        if own or alone:
            number = f"#{v.number} " if v.number else ""
            heading = f"{number}{v.title}".strip() or "A file that is no post"
            data(f"{bold(heading)}{' (a draft)' if v.draft else ''}  {dim(v.file)}")
            _show_findings(own)
    data(_summary(verdicts, shared, strict=strict))


_Said = tuple[str, str]


def _said(finding: Finding) -> _Said:
    return finding.rule, finding.problem


def _shared(verdicts: list[_Verdict]) -> dict[_Said, Finding]:
    """What the template does to each of several posts: it is said once."""
    whole = [v for v in verdicts if v.title]
    if len(whole) < 2:
        return {}
    everywhere = set.intersection(*({_said(f) for f in v.findings if f.part is not Part.POST} for v in whole))
    return {_said(f): replace(f, quote="") for f in whole[0].findings if _said(f) in everywhere}


def _show_findings(findings: Iterable[Finding]) -> None:
    for finding in findings:
        place = f"line {finding.line}" if finding.line else "" if finding.part is Part.POST else finding.part
        show_finding(finding.severity, place, finding.problem, f"{finding.remedy} [{finding.rule}]", finding.quote)
    data()


def _summary(verdicts: list[_Verdict], shared: dict[_Said, Finding], *, strict: bool) -> str:
    looked = f"{plural(len(verdicts), 'post')} looked at"
    own = [f for v in verdicts for f in v.findings if _said(f) not in shared]
    counts = {severity: sum(f.severity is severity for f in (*own, *shared.values())) for severity in Severity}
    parts = counted(counts)
    if not parts:
        return f"{looked}: nothing was found."
    grave = [Severity.ERROR, *([Severity.WARNING] if strict else [])]
    held = sum(bool(v.count(*grave)) for v in verdicts if not v.draft)
    kept = f" {plural(held, 'post does', 'posts do')} not leave before that is mended." if held else ""
    return f"{looked}: {parts}.{kept}"


COMMANDS = {"check": check}
