"""What import contracts can't say: who reads the clock, what modules are called, and that files travel."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "newsletter"
MODULES = sorted(PACKAGE.rglob("*.py"))

CLOCKS = frozenset(
    {"datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today"}
    | {"time.time", "time.time_ns", "time.localtime", "time.gmtime"}
)
NAMELESS = frozenset({"utils", "util", "common", "helpers", "helper", "misc", "manager"})


# -- the clock


def clocks(source: str) -> Iterator[tuple[int, str]]:
    """Every mention of a clock in *source*, with its line, whatever name it was imported under."""
    tree = ast.parse(source)
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name) and (name := _dotted(node, names)) in CLOCKS:
            yield node.lineno, name


def _dotted(node: ast.expr, names: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value, names)}.{node.attr}"
    return ""


def _owns_a_loop(path: Path) -> bool:
    return path == PACKAGE / "scheduler.py" or path.is_relative_to(PACKAGE / "cli")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_only_the_command_line_and_the_scheduler_read_the_clock(path: Path) -> None:
    assert _owns_a_loop(path) or list(clocks(path.read_text())) == []


def test_the_clock_is_read_somewhere() -> None:
    assert any(list(clocks(path.read_text())) for path in MODULES)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        pytest.param("from datetime import datetime\ndatetime.now(UTC)", "datetime.datetime.now", id="the plain way"),
        pytest.param("import datetime as d\nd.datetime.utcnow()", "datetime.datetime.utcnow", id="through the module"),
        pytest.param("from datetime import date as d\nclock = d.today", "datetime.date.today", id="not called"),
        pytest.param("import time as t\nt.time()", "time.time", id="a renamed module"),
        pytest.param("from time import time\ntime()", "time.time", id="a bare function"),
        pytest.param("self.now()\ntime.monotonic()\nnow()", "", id="a clock that was handed in"),
        pytest.param("from datetime import time\ntime(9)", "", id="a time of day"),
        pytest.param("'datetime.now()'  # datetime.now", "", id="only words"),
    ],
)
def test_a_clock_is_noticed(source: str, found: str) -> None:
    assert [name for _, name in clocks(source)] == ([found] if found else [])


# -- names


def test_no_module_is_called_after_nothing() -> None:
    names = {path.stem for path in MODULES} | {path.parent.name for path in MODULES}
    assert "ledger" in names and names & NAMELESS == set()
    assert [name for name in names if re.search(r"_(?:part)?\d+$", name) and not re.match(r"\d{4}_", name)] == []


# -- places


def _files() -> Iterator[Path]:
    """Every text file of the project, without what tools leave behind."""
    for top in sorted(ROOT.iterdir()):
        if top.name in {"build", "dist"} or (top.is_dir() and top.name.startswith(".") and top.name != ".ci"):
            continue
        for path in [top] if top.is_file() else top.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts and not path.is_symlink():
                yield path


def _places() -> re.Pattern[str]:
    """This machine's own places: where the project lies, the home folder, the Python that runs it."""
    places = {str(ROOT), str(ROOT.parent), str(Path.home()), sys.prefix, sys.base_prefix}
    own = places - {"/", "/usr", "/usr/local", "/tmp", "/home", "/srv", "/opt"}
    return re.compile(rf"(?<![\w.:/-])(?:{'|'.join(sorted(map(re.escape, own), key=len, reverse=True))})(?![\w-])")


def test_no_file_names_a_place_of_this_machine() -> None:
    places, named, read = _places(), [], 0
    for path in _files():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        read += 1
        named += [f"{path.relative_to(ROOT)}: {match[0]}" for match in places.finditer(text)]
    assert read > 50 and named == []


def test_a_place_of_this_machine_is_noticed() -> None:
    assert _places().search(f"see {ROOT}/newsletter") and not _places().search("https://example.org" + str(ROOT))
