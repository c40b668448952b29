"""A process that has loaded the program, and forks one for each command: a twentieth of what starting Python costs.

Each command is still a process of its own, with its own environment, folder, clock, streams and end. What it is
spared is the half second in which Python reads modules, so nothing that is about starting is tested with it.

As a script it is that process: a line of JSON for each command on standard input, its exit status as answer.
"""

from __future__ import annotations

import gc
import json
import os
import pkgutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import NoReturn

_STREAMS = ("in", "out", "err")


class Warm:
    """The process, as tests see it. *environment* is its own: what is preloaded into it is in its children."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._paths = {name: folder / name for name in _STREAMS}
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(environment)
        )

    def run(
        self, words: Sequence[str], *, cwd: Path, env: Mapping[str, str], stdin: bytes = b""
    ) -> tuple[int, bytes, bytes]:
        """Type ``newsletter *words*``: the exit status, standard output and standard error."""
        self._paths["in"].write_bytes(stdin)
        order = {"words": list(words), "cwd": str(cwd), "env": dict(env)}
        order |= {name: str(path) for name, path in self._paths.items()}
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        return status, self._paths["out"].read_bytes(), self._paths["err"].read_bytes()

    def __enter__(self) -> Warm:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._process.communicate()  # its input ends, and so does it


def serve() -> None:
    """Answer orders until the input ends."""
    answers = os.dup(1)  # the children's standard output is another
    for line in sys.stdin.buffer:
        order = json.loads(line)
        child = os.fork()
        if not child:
            os.close(answers)
            become(order)
        _, status = os.waitpid(child, 0)
        os.write(answers, b"%d\n" % os.waitstatus_to_exitcode(status))


def become(order: dict[str, object]) -> NoReturn:
    """Be the command of *order*, to its end."""
    for number, name in enumerate(_STREAMS):
        flags = os.O_RDONLY if name == "in" else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        os.dup2(os.open(str(order[name]), flags), number)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 (the old one has read ahead)
    environment, words = order["env"], order["words"]
    assert isinstance(environment, dict) and isinstance(words, list)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(str(order["cwd"]))
    from newsletter.cli import main

    sys.argv = [str(Path(sys.modules["newsletter"].__path__[0], "__main__.py")), *words]

    status: object = None
    try:
        main()
    except SystemExit as end:
        status = end.code
    threading._shutdown()  # type: ignore[attr-defined]  # wait for threads, as at every end of a program
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else 0)  # taking every module down costs as much as loading it


def load() -> None:
    """Every module of the program, and with them everything that they load at any time."""
    import newsletter

    for module in pkgutil.walk_packages(newsletter.__path__, "newsletter."):
        # These two do something when they are loaded.
        if module.name not in ("newsletter.__main__", "newsletter.store.migrations.env"):
            import_module(module.name)
    for lazy in ("apscheduler.schedulers.background", "email_validator", "sqlalchemy.dialects.sqlite", "frontmatter"):
        import_module(lazy)


if __name__ == "__main__":
    load()
    gc.freeze()  # else the first collection copies every page
    serve()
