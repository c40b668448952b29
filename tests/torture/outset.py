"""Where the stories of whole processes begin: a project that is live. Commands are typed as the acceptance tests do."""

from __future__ import annotations

from practice import Practice
from sink import Sink


def begun(practice: Practice, sink: Sink, *, readers: int = 24, posts: int = 1) -> Practice:
    """Make the project of *practice*, and go live."""
    practice.root.mkdir(exist_ok=True)
    practice.settings(provider='"smtp"', port=str(sink.port), timeout='"1 second"')
    practice.readers(*(f"r{n:03}@example.org,,UTC" for n in range(readers)))
    for number in range(1, posts + 1):
        practice.post(number, f"Letter {number}")
    assert practice.run("go-live", "--yes").status == 0
    practice.at = practice.at.replace(hour=9, minute=5)
    return practice
