"""The command that answers on the web: serve."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event, Thread
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from newsletter.cli.output import data, iso, say, warn
from newsletter.cli.project import Project, now, open_project
from newsletter.errors import ConfigError, NewsletterError

if TYPE_CHECKING:
    from newsletter.consent.asking import Desk
    from newsletter.web.archive.routes import Reading
    from newsletter.web.door import Tally
    from newsletter.web.hooks import Entrance
    from newsletter.web.turns import Turns

_LOOK = 2.0  # seconds between two looks for letters that other processes planned
_MINUTE = 60.0
_PATIENCE = 60  # a wipe of the files may be repeated after so many times what the last one took
_GRACE = 10  # seconds for answers that are under way
_FRESH = 1.0  # seconds that figures are good for


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="The port; 0 is any.")
@click.option("--schedule", is_flag=True, help="Also send what is due, as `newsletter schedule` does.")
@click.pass_context
def serve(ctx: click.Context, host: str, port: int, schedule: bool) -> int:
    """Answer on the web: subscribe, confirm, unsubscribe, a reader's own settings, the letters to be read.

    Runs behind a web server that speaks https for it (docs/serve.md has one for Caddy and for nginx), on any path. It
    mails confirmations within seconds. After a change of newsletter.toml or of a template start it anew. Ctrl-C or
    SIGTERM ends it when what is under way is finished.

    \b
    Example:
      newsletter serve
      newsletter serve --port 8080 --schedule
    """
    project = open_project(ctx)
    if not project.config.identity.url:
        raise ConfigError(
            "newsletter.toml: [newsletter] url is empty, and every link in a letter begins with it; write the address"
            ' at which the world will see these pages, or "http://127.0.0.1:8000" to try them on this computer.'
        )
    return _serve(project, host, port, schedule=schedule)


def _serve(project: Project, host: str, port: int, *, schedule: bool) -> int:
    from newsletter.consent.asking import Desk
    from newsletter.consent.wishes import paces
    from newsletter.intake import fingerprint, floor
    from newsletter.links import Links
    from newsletter.stationery import Stationery
    from newsletter.web.app import public_app
    from newsletter.web.archive.routes import Reading
    from newsletter.web.archive.shelf import Library
    from newsletter.web.door import Tally
    from newsletter.web.hooks import path_for
    from newsletter.web.house import House
    from newsletter.web.metrics import route
    from newsletter.web.pages import Pages
    from newsletter.web.serving import listening
    from newsletter.web.serving import serve as answer
    from newsletter.web.turns import Turns

    config, store, secret = project.config, project.store, project.secret
    identity = config.identity
    pages = Pages(identity, config.design, urlsplit(identity.url).path.rstrip("/"))
    pages.said()  # a fault in a file of words shows now
    sock = listening(port, host)
    place = sock.getsockname()[1]
    stationery = Stationery(identity, config.design, secret)
    desk = Desk(stationery, fingerprint(secret), lambda: floor(config, store), paces(config.rules))
    ending, tally, turns = Ending(), Tally(), Turns(store)
    keeper = Keeper(project, desk, turns, ending)
    threads = [Thread(target=keeper.run, name="keeper", daemon=True)]
    if schedule:
        threads.append(Thread(target=_schedule, args=(project, ending), name="schedule", daemon=True))
    links = Links(secret, identity.url, identity.list_id)
    house = House(store, turns, links, pages, desk, config.web, now, keeper.wake, secret, config.archive.visible)
    figures = Figures(project, tally, threads, perf_counter())
    entrances = _entrances(project)
    keeper.reading = reading = Reading(house, Library(config, store))
    more = [*reading.routes(), *_hooks(project, entrances), route(house, figures.metrics)]
    app = public_app(house, place, tally=tally, figures=figures, more=more)
    store.facts.put("served_at", now().isoformat())
    for thread in threads:
        thread.start()
    data(f"{identity.name}: {identity.url}/ is answered at http://{host}:{place}/")
    for vendor in entrances:
        say(f"The address for webhooks of {vendor}, which is secret: {identity.url}{path_for(vendor, secret)}")
    say("Ctrl-C ends it.")
    if waits := _why_letters_wait(project):
        warn([waits])
    try:
        ended = answer(app, sock, ending=ending.begin, grace=_GRACE)
    finally:
        ending.begin()
        for thread in threads:
            thread.join()
        turns.close()
    return 130 if ended == signal.SIGINT else 0


def _entrances(project: Project) -> dict[str, Entrance]:
    """Which vendors may tell what came back: the one in use, and those that were, for their letters are still out."""
    from newsletter.providers import ear, tellers
    from newsletter.web.hooks import Entrance, secret_for

    config, live = project.config, project.store.facts.went_live
    return {
        name: Entrance(ear(config, name), (secret_for(name, project.secret),))
        for name in tellers()
        if name == config.provider or live(name) is not None
    }


def _hooks(project: Project, entrances: Mapping[str, Entrance]) -> Sequence[Any]:
    from newsletter.feedback import take_in
    from newsletter.intake import fingerprint
    from newsletter.web.hooks import routes

    hashed = fingerprint(project.secret)
    return routes(
        entrances,
        lambda vendor, heard, at: take_in(project.store, heard, source=vendor, fingerprint=hashed, at=at),
        now=now,
    )


def _why_letters_wait(project: Project) -> str:
    from newsletter.scheduler import REHEARSAL

    provider = project.config.provider
    if provider == REHEARSAL:
        return (
            f"the provider is a folder: letters that ask for a confirmation go to {project.config.folder.path.name}/."
        )
    if project.store.facts.went_live(provider) is None:
        return f"nothing leaves through {provider}, not even confirmations, before `newsletter go-live`."
    return ""


class Ending:
    """Whether to end; asked by every thread."""

    def __init__(self) -> None:
        self._event = Event()

    def begin(self) -> None:
        """End."""
        self._event.set()

    def __call__(self) -> bool:
        return self._event.is_set()


def _schedule(project: Project, ending: Ending) -> None:
    """What `newsletter schedule` does, in this process; with a store of its own."""
    from newsletter.cli.daemon import Daemon
    from newsletter.scheduler import run_daemon

    run_daemon(Daemon(project.config, ending).wake, stop=ending)


class Keeper:
    """The thread that looks after what visitors leave: writes their letters, sends them, reminds, forgets."""

    def __init__(self, project: Project, desk: Desk, turns: Turns, ending: Ending) -> None:
        self._project, self._desk, self._turns, self._ending = project, desk, turns, ending
        self.reading: Reading | None = None
        self._bell = Event()
        self._said, self._rest = "", 0.0

    def wake(self) -> None:
        """There is a letter to write."""
        self._bell.set()

    def run(self) -> None:
        """Until the end."""
        minute, wiped, looked = 0.0, 0.0, False
        self._guarded(self._prepare)
        while not self._ending():
            self._bell.wait(_LOOK)
            self._bell.clear()
            self._guarded(self._letters)
            if not looked:  # not while the server starts
                looked = True
                self._guarded(self._read)
            if monotonic() >= minute:
                minute = monotonic() + _MINUTE
                self._guarded(self._minute)
            if monotonic() >= wiped:
                begun = monotonic()
                self._guarded(self._wipe)
                wiped = monotonic() + _PATIENCE * (monotonic() - begun)

    def _guarded(self, work: Callable[[], None]) -> None:
        """Whatever goes wrong is said once, and it goes on."""
        complaint = ""
        try:
            work()
        except NewsletterError as error:
            complaint = str(error)
        except Exception as error:
            complaint = f"this should not have happened, and it is not your mistake: {type(error).__name__}: {error}"
        if complaint and complaint != self._said:
            warn([complaint])
            self._said = complaint

    def _prepare(self) -> None:
        """Compile the letters now: within a visitor's turn it would keep all others waiting for half a second."""
        from newsletter.consent.asking import Case
        from newsletter.stationery import SETTINGS

        self._desk.stationery.prepare([*Case, SETTINGS])

    def _read(self) -> None:
        """Write the letters out before the first of their readers comes; what can't be shown is said."""
        if self.reading:
            warn(self.reading.prepare(at=now()))

    def _letters(self) -> None:
        from newsletter.consent.asking import take_up
        from newsletter.scheduler import REHEARSAL, notify

        config, store = self._project.config, self._project.store
        while self._turns.wait(lambda c: take_up(c, self._desk, at=now())):
            pass
        if self._ending() or monotonic() < self._rest or not store.notices.waiting(at=now()):
            return
        live = config.provider == REHEARSAL or store.facts.went_live(config.provider) is not None
        if live and not store.restored():
            problems = notify(config, store, self._project.provider, now=now, stop=self._ending)
            if problems:
                self._rest = monotonic() + _MINUTE  # a server that refuses us is not asked every two seconds
                raise NewsletterError("; ".join(problems))

    def _minute(self) -> None:
        from newsletter.consent.asking import look_after
        from newsletter.store.buckets import clear

        while self._turns.wait(lambda c: look_after(c, self._desk, at=now())):
            pass
        self._turns.wait(lambda c: clear(c, before=now() - timedelta(days=2)))

    def _wipe(self) -> None:
        from newsletter.consent.wishes import wipe

        wipe(self._project.store)


@dataclass
class Figures:
    """What /healthz and /metrics tell: how things are, nothing about anybody."""

    project: Project
    tally: Tally
    threads: list[Thread]
    since: float
    _kept: tuple[float, Mapping[str, Any]] = field(default=(-_FRESH, {}))

    def __call__(self) -> Mapping[str, Any]:
        """The figures, at most a second old: asking often costs nothing."""
        if perf_counter() - self._kept[0] >= _FRESH:
            self._kept = perf_counter(), self._found()
        return self._kept[1]

    def _found(self) -> Mapping[str, Any]:
        store, last, waiting, database = self.project.store, None, 0, False
        workers: Mapping[str, Any] = {}
        for _ in range(2):  # a server that was started anew is there, though our connections to the old one are not
            with suppress(NewsletterError):
                store.stay()
                last, waiting = store.facts.last_tick(), store.notices.waiting()
                workers, database = self._workers(), True
                break
        tally = self.tally
        return {
            "ok": database and all(thread.is_alive() for thread in self.threads),
            "database": database,
            "uptime_seconds": round(perf_counter() - self.since),
            "last_run": iso(last),
            "letters_waiting": waiting,
            **workers,
            "requests": dict(sorted(tally.requests.items())),
            "faults": tally.failed,
            "slowest_ms": round(tally.slowest * 1000, 1),
        }

    def metrics(self) -> Mapping[str, Any]:
        """The same for a monitoring system, with what is due: to the world that would tell how long the list is."""
        found, store = self(), self.project.store
        if not found["database"] or "workers" in found:
            return found
        backlog = store.workers.backlog(at=now())
        return {**found, "due": backlog.due, "oldest_due": iso(backlog.oldest)}

    def _workers(self) -> Mapping[str, Any]:
        """How many are alive and what waits for them, where there are any."""
        if not self.project.config.workers:
            return {}
        from newsletter.cli.cluster import figures

        found = figures(self.project.store)
        return {"workers": {**found, "alive": len(found["alive"])}}


COMMANDS = {"serve": serve}
