"""More processes at the same ledger, for `[delivery] processes` above one.

Python does one thing at a time, and an RSA signature costs more than the rest of a message. Each process here is a
run of `delivery.deliver` like any other: it claims, submits and records by itself, and leases keep it apart from the
rest. `window` and `connections` are each process's own.

Guarantees
    A process of the crew ends when its standard input does: so it finishes what is under way when the run is stopped,
    and also when the run was killed.

What goes wrong
    A process that fails says why on standard error; what it had claimed is free again when its lease is over.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from threading import Event, Thread
from time import sleep

from newsletter.cli.project import Project, now
from newsletter.cli.stop import GRACE
from newsletter.config import Config
from newsletter.delivery import Report, deliver
from newsletter.errors import NewsletterError
from newsletter.held import judging
from newsletter.press import Judge
from newsletter.scheduler import Crew, held_meanwhile, pass_time, printing, warm_up

_WORTH = 1_000  # messages; starting a process costs as much as sending so many
_POLL = 0.1  # seconds until a stop is noticed


def crew_of(config: Config, stop: Callable[[], bool]) -> Crew:
    """How a run of *config* gets its crew; *stop* is asked while it is waited for."""

    @contextmanager
    def crew(messages: int) -> Iterator[Callable[[], list[Report]]]:
        count = config.processes - 1 if messages >= _WORTH else 0
        command = [sys.executable, "-m", __name__, str(config.root)]
        # In a session of its own: Ctrl-C is this process's to hear and to pass on, once.
        hands = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)  # noqa: S603  ourselves
            for _ in range(count)
        ]
        try:
            yield lambda: [_report(hand, stop) for hand in hands]
        finally:
            for hand in hands:  # still there only when this run is stopped at once
                hand.kill()
                hand.wait()
                for pipe in (hand.stdin, hand.stdout):
                    with suppress(OSError):
                        pipe.close()  # type: ignore[union-attr]

    return crew


def _report(hand: subprocess.Popen[bytes], stop: Callable[[], bool]) -> Report:
    """Wait for *hand* to end, and what it did."""
    assert hand.stdin is not None and hand.stdout is not None
    while hand.poll() is None:
        if stop():
            with suppress(OSError):
                hand.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            hand.wait(_POLL)
    try:
        return Report(**json.loads(hand.stdout.read()))
    except ValueError:
        return Report(problems=[_FAILED.format(status=hand.returncode)])


_FAILED = (
    "one of the processes ended early (status {status}). What it had in hand is tried again when its lease is over, "
    "or is in doubt: `newsletter status`."
)


def main(root: str) -> None:
    """One process of the crew: deliver, then say what was done."""
    stopped = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    Thread(target=_until_closed, args=(stopped,), daemon=True).start()
    project = Project.at(Path(root))
    try:
        config, store = project.config, project.store
        report = deliver(
            store,
            project.provider,
            printing(config, store, project.secret, project.folder, project.press, _judge(project)),
            now=now,
            on_uncertain=config.on_uncertain,
            jitter=random.random,
            stop=stopped.is_set,
            limits=config.limits,
            today=warm_up(config, store, at=now()),
            wait=pass_time,
            held=lambda: held_meanwhile(store, at=now()),
        )
    except NewsletterError as error:
        report = Report(problems=[str(error)])
    finally:
        project.close()
    with suppress(BrokenPipeError):  # the run that wanted to know was killed
        print(json.dumps(asdict(report)), flush=True)
    os._exit(0)  # the thread is still reading


def _judge(project: Project) -> Judge:
    return judging(project.config, project.folder, {}, at=now())


def _until_closed(stopped: Event) -> None:
    sys.stdin.buffer.read()
    stopped.set()
    sleep(GRACE.total_seconds())
    os._exit(1)  # what has no answer by now is in doubt


if __name__ == "__main__":
    main(sys.argv[1])
