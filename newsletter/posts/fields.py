"""Fields: the keys of a front matter with their values as typed, before YAML guesses what these are.

YAML alone reads ``no`` as False, ``10:30`` as 630, and keeps the last of two equal keys. Here each value comes with the
kind that YAML would have made of it, so that a reader can refuse what would change silently.

What goes wrong
    `yaml.YAMLError` for what is no YAML, or no keys with values; `remedies.explained` puts it in plain words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from frontmatter.default_handlers import YAMLHandler

try:  # libyaml is about ten times faster; not every build of PyYAML has it
    from yaml import CSafeLoader as SafeLoader
except ImportError:
    from yaml import SafeLoader  # type: ignore[assignment]

_DEEPEST = 10  #: lists within lists; libyaml's time grows with the square of it


@dataclass(frozen=True, slots=True)
class Field:
    """One key's value."""

    line: int  #: of the file, from 1
    kind: str  #: "str", "int", "null", ..., "seq", "map", "alias"
    value: str = ""
    items: tuple[str, ...] = ()
    end: tuple[int, int] | None = None  #: line and column, both from 0, where a bare (unquoted) value ends


def read_fields(lines: Sequence[str], above: int) -> list[tuple[str, Field]]:
    """The keys in *lines*, in their order, as typed; *above* counts the lines of the file that stand above them."""
    # Blank lines in place of those above keep YAML's line numbers those of the file.
    fields: list[tuple[str, Field]] = YAMLHandler().load("\n" * above + "\n".join(lines) + "\n", Loader=_FieldLoader)
    return fields


class _FieldLoader(SafeLoader):
    """Works on libyaml's events: composing deeply nested brackets overflows the C stack."""

    def get_single_data(self) -> list[tuple[str, Field]]:
        fields: list[tuple[str, Field]] = []
        self._next(yaml.StreamStartEvent)
        if self.check_event(yaml.StreamEndEvent):  # nothing but remarks
            return fields
        self._next(yaml.DocumentStartEvent)
        self._next(yaml.MappingStartEvent, "no key here")
        while not self.check_event(yaml.MappingEndEvent):
            key = self._next(yaml.ScalarEvent, "this key is not text")
            fields.append((key.value, self._field(key.start_mark.line + 1)))
        for ends in (yaml.MappingEndEvent, yaml.DocumentEndEvent, yaml.StreamEndEvent):
            self._next(ends, "a second group of keys")
        return fields

    def _next(self, kind: type[yaml.Event] = yaml.Event, otherwise: str = "") -> Any:
        event: Any = self.get_event()  # typed as if marks could be absent and the stream end early
        if not isinstance(event, kind):
            raise yaml.MarkedYAMLError(problem=otherwise, problem_mark=event.start_mark)
        return event

    def _field(self, line: int) -> Field:
        event = self._next()
        if isinstance(event, yaml.AliasEvent):
            return Field(line, "alias")
        if isinstance(event, yaml.ScalarEvent):
            kind = event.tag or self.resolve(yaml.ScalarNode, event.value, event.implicit)  # type: ignore[no-untyped-call]
            mark: Any = event.end_mark
            end = None if event.style else (mark.line, mark.column)
            return Field(line, kind.removeprefix("tag:yaml.org,2002:"), event.value, end=end)
        kind, items, depth = "seq" if isinstance(event, yaml.SequenceStartEvent) else "map", [], 1
        while depth:
            event = self._next()
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            kind = "map" if depth > 1 else kind  # a list of lists is no list of words
            if depth > _DEEPEST:
                raise yaml.MarkedYAMLError(problem="too many brackets", problem_mark=event.start_mark)
            if isinstance(event, yaml.ScalarEvent):
                items.append(event.value)
        return Field(line, kind, items=tuple(items))
