"""Whole windows of rows for PostgreSQL: each column goes as one array.

The statement is the same however many rows there are, so the server reads it once and keeps its plan; thousands of
marks in a statement cost more than its work.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

_PLACE = re.compile(r"\(VALUES :(?P<rows>\w+)\) AS v|IN \(VALUES :(?P<keys>\w+)\)|:(?P<one>\w+)")


def in_arrays(statement: str, values: dict[str, Any]) -> tuple[str, list[Any]]:
    """*statement* with the driver's marks, and what to bind; a list among *values* is a list of rows."""
    columns = {name: [list(c) for c in zip(*v, strict=True)] for name, v in values.items() if isinstance(v, list)}
    kinds = tuple((name, tuple(map(_kind, given))) for name, given in columns.items())
    spelled, order = _spelled(statement, kinds)
    bound: list[Any] = []
    for name in order:
        bound.extend(columns[name]) if name in columns else bound.append(values[name])
    return spelled, bound


def _kind(column: Sequence[Any]) -> str:
    return "bigint" if any(type(value) is int for value in column) else "text"


@lru_cache(maxsize=64)
def _spelled(statement: str, kinds: tuple[tuple[str, tuple[str, ...]], ...]) -> tuple[str, list[str]]:
    known, order = dict(kinds), list[str]()

    def place(found: re.Match[str]) -> str:
        name = found["rows"] or found["keys"] or found["one"]
        order.append(name)
        if found["one"]:
            return "%s"
        if found["keys"]:
            return "= ANY(%s::bigint[])"
        marks = ", ".join(f"%s::{kind}[]" for kind in known[name])
        return f"unnest({marks}) AS v({', '.join(f'column{n}' for n in range(1, len(known[name]) + 1))})"

    return _PLACE.sub(place, statement), order
