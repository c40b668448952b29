"""What became of a typed command; the fixtures that type are in conftest.py."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import newsletter as package

CHECKOUT = Path(package.__file__).parent.parent


@dataclass(frozen=True)
class Answer:
    """What became of a command."""

    status: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """Everything that the owner saw."""
        return self.out + self.err

    def json(self) -> Any:
        """Standard output, read as JSON."""
        return json.loads(self.out)


Typed = Callable[..., Answer]


def looked_at(answer: Answer) -> Answer:
    """*answer*, which must not be a traceback: no mistake of an owner may end in one."""
    assert "Traceback" not in answer.said, answer.said
    assert "should not have happened" not in answer.said, answer.said
    return answer
