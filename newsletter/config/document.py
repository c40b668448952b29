"""A TOML file whose tables know their lines, and every fault found in it so far.

A `Section` learns the keys that exist by being asked for them; whatever is left at the end is unknown and
answered with the nearest right spelling. So there is no second list of keys that could fall behind.

Diagnostics
    A wrong value never raises: it becomes a fault and the default takes its place, so that one reading finds
    all faults. Only text that is no TOML at all raises at once, because nothing behind it can be read.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from newsletter.config.values import WrongValueError, nearest
from newsletter.errors import ConfigError
from newsletter.mail import shown

T = TypeVar("T")
_LAST = 1_000_000_000  # sorts after every line
_LIST_SHOWN = 7  # a week's days; longer lists are cut in a fault
Keys = tuple[str, ...]

_PART = r"""(?:[A-Za-z0-9_-]+|"(?:\\.|[^"\\\n])*"|'[^'\n]*')"""
_KEY = re.compile(rf"[ \t]*(?:(\[\[?)[ \t]*)?({_PART}(?:[ \t]*\.[ \t]*{_PART})*)[ \t]*([=\]])")
# What a value is made of, as far as it takes to find its end: strings first, because they may hold brackets and #.
_PIECE = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*|[^\[\]{}\n"\'#]+|.',
    re.DOTALL,
)

NO_SECRETS_HERE = (
    "a password must not be in this file; put it in the environment as NEWSLETTER_SMTP_PASSWORD, "
    "or in a file of its own that [provider.smtp] password_file names"
)
NO_MAILBOX_SECRETS_HERE = NO_SECRETS_HERE.replace("_SMTP_", "_MAILBOX_").replace("[provider.smtp]", "[mailbox]")

# tomllib's words → the owner's. Compared by their beginning, in this order.
_PLAIN = (
    ("Cannot declare", "this section is in the file twice; join the two"),
    ("Cannot overwrite", "this key is in the file twice; delete one of them"),
    ("Cannot mutate", "this key is in the file twice; delete one of them"),
    ("Duplicate inline table key", "a key between the braces is there twice; delete one of them"),
    ("Expected '='", "a line has to read `key = value`, with an equals sign"),
    ("Expected ']'", "a section begins with its name in square brackets, such as [sequence]"),
    ("Unclosed array", "a list that was opened with [ needs commas between its entries and a ] at its end"),
    ("Unclosed inline table", "what was opened with { needs a } at the end of the same line"),
    ("Unterminated string", "a quotation mark is missing at the end of this value"),
    ('Expected "', "a quotation mark is missing at the end of this value"),
    ("Illegal character '\\n'", "a quotation mark is missing at the end of this value"),
    ("Unescaped '\\\\'", "a backslash in double quotes is special; put the value in single quotes: '…'"),
    ("Invalid hex value", "a backslash in double quotes is special; put the value in single quotes: '…'"),
    ("Invalid date", "there is no such date; write year, month and day, such as 2026-03-01"),
    ("Invalid statement", "a line has to read `key = value`, a section [name], or begin with #"),
    ("Invalid value", 'put the value in straight double quotes, such as "text" (true and false are lower case)'),
    ("Expected newline", 'put the whole value in straight double quotes, such as "7 days" or "09:00"'),
)


class Document:
    """The tables of one file; *name* is how messages call it."""

    def __init__(self, text: str, name: str) -> None:
        """Raises `ConfigError` when *text* is no TOML, with the line and the remedy in plain words."""
        self.name = name
        self.lines: dict[Keys, int] = {}
        self._last = 1
        for keys, self._last in _statements(text):
            self.lines.setdefault(keys, self._last)
        self.meant: set[Keys] = set()  #: what unknown keys and sections were probably meant to be
        self.sections: list[Section] = []
        self._faults: list[tuple[int, str]] = []
        try:
            tables = tomllib.loads(text)
        except RecursionError:
            raise ConfigError(f"{name}: brackets are nested too deeply; a list needs one pair of [ ]") from None
        except ValueError as error:  # TOMLDecodeError, or a number with thousands of digits
            raise ConfigError(self._syntax(str(error))) from None
        self.root = Section((), tables, self)

    def _syntax(self, error: str) -> str:
        found = re.search(r"\(at line (\d+)", error)
        # At the end of the file tomllib tells no line; the fault is in the last statement that began.
        line = int(found[1]) if found else self._last
        plain = next((words for start, words in _PLAIN if error.startswith(start)), error)
        return f"{self.name}, line {line}: {plain}"

    def line(self, keys: Keys) -> int | None:
        """The line of *keys*, or of the nearest table around it; None for what is not in the file."""
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return self.lines.get(keys)

    def fault(self, text: str, line: int | None = None) -> None:
        """Note one fault of the file; without a line it is listed after those that have one."""
        self._faults.append((line or _LAST, f"{self.name}, line {line}: {text}" if line else f"{self.name}: {text}"))

    def environment_fault(self, variable: str, remedy: str) -> None:
        """Note a fault of an environment variable; its value is not shown, it may be a secret."""
        self._faults.append((_LAST, f"{variable} in the environment: {remedy}"))

    def finish(self) -> None:
        """Report unknown and missing keys; raises `ConfigError` when there is any fault, each on its own line."""
        for section in self.sections:
            section.report()
        if self._faults:
            raise ConfigError("\n".join(text for _, text in sorted(self._faults, key=lambda fault: fault[0])))


class Section:
    """One table: reads its keys, and knows afterwards which it never heard of."""

    def __init__(self, keys: Keys, table: Mapping[str, object], document: Document) -> None:
        self.title = ".".join(keys)
        self._keys, self._table, self._document = keys, table, document
        self.values: set[str] = set()
        self._sections: set[str] = set()
        self._required: dict[str, str] = {}
        document.sections.append(self)

    def section(self, key: str) -> Section:
        """The table *key* within this one; empty when it is absent."""
        self._sections.add(key)
        table = self._table.get(key, {})
        if not isinstance(table, dict):
            title = ".".join((*self._keys, key))
            self._fault(
                key, f"[{title}] is a section of its own; write it once, as a line [{title}], its keys below it"
            )
            table = {}
        return Section((*self._keys, key), table, self._document)

    def place(self, key: str) -> str:
        """How messages call *key*: file, line, section."""
        line = self._document.line((*self._keys, key))
        return f"{self._document.name}{f', line {line}' if line else ''}: [{self.title}] {key}"

    def has(self, key: str) -> bool:
        """Whether *key* is in the file, right or wrong."""
        return key in self._table

    def read(self, key: str, reader: Callable[[object], T], default: T, *, secret: bool = False) -> T:
        """The value of *key*, or *default* when it is absent or wrong; *secret* values are not quoted in the fault."""
        self.values.add(key)
        if key not in self._table:
            return default
        value = self._table[key]
        try:
            return reader(value)
        except WrongValueError as wrong:
            self.fault(key, str(wrong), "" if secret else f" = {_written(value)}")
            return default

    @property
    def tables(self) -> list[str]:
        """The names of the sections below this one."""
        return [key for key, value in self._table.items() if isinstance(value, dict)]

    def untouched(self) -> Mapping[str, object]:
        """All keys as they are, for whoever else reads this section."""
        self.values.update(self._table)
        return self._table

    def require(self, key: str, reader: Callable[[object], T], stand_in: T, why: str) -> T:
        """As `read`, but the absence of *key* is a fault; *why* says what it is for."""
        self.need(key, why)
        return self.read(key, reader, stand_in)

    def need(self, key: str, why: str) -> None:
        """Have the absence of *key* count as a fault; *why* says what it is for."""
        self._required[key] = why

    def fault(self, key: str, remedy: str, written: str = "") -> None:
        """Note a fault of *key*, which is in the file."""
        self._fault(key, f"[{self.title}] {key}{written}: {remedy}")

    def _fault(self, key: str, text: str) -> None:
        self._document.fault(text, self._document.line((*self._keys, key)))

    def report(self) -> None:
        """Note every key nobody asked for and every required one that is absent."""
        for key in self._table:
            if key not in self.values and key not in self._sections and (close := self._unknown(key)):
                self._document.meant.add((*self._keys, close))
        for key, why in self._required.items():
            # A misspelt key or section has its own fault already; the tables around this one were reported before it.
            if key not in self._table and not self._document.meant & {self._keys, (*self._keys, key)}:
                self._document.fault(f"[{self.title}] {key} is missing: {why}", self._document.line(self._keys))

    def _unknown(self, key: str) -> str | None:
        """Note *key* as unknown; returns the key that was probably meant."""
        value = self._table[key]
        tables = value if isinstance(value, list) else [value]
        if not self.values and tables and all(isinstance(table, dict) for table in tables):
            return self._unknown_section(key)
        place = f"[{self.title}] " if self.title else ""
        if key.lower() in ("password", "passwd", "pass"):
            remedy = NO_MAILBOX_SECRETS_HERE if self.title == "mailbox" else NO_SECRETS_HERE
            self._fault(key, f"{place}{key}: {remedy}")
            return None
        close = nearest(key, self.values)
        homes = [other.title for other in self._document.sections if key in other.values]
        if homes and not (close and homes[1:]):  # several have such a key, and this section one nearly so
            remedy = f"this key belongs in [{homes[0]}]"
        elif close:
            remedy = f"there is no such key; did you mean {close}?"
        elif not self.values:
            remedy = f"there is no such key; allowed here are the sections {self._titles()}"
        else:
            remedy = f"there is no such key; allowed here: {', '.join(sorted(self.values))}"
        self._fault(key, f"{place}{shown(key)[1:-1]}: {remedy}")
        return close

    def _unknown_section(self, key: str) -> str | None:
        close = nearest(key, self._sections)
        prefix = f"{self.title}." if self.title else ""
        remedy = f"did you mean [{prefix}{close}]?" if close else f"allowed: {self._titles()}"
        self._fault(key, f"[{prefix}{shown(key)[1:-1]}]: there is no such section; {remedy}")
        return close

    def _titles(self) -> str:
        return ", ".join(f"[{'.'.join((*self._keys, name))}]" for name in sorted(self._sections))


def _written(value: object) -> str:
    """*value* about as it is in the file, on one short line."""
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value[:_LIST_SHOWN]))}{', …' if len(value) > _LIST_SHOWN else ''}]"
    return "{…}" if isinstance(value, dict) else shown(str(value))[1:-1]


def _statements(text: str) -> Iterator[tuple[Keys, int]]:
    """Every table header and key of *text* with its line, counted from 1."""
    table: Keys = ()
    position, line = 0, 1
    while position < len(text):
        if match := _KEY.match(text, position):
            keys = _split(match[2])
            outer: Keys = () if match[1] else table
            for length in range(1, len(keys) + 1):
                yield (*outer, *keys[:length]), line
            if match[1]:
                table = keys
            position = match.end()
        position, lines = _end_of_statement(text, position)
        line += lines


def _split(dotted: str) -> Keys:
    """``provider."smtp"`` → ("provider", "smtp"), by TOML's own rules."""
    try:
        table: object = tomllib.loads(f"{dotted} = 0")
    except ValueError:  # a wrong escape in a quoted key; the text as a whole is refused for it as well
        return (dotted,)
    keys: list[str] = []
    while isinstance(table, dict):
        ((key, table),) = table.items()
        keys.append(key)
    return tuple(keys)


def _end_of_statement(text: str, position: int) -> tuple[int, int]:
    """Where the statement ends that goes on at *position*, and over how many lines it went."""
    depth = lines = 0
    while match := _PIECE.match(text, position):
        piece, position = match[0], match.end()
        lines += piece.count("\n")
        depth += (piece in ("[", "{")) - (piece in ("]", "}"))
        if piece == "\n" and depth <= 0:
            break
    return position, lines
