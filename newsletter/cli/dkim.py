"""The command that makes the keys of [dkim]: dkim."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from newsletter.cli.output import data, facts, json_option, say, warn
from newsletter.cli.project import Project, open_project
from newsletter.config import FILE_NAME, DkimKey
from newsletter.errors import ConfigError
from newsletter.keys import Algorithm, SigningKey, new_key, signing_key

_SELECTOR = "newsletter"
_STRING_MOST = 255  # octets of one string in a TXT record, RFC 1035 section 3.3.14


@dataclass(frozen=True)
class _Entry:
    """One key: where it is kept, whether it is new, and whether newsletter.toml names it."""

    key: SigningKey
    file: Path | None  #: None when it comes from the environment
    made: bool
    used: bool


@click.command()
@click.option("--selector", metavar="NAME", help="A new key under this name, beside the one in use.")
@click.option("--ed25519", is_flag=True, help="An Ed25519 key as well: short and modern; not every server knows it.")
@json_option
@click.pass_context
def dkim(ctx: click.Context, selector: str | None, ed25519: bool, as_json: bool) -> None:
    """Make the key that signs your letters, and print its record for the DNS.

    Needed only if your mail server does not sign what it sends (DKIM). A key that is there already is never
    replaced: its record is printed again.

    \b
    Example:
      newsletter dkim
    """
    project = open_project(ctx)
    entries = [_entry(project, wanted, Algorithm.RSA) for wanted in _wanted(project, selector)]
    if ed25519 and not any(entry.key.algorithm is Algorithm.ED25519 for entry in entries):
        entries.append(_entry(project, _unused(project, f"{selector or _SELECTOR}-ed25519"), Algorithm.ED25519))
    warn(project.config.notes)
    if as_json:
        facts({"domain": entries[0].key.domain, "keys": [_as_facts(entry) for entry in entries]})
    else:
        _show(project, entries)


def _wanted(project: Project, selector: str | None) -> list[DkimKey]:
    """The keys that newsletter.toml names; or the one of *selector*, or the first that a project gets."""
    if project.config.dkim is not None and selector is None:
        return list(project.config.dkim.keys)
    return [_unused(project, _SELECTOR if selector is None else selector)]


def _unused(project: Project, selector: str) -> DkimKey:
    """A key that newsletter.toml doesn't name yet, in its usual file."""
    from newsletter.config.values import WrongValueError
    from newsletter.config.values import selector as checked

    try:
        name = checked(selector)
    except WrongValueError as wrong:
        raise ConfigError(f"--selector {selector}: {wrong}") from None
    path = project.config.root / ("dkim.key" if name == _SELECTOR else f"dkim-{name}.key")
    for key in project.config.dkim.keys if project.config.dkim else ():
        if key.selector == name or key.path == path:
            raise ConfigError(f"--selector {name}: {FILE_NAME} has a key of this name; write another one.")
    try:
        return DkimKey(name, path.read_bytes() if path.exists() else b"", str(path), path)
    except OSError as error:
        raise ConfigError(f"{path} can't be read ({error.strerror}); check its permissions.") from None


def _entry(project: Project, wanted: DkimKey, algorithm: Algorithm) -> _Entry:
    from newsletter.cli.files import create

    dkim = project.config.dkim
    domain = dkim.domain if dkim else project.config.identity.sender.address.domain
    used = dkim is not None and wanted in dkim.keys
    pem, made = wanted.pem, False
    if not pem and wanted.path:
        if dkim and wanted in dkim.keys[1:]:
            algorithm = Algorithm.ED25519
        pem, made = new_key(algorithm), True
        try:
            create(wanted.path, pem, mode=0o600)
        except OSError as error:
            raise ConfigError(f"{wanted.path} can't be written ({error.strerror}); the key needs a place.") from None
    return _Entry(
        signing_key(pem, domain=domain, selector=wanted.selector, where=wanted.where), wanted.path, made, used
    )


def _as_facts(entry: _Entry) -> dict[str, object]:
    return {
        "selector": entry.key.selector,
        "algorithm": entry.key.algorithm,
        "file": entry.file,
        "made": entry.made,
        "used": entry.used,
        "name": entry.key.place,
        "type": "TXT",
        "value": entry.key.record,
    }


def _show(project: Project, entries: list[_Entry]) -> None:
    for entry in entries:
        if entry.made and entry.file:
            say(f"{entry.file.name} holds a new key. Whoever has it can sign mail as you: keep it to yourself.")
    domain = entries[0].key.domain
    data(f"Where the DNS of {domain} is kept (often where the domain was bought), add this:")
    for entry in entries:
        data()
        data("  Type   TXT")
        data(f"  Name   {entry.key.place}")
        data(f"  Value  {entry.key.record}")
        if len(entry.key.record) > _STRING_MOST:
            data()
            data(f"If the form says that this is longer than {_STRING_MOST} characters, give it in two pieces, with")
            data("the quotation marks:")
            data()
            data(f'  "{entry.key.record[:_STRING_MOST]}" "{entry.key.record[_STRING_MOST:]}"')
    data()
    data(f'Many forms add ".{domain}" to the name themselves; leave it out there.')
    if new := [entry for entry in entries if not entry.used]:
        data()
        data(f"It may take an hour until the record can be seen. Then write into {FILE_NAME}:")
        data()
        for line in _settings(project, new):
            data(f"  {line}")


def _settings(project: Project, entries: list[_Entry]) -> list[str]:
    lines = ["[dkim]"]
    for entry in entries:
        prefix = "ed25519_" if entry.key.algorithm is Algorithm.ED25519 else ""
        file = entry.file.relative_to(project.config.root) if entry.file else ""
        lines += [f'{prefix}selector = "{entry.key.selector}"', f'{prefix}key_file = "{file}"']
    return lines


COMMANDS = {"dkim": dkim}
