"""Tells when files were saved.

The operating system reports changes (watchfiles), so waiting costs nothing. Programs save in several steps, write
beside and rename: a change is told when nothing followed it for a moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Condition, Event, Thread

from watchfiles import watch

_QUIET = 25  # milliseconds without a further change
_LONGEST = 250  # however busy the folder is


class Bell:
    """Counts what was saved, for any number of listeners."""

    def __init__(self) -> None:
        self._condition = Condition()
        self.count = 0
        self.closed = False

    def ring(self) -> None:
        """Something was saved."""
        with self._condition:
            self.count += 1
            self._condition.notify_all()

    def close(self) -> None:
        """Nothing more will be told; whoever waits goes on."""
        with self._condition:
            self.closed = True
            self._condition.notify_all()

    def wait(self, heard: int, seconds: float) -> int:
        """The count as soon as it is another than *heard*, or after *seconds*."""
        with self._condition:
            self._condition.wait_for(lambda: self.closed or self.count != heard, seconds)
            return self.count


@contextmanager
def watching(folders: Iterable[Path], files: Iterable[Path], bell: Bell) -> Iterator[None]:
    """Ring *bell* when anything in *folders* (all the way down) or one of *files* is saved."""
    names, stop = frozenset(files), Event()
    within = [(folder, None) for folder in folders if folder.is_dir()]
    beside = [(folder, names) for folder in {file.parent for file in names}]
    for folder, only in [*within, *beside]:
        Thread(target=_listen, args=(folder, only, bell, stop), daemon=True).start()
    try:
        yield
    finally:
        stop.set()
        bell.close()


def _listen(folder: Path, only: frozenset[Path] | None, bell: Bell, stop: Event) -> None:
    def wanted(_: object, path: str) -> bool:
        return only is None or Path(path) in only

    for _ in watch(
        folder,
        recursive=only is None,
        watch_filter=wanted,
        stop_event=stop,
        step=_QUIET,
        debounce=_LONGEST,
        rust_timeout=1_000,
    ):
        bell.ring()
