"""The DNS as a dictionary: what tests hand to whatever asks the DNS.

A zone is written as text, a record a line: ``name TYPE value``. A name exists when something stands at it or below it.
`wire/test_dns.py` holds it to the same answers as a real server's.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import get_args

from newsletter.lookup import Answer, Kind, Unanswered

KINDS = get_args(Kind)


@dataclass
class Zone:
    """Answers from *text*; for names in *silent* nobody answers. `asked` has every question in order."""

    text: str = ""
    silent: Collection[str] = ()
    asked: list[tuple[str, Kind]] = field(default_factory=list)
    records: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for line in self.text.strip().splitlines():
            if line.strip():
                name, kind, value = line.split(maxsplit=2)
                assert kind in (*KINDS, "CNAME"), line
                self.records.setdefault((name.lower(), kind), []).append(value)

    def ask(self, name: str, kind: Kind) -> Answer:
        name = name.lower()
        self.asked.append((name, kind))
        if name in self.silent or "*" in self.silent:
            raise Unanswered(name, kind, "the DNS did not answer in time")
        seen = set()
        while (alias := self.records.get((name, "CNAME"))) and name not in seen:
            seen.add(name)
            name = alias[0]
        if found := self.records.get((name, kind)):
            return Answer(tuple(found))
        return Answer(exists=any(known == name or known.endswith(f".{name}") for known, _ in self.records))
