"""What a command loads, and that each has help with an example."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from newsletter.cli import COMMANDS, cli

CHECKOUT = Path(__file__).parents[2]
FOR_MAIL = {"jinja2", "premailer", "markdown_it", "lxml"}  # 0.4 s, when something leaves
FOR_OTHERS = {"apscheduler", "requests", "alembic", "rich", "imapclient", "flufl", "dns"}

#: run as the program is, then name what was loaded
PROBE = """
import json, sys
from newsletter.cli import main
try:
    main(sys.argv[1:])
finally:
    print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr)
"""


def loaded(*words: str, folder: Path) -> set[str]:
    """The packages that ``newsletter *words*`` loaded."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "posts").mkdir()
    (tmp_path / "posts/001-one.md").write_text("---\ntitle: One\n---\n\nHello.\n")
    (tmp_path / "subscribers.csv").write_text("email\nana@example.org\n")
    (tmp_path / "newsletter.toml").write_text(
        '[newsletter]\nname = "Letters"\nfrom = "maya@letters.example.org"\npostal_address = "12 Birch Lane"\n'
        'timezone = "UTC"\n[sequence]\nevery = "7 days"\n[subscribers]\nfile = "subscribers.csv"\n'
    )
    return tmp_path


def test_help_loads_next_to_nothing(tmp_path: Path) -> None:
    heavy = {"sqlalchemy", "asyncio", "starlette", "yaml", "email_validator", "smtplib", "ssl"}
    assert not loaded("--help", folder=tmp_path) & (heavy | FOR_MAIL | FOR_OTHERS)


def test_a_tick_that_finds_nothing_due_loads_nothing_that_makes_mail(project: Path) -> None:
    assert loaded("send", folder=project), "the first one makes the database, with alembic"
    assert not loaded("send", folder=project) & (FOR_MAIL | FOR_OTHERS | {"smtplib"})


def test_what_a_mail_tells_is_read_without_a_database_or_a_network(tmp_path: Path) -> None:
    (tmp_path / "bounce.eml").write_text(
        "From: MAILER-DAEMON\nSubject: Undeliverable\n\n<ana@example.org>: unknown user\n"
    )
    told = loaded("mailbox", "--parse", "bounce.eml", folder=tmp_path)
    assert "flufl" in told and not told & (FOR_MAIL | {"sqlalchemy", "imapclient", "smtplib", "cryptography"})


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command by the words that call it, a group's commands in its place."""
    for name in (name for section in COMMANDS.values() for name in section):
        command = cli.get_command(click.Context(cli), name)
        assert command is not None, name
        if isinstance(command, click.Group):
            yield from ((f"{name} {inner}", below) for inner, below in command.commands.items())
        else:
            yield name, command


@pytest.mark.parametrize(("name", "command"), [pytest.param(n, c, id=n) for n, c in commands()])
def test_every_command_has_help_with_an_example(name: str, command: click.Command) -> None:
    text = command.get_help(click.Context(command, info_name=name))
    assert "Example:" in text and f"newsletter {name}" in text.partition("Example:")[2]
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts}: no help"
