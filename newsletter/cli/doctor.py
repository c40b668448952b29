"""The command that looks at what surrounds a newsletter: doctor."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from newsletter.cli.findings import INDENT, bold, counted, show_finding
from newsletter.cli.output import data, facts, json_option
from newsletter.cli.project import Project, now, open_project
from newsletter.config import VENDORS, Config
from newsletter.destinations import domains_of
from newsletter.doctor import Case, Machine, examine
from newsletter.doctor.case import COUNTING
from newsletter.errors import NewsletterError
from newsletter.findings import Finding, Record, Severity, error, halves
from newsletter.links import Links
from newsletter.providers.visits import Account, Page, ask_page, call_on, outward_address, within

T = TypeVar("T")

RESOLVER_VARIABLE = "NEWSLETTER_RESOLVER"
_DNS_SECONDS = 40.0  # for all questions; a server that is silent is given up long before
_SERVER_SECONDS = 30.0
_PAGE_SECONDS = 30.0
_NOBODY = bytes(16)  # no subscriber has this id: signed as any other, it opens the page and changes nothing


@click.command()
@click.option("--strict", is_flag=True, help="Answer 1 for a warning too.")
@click.option("--selector", "selectors", metavar="NAME", multiple=True, help="Under which your mail host signs (DKIM).")
@click.option(
    "--resolver", metavar="ADDRESS", multiple=True, envvar=RESOLVER_VARIABLE, help="Ask this DNS server instead."
)
@json_option
@click.pass_context
def doctor(
    ctx: click.Context, strict: bool, selectors: tuple[str, ...], resolver: tuple[str, ...], as_json: bool
) -> int:
    """Find what is wrong around your newsletter: the DNS, the mail server, the website, this machine.

    Asks the DNS about your domain, calls on the mail server without sending anything, opens an unsubscribe link that
    belongs to nobody, and looks at clock, disk and files here. Nothing is changed. Each finding says what to do, with
    the record to copy where the DNS is the place.

    \b
    Example:
      newsletter doctor
    """
    project = open_project(ctx)
    case = _case(project, selectors, resolver)
    found = examine(case)
    if as_json:
        facts([_fact(finding) for finding in found])
    else:
        _show(case, found)
    grave = [Severity.ERROR, *([Severity.WARNING] if strict else [])]
    return int(any(finding.severity in grave for finding in found))


def _case(project: Project, selectors: tuple[str, ...], resolver: tuple[str, ...]) -> Case:
    """The project and what was seen of the world; website and mail server are called on side by side."""
    from newsletter.providers.dns import Dns

    config, faults = project.config, list[str]()
    dns = Dns(*resolver, seconds=_DNS_SECONDS)
    smtp = config.smtp if config.provider == "smtp" else None
    url = _dry_url(project)
    calling = within(_SERVER_SECONDS, "the mail server", partial(call_on, smtp, now=now)) if smtp else None
    asking = within(_PAGE_SECONDS, "it", partial(ask_page, url, now=now)) if url else None
    looking = within(_SERVER_SECONDS, "the provider", partial(_account, config)) if config.provider in VENDORS else None
    server, fault = _heard(calling)
    page, silence = _heard(asking)
    account, shut = _heard(looking)
    return Case(
        identity=config.identity,
        dns=dns,
        at=now(),
        provider=config.provider,
        smtp=smtp,
        keys=_told(lambda: project.keys, (), faults),
        reverse_path=_reverse_path(config),
        selectors=selectors,
        alerts_to=config.alerts.to.address if config.alerts.to else None,
        server=server,
        server_fault=fault,
        page=page or (Page(silence, silence) if silence else None),
        machine=_machine(project, outward_address()),
        readers=_told(lambda: _readers(project), {}, faults),
        account=account or Account((error("provider", config.provider, *halves(shut)),) if shut else ()),
        notes=config.notes,
        faults=tuple(faults),
    )


def _reverse_path(config: Config) -> str:
    """The domain of the reverse path, when it is not that of From: Mailgun puts one of its own domain for us."""
    if config.provider == "mailgun":
        return config.vendors[config.provider].domain
    return config.identity.reverse_path.domain


def _account(config: Config) -> Account:
    from newsletter.providers.accounts import examine as examine_account  # requests: 97 ms

    domain = config.identity.sender.address.domain
    return examine_account(config.provider, config.vendors[config.provider], domain, now=now)


def _heard(visit: Callable[[], T] | None) -> tuple[T | None, str]:
    """What a visit brought, or why it brought nothing."""
    try:
        return (visit() if visit else None), ""
    except NewsletterError as error:
        return None, str(error)


def _told(question: Callable[[], T], nothing: T, faults: list[str]) -> T:
    """The answer; or *nothing*, and the reason among *faults*: one broken thing must not hide the others."""
    try:
        return question()
    except NewsletterError as error:
        faults.append(str(error))
        return nothing


def _dry_url(project: Project) -> str:
    """An unsubscribe address that is signed as any other and belongs to nobody; "" while nothing was ever signed."""
    identity = project.config.identity
    if not identity.url or not project.has_secret:
        return ""
    return Links(project.secret, identity.url, identity.list_id).unsubscribe_url(_NOBODY)


def _readers(project: Project) -> dict[str, int]:
    """How many active readers the mail systems have that count their bulk senders."""
    store = project.existing_store()
    return {name: store.audience.at_domains(domains_of(name)) for name in COUNTING} if store else {}


def _machine(project: Project, address: str) -> Machine:
    database = project.database
    folder = database.parent if database else project.config.root
    secrets = [project.secret_path, project.config.root / "newsletter.env"]
    private = [*([database] if database else []), *filter(None, [project.config.subscribers_file])]
    return Machine(
        free=shutil.disk_usage(folder).free,
        database=database.stat().st_size if database and database.exists() else 0,
        folder=str(folder),
        exposed=(*_exposed(secrets, 0o077), *_exposed(private, 0o007)),
        address=address,
    )


def _exposed(paths: Iterable[Path], mode: int) -> Iterator[Path]:
    """Those of *paths* that others can come at: by a bit of *mode*, in a folder that everybody may pass through."""
    for path in paths:
        try:
            if path.stat().st_mode & mode and all(folder.stat().st_mode & 0o001 for folder in path.resolve().parents):
                yield path
        except OSError:
            continue  # not there, or not ours to look at


# -- in words


def _fact(finding: Finding) -> dict[str, Any]:
    record = finding.record
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "place": finding.place,
        "problem": finding.problem,
        "remedy": finding.remedy,
        "record": {"type": record.type, "name": record.name, "value": record.value} if record else None,
    }


def _show(case: Case, found: list[Finding]) -> None:
    for place in dict.fromkeys(finding.place for finding in found):
        data(bold(place))
        for n, finding in enumerate(finding for finding in found if finding.place == place):
            if n:
                data()
            show_finding(finding.severity, None, finding.problem, f"{finding.remedy} [{finding.rule}]")
            if finding.record:
                _show_record(finding.record)
        data()
    counts = counted(Counter(finding.severity for finding in found))
    silent = any(finding.rule == "dns-answer" and finding.severity is Severity.ERROR for finding in found)
    data(f"{_looked_at(case, dns=case.owns_domain and not silent)} looked at: {counts or 'nothing was found'}.")


def _show_record(record: Record) -> None:
    for label, words in (("Type", record.type), ("Name", record.name), ("Value", record.value)):
        data(f"{'':{INDENT}}  {label:<5}  {words}")


def _looked_at(case: Case, *, dns: bool) -> str:
    places = [
        *([f"the DNS of {case.domain}"] if dns else []),
        *([case.server_place] if case.smtp else []),
        *([f"the pages at {case.identity.url}"] if case.page else []),
        "this machine",
    ]
    words = " and ".join(filter(None, [", ".join(places[:-1]), places[-1]]))
    return f"{words[:1].upper()}{words[1:]}"


COMMANDS = {"doctor": doctor}
