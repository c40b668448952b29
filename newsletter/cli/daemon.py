"""Commands that keep a newsletter going: schedule, which stays running, and cron, which prints what else can."""

from __future__ import annotations

import getpass
import os
import signal
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from shlex import quote
from zoneinfo import ZoneInfo

import click

from newsletter import watch
from newsletter.cli.crew import crew_of
from newsletter.cli.output import data, say, warn
from newsletter.cli.project import Project, looked_at, now, open_project
from newsletter.cli.stop import Stop
from newsletter.config import MAILBOX_VARIABLE, PASSWORD_VARIABLE, STORE_VARIABLE, Config, load
from newsletter.errors import ConfigError, NewsletterError
from newsletter.scheduler import QUARTER, run_daemon, run_lock, tick

_QUARTER_MINUTES = QUARTER // timedelta(minutes=1)
_SECRETS = (PASSWORD_VARIABLE, MAILBOX_VARIABLE, STORE_VARIABLE, "NEWSLETTER_SECRET")


# --- schedule


@click.command()
@click.pass_context
def schedule(ctx: click.Context) -> int:
    """Stay running and send what is due, all day.

    The same run as `newsletter send`, now and every quarter of an hour. What goes wrong is said, and it goes on.
    Settings, posts and readers are read anew each time. Ctrl-C or SIGTERM ends it when what is under way is finished.
    Beside cron or a systemd timer it is not needed: `newsletter cron` prints those.

    \b
    Example:
      newsletter schedule
    """
    project = open_project(ctx)
    return keep_running(project.config)


def keep_running(config: Config, *, every: timedelta = QUARTER) -> int:
    """Run the newsletter of *config* until a signal ends it; the exit status. *every* is for tests."""
    signals = Stop()
    daemon = Daemon(config, signals)
    say(f"{config.identity.name}: looking every quarter of an hour what is due. Ctrl-C ends it.")
    run_daemon(daemon.wake, stop=signals, every=every)
    return 130 if signals.first == signal.SIGINT else 0


class Daemon:
    """One run after another, whatever becomes of any of them."""

    def __init__(self, config: Config, stop: Callable[[], bool]) -> None:
        self._config, self._stop = config, stop
        self._said = ""  # the last complaint: the same one is not repeated every quarter of an hour

    def wake(self) -> int:
        """One run; the minute of the hour that the settings want."""
        complaint = ""
        try:
            self._config = load(self._config.root, os.environ)
        except ConfigError as error:
            complaint = f"{error}\nUntil that is mended, the settings from before are used."
        try:
            self._run()
        except NewsletterError as error:
            complaint = complaint or str(error)
        except Exception as error:
            complaint = f"this run failed, and it is not your mistake: {type(error).__name__}: {error}"
        if complaint and complaint != self._said:
            warn([self._timed(" ".join(complaint.split()))])
        self._said = complaint
        return self._config.rules.at.minute

    def _run(self) -> None:
        from newsletter.cli.run import sentences

        project = Project(self._config)
        try:
            with run_lock(project.config):
                result = tick(
                    project.config,
                    project.store_to_run_on,
                    project.provider,
                    project.secret,
                    now=project.clock,
                    stop=self._stop,
                    press=project.press,
                    crew=crew_of(project.config, self._stop),
                    box=project.box,
                    dispatch=project.dispatch,
                )
            if result.planned.count or result.queued or result.report.submitted:
                for line in sentences(project, project.store, result):
                    data(self._timed(line))
            news = watch.news(project.store, result.notes + result.stopped, at=now(), told="said")
            warn(map(self._timed, news))
        finally:
            project.close()

    def _timed(self, line: str) -> str:
        return f"{now().astimezone(self._config.identity.timezone):%Y-%m-%d %H:%M} {line}"


# --- cron


@click.command()
@click.option("--crontab", "only", flag_value="crontab", help="Print the crontab line alone.")
@click.option("--systemd", "only", flag_value="systemd", help="Print the systemd units alone.")
@click.pass_context
def cron(ctx: click.Context, only: str | None) -> None:
    """Print the crontab line or systemd timer that fits this project.

    Prints only: nothing is installed. One of the two is enough, and neither is needed beside `newsletter schedule`.

    \b
    Example:
      newsletter cron --crontab
    """
    project = open_project(ctx)
    config = project.config
    if "\n" in str(config.root):
        raise ConfigError(
            f"{str(config.root)!r}: neither cron nor systemd can call a folder with a line break in its name."
        )
    minutes = _minutes(config, _zones(project))
    blocks = {"crontab": _crontab(config, minutes), "systemd": _systemd(config, minutes)}
    data("\n\n".join(block for name, block in blocks.items() if only in (None, name)))
    if len(minutes) > 1:
        say(_QUARTERS)
    if there := [name for name in _SECRETS if os.environ.get(name)]:
        warn([_UNSEEN.format(names=" and ".join(there))])


_QUARTERS = (
    "Every 15 minutes, because some of your readers live in time zones that are off by half an hour or a quarter: "
    "so they too get their letters on time. A run that finds nothing due costs next to nothing."
)
_UNSEEN = "neither cron nor systemd sees {names} of this shell: write that down where the comments say."


def _zones(project: Project) -> set[ZoneInfo]:
    """Where the readers live; the newsletter's own zone is always one of them."""

    with looked_at(project, now()) as (store, _):
        names = {reader.timezone for reader in store.audience.readers() if reader.timezone}
    return {project.config.identity.timezone, *map(ZoneInfo, names)}


def _minutes(config: Config, zones: set[ZoneInfo]) -> list[int]:
    """The minutes of the hour, by this machine's clock, at which somebody's slot may begin, over a year."""
    at, found = now(), set()
    for month in range(0, 12, 3):  # both sides of every clock change
        instant = at + month * timedelta(days=30)
        found |= {(config.rules.at.minute - _offset(instant, zone) + _offset(instant, None)) % 60 for zone in zones}
    if len(found) == 1:
        return list(found)
    return [(min(found) % _QUARTER_MINUTES + n * _QUARTER_MINUTES) % 60 for n in range(4)]


def _offset(at: datetime, zone: ZoneInfo | None) -> int:
    """Minutes from UTC, of *zone* or of this machine."""
    offset = at.astimezone(zone).utcoffset()
    assert offset is not None
    return offset // timedelta(minutes=1)


def command() -> list[str]:
    """How a program that knows nothing of this shell calls newsletter."""
    called, beside = Path(sys.argv[0]), Path(sys.executable).with_name("newsletter")
    for path in (called, beside):
        if path.name == "newsletter" and path.is_file() and os.access(path, os.X_OK):
            return [str(path.absolute())]
    return [sys.executable, "-m", "newsletter"]


def _crontab(config: Config, minutes: list[int]) -> str:
    words = [*command(), "--root", str(config.root), "send", "--quiet"]
    line = " ".join(map(quote, words)).replace("%", "\\%")  # crontab(5): a bare % ends the command
    return f"""\
# crontab: type `crontab -e` and paste the last line at the end. cron mails you what needs attention.
# Variables of your shell don't reach cron. A password belongs into password_file (see [provider.smtp] in
# newsletter.toml), or into a line {PASSWORD_VARIABLE}=… above this one.
{",".join(map(str, minutes))} * * * * {line}"""


def _systemd(config: Config, minutes: list[int]) -> str:
    words = [*command(), "--root", str(config.root), "send", "--quiet"]
    moments = ",".join(f"{minute:02d}" for minute in minutes)
    often, name = "hour" if len(minutes) == 1 else "quarter of an hour", _specifiers(config.identity.name)
    return f"""\
# /etc/systemd/system/newsletter.service
[Unit]
Description=Send what is due of {name}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
User={getpass.getuser()}
ExecStart={" ".join(map(_systemd_word, words))}
# Passwords: lines such as {PASSWORD_VARIABLE}=… in this file, which only you may read (chmod 600).
EnvironmentFile=-{_specifiers(str(config.root / "newsletter.env"))}
# Another run was at work: no failure.
SuccessExitStatus=75

# /etc/systemd/system/newsletter.timer
[Unit]
Description=Look every {often} what is due of {name}

[Timer]
OnCalendar=*-*-* *:{moments}:00
AccuracySec=1s
Persistent=true

[Install]
WantedBy=timers.target

# Write both files as root, then: systemctl daemon-reload && systemctl enable --now newsletter.timer"""


def _specifiers(text: str) -> str:
    """*text* where systemd.unit(5) would read %-signs as specifiers; a setting ends with its line."""
    return " ".join(text.replace("%", "%%").split("\n"))


def _systemd_word(word: str) -> str:
    """*word* as one argument in ExecStart, systemd.service(5): quoted when it must be, with no variable in it."""
    plain = all(c.isalnum() or c in "/._-+=@:," for c in word)
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$").replace("%", "%%")
    return word if plain else f'"{escaped}"'


COMMANDS = {"schedule": schedule, "cron": cron}
