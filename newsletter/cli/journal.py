"""The log of a run: a line of JSON an event, with ids and never an address.

    {"at": "2026-03-03T17:00:02Z", "event": "accepted", "delivery": 812, "post": "the-first-hour", "attempt": 1}

Whatever looks like an address is struck out on the way to the file, also from words of a server that quote one.
"""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from pathlib import Path

from newsletter.errors import ConfigError

_ADDRESS = re.compile(r"[^\s<>\"]+@[^\s<>\"]+")


class JsonLines(logging.Formatter):
    """One record as one line; what stands in `extra={"facts": …}` becomes its fields."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {"at": at, "event": record.getMessage(), **getattr(record, "facts", {})}
        if record.levelno >= logging.WARNING:
            line["level"] = record.levelname.lower()
        return _ADDRESS.sub("(address)", json.dumps(line, ensure_ascii=False, default=str))


def open_journal(path: Path | None) -> None:
    """Let the program's events go to *path* from now on, None: nowhere. Raises `ConfigError`."""
    logger = logging.getLogger("newsletter")
    for handler in [h for h in logger.handlers if isinstance(h.formatter, JsonLines)]:
        logger.removeHandler(handler)
        handler.close()
    logger.propagate = False
    if path is None:
        return
    try:
        path.touch(mode=0o600)
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"the log {path} can't be written ({error.strerror}); check file in [log] of newsletter.toml."
        ) from None
    handler.setFormatter(JsonLines())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
