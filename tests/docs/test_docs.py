"""The pages tell the truth: commands, settings, links, examples and JSON shapes are those of the program.

Command lines in the pages are parsed, never run.
"""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import dropwhile
from pathlib import Path
from typing import Any

import click
import pytest
from letters import a_post

from newsletter import cli
from newsletter.checks import RULES
from newsletter.config import PASSWORD_VARIABLE, VENDORS, Config, Design, document, load, loading
from newsletter.mail import Address
from newsletter.posts import KEYS
from newsletter.render import render
from newsletter.scheduler import tick
from newsletter.store import Store
from newsletter.subscribers import COLUMNS, Row

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", *DOCS.rglob("*.md")])
COMMANDS, CONFIGURATION, CHECKS = DOCS / "commands.md", DOCS / "configuration.md", DOCS / "checks.md"
IDENTITY = '[newsletter]\nname = "N"\nfrom = "maya@example.org"\npostal_address = "12 Birch Lane"\n'

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


# -- reading a page


@dataclass(frozen=True)
class Block:
    """A block of code, fenced or (in README.md) indented."""

    language: str
    text: str
    line: int


def blocks(text: str) -> Iterator[Block]:
    """Every block of code in a page."""
    fence, language, start, kept = "", "", 0, list[str]()
    for number, line in enumerate([*text.split("\n"), ""], 1):
        if fence:
            if line.strip() == fence:
                yield Block(language, "\n".join(kept), start)
                fence, kept = "", []
            else:
                kept.append(line)
        elif line.startswith("```"):
            fence, language, start = "```", line[3:].strip(), number + 1
        elif line.startswith("    "):
            yield Block("console", line.strip(), number)
    assert not fence, f"the block that begins in line {start} is never closed"


def prose(text: str) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def headings(text: str) -> list[tuple[int, str]]:
    return [(len(m[1]), m[2].strip()) for m in re.finditer(r"^(#+) (.+)$", prose(text), re.MULTILINE)]


def tables(text: str) -> dict[str, set[str]]:
    """Heading → what stands in code in the first column of the tables below it."""
    found: dict[str, set[str]] = {}
    under = ""
    for line in prose(text).split("\n"):
        if match := re.match(r"#+ (.+)", line):
            under = match[1].strip()
        elif match := re.match(r"\| `([^`]+)` \|", line):
            found.setdefault(under, set()).add(match[1])
    return found


# -- commands


def named() -> dict[str, click.Command]:
    """Every command by its full name, those of groups included."""
    context = click.Context(cli.cli, info_name="newsletter")
    found: dict[str, click.Command] = {}
    for section in cli.COMMANDS.values():
        for name in section:
            command = cli.cli.get_command(context, name)
            assert command is not None
            if isinstance(command, click.Group):
                found |= {f"{name} {sub}": member for sub, member in command.commands.items()}
            else:
                found[name] = command
    return found


def test_commands_md_has_each_command_and_no_other() -> None:
    documented = [title.removeprefix("newsletter ") for level, title in headings(COMMANDS.read_text()) if level == 3]
    assert sorted(documented) == sorted(named())


def test_commands_md_has_the_sections_of_the_help() -> None:
    documented = [title for level, title in headings(COMMANDS.read_text()) if level == 2]
    assert documented == list(cli.COMMANDS)


def command_lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """The arguments of every `newsletter` in lines of a shell: behind variables, cron's fields, &&; before | and >."""
    for number, line in enumerate(text.split("\n")):
        words = shlex.shlex(line, posix=True, punctuation_chars=True)
        words.whitespace_split = True
        command: list[str] = []
        for word in [*words, ";"]:
            if word[0] not in "|&;<>()":
                command.append(word)
                continue
            program = list(dropwhile(lambda w: re.fullmatch(r"\$|[A-Z_]+=.*|[\d*/,-]+", w), command))
            if program and Path(program[0]).name == "newsletter":
                yield number, program[1:]
            command = [] if word[0] in "|&;" else ["# the name of a file"]


def check(arguments: list[str]) -> None:
    """Parse one command line as the program would; raises `click.UsageError`."""
    words = cli._root_first(arguments)
    group: click.Group = cli.cli
    context = group.make_context("newsletter", words, parent=None)
    while True:
        rest = [*context._protected_args, *context.args]
        if not rest:
            return  # a group alone shows its help
        name, command, rest = group.resolve_command(context, rest)
        assert command is not None and name is not None
        context = command.make_context(name, rest, parent=context)
        if not isinstance(command, click.Group):
            return
        group = command


@pytest.fixture
def parses(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`check` without a look at the disk: files in examples need not be there."""
    monkeypatch.setattr(click.Path, "convert", lambda self, value, param, ctx: Path(value))

    def parse(arguments: list[str], *, whole: bool = True) -> str:
        try:
            check(arguments)
        except click.exceptions.Exit:  # --help
            pass
        except click.MissingParameter as error:
            return error.format_message() if whole else ""
        except click.UsageError as error:
            return error.format_message()
        return ""

    return parse


@every_page
def test_command_lines_in_blocks_parse(page: Path, parses: Any) -> None:
    wrong = [
        f"line {block.line + number}: newsletter {shlex.join(words)}: {why}"
        for block in blocks(page.read_text())
        if block.language in ("console", "sh")
        for number, words in command_lines(block.text)
        if (why := parses(words))
    ]
    assert wrong == []


@every_page
def test_command_lines_in_sentences_name_commands_and_options_that_exist(page: Path, parses: Any) -> None:
    wrong = [
        f"`newsletter {words}`: {why}"
        for words in re.findall(r"`newsletter ([^`]+)`", prose(page.read_text()))
        if not re.search(r"\b(?:COMMAND|DIR)\b", words) and (why := parses(shlex.split(words), whole=False))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        pytest.param("newsletter sedn", "no command", id="an unknown command"),
        pytest.param("cd x && .venv/bin/newsletter send --dry", "--dry", id="an unknown option, behind &&"),
        pytest.param("newsletter who-got four", "four", id="a word where a number belongs"),
        pytest.param("5 * * * * newsletter settle ana@example.org 4", "missing", id="an argument short, in a crontab"),
        pytest.param("A=1 newsletter subscribers leave ana@example.org", "leave", id="an unknown command of a group"),
        pytest.param("newsletter backup --rooot x y.db | head", "--rooot", id="a misspelt global option"),
        pytest.param("newsletter plan --days 14 > newsletter", "", id="a right one, into a file"),
        pytest.param("newsletter send --root letters --quiet", "", id="--root behind the command"),
    ],
)
def test_a_wrong_command_line_is_noticed(line: str, complaint: str, parses: Any) -> None:
    ((_, words),) = command_lines(line)
    found = parses(words)
    assert complaint.lower() in found.lower() and bool(found) == bool(complaint)


# -- configuration


class _Noted(document.Document):
    """A document that is remembered, so that a test can see which keys were asked for."""

    last: document.Document

    def __init__(self, text: str, name: str) -> None:
        super().__init__(text, name)
        _Noted.last = self


def test_configuration_md_has_each_key_the_loader_knows_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "Document", _Noted)
    _load(tmp_path, IDENTITY)
    known = {f"[{section.title}]": section.values for section in _Noted.last.sections if section.values}
    documented = {title: keys for title, keys in tables(CONFIGURATION.read_text()).items() if title.startswith("[")}
    assert documented == known


def test_configuration_md_has_each_front_matter_key_and_no_other() -> None:
    # `number` is known only to say that it belongs in the file name.
    assert tables(CONFIGURATION.read_text())["A post's front matter"] == KEYS - {"number"}


def test_configuration_md_has_each_column_and_no_other() -> None:
    assert tables(CONFIGURATION.read_text())["The subscriber file"] == set(COLUMNS)


def test_configuration_md_has_each_variable_and_no_other() -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "newsletter").rglob("*.py"))
    known = set(re.findall(r"\bNEWSLETTER_[A-Z_]+\b|\bXDG_STATE_HOME\b|\bNO_COLOR\b", code))
    for name, vendor in VENDORS.items():
        known |= {vendor.variable(name, key) for key in (vendor.key, vendor.secret, vendor.hook) if key}
    assert PASSWORD_VARIABLE in known
    assert tables(CONFIGURATION.read_text())["The environment"] == known


def _load(folder: Path, text: str) -> Config:
    (folder / "newsletter.toml").write_text(text if "[newsletter]" in text else IDENTITY + text)
    for name in re.findall(r'^\w+_file = "(.+)"', text, re.MULTILINE):
        (folder / name).write_text("a secret")
    return load(folder, {})


@every_page
def test_toml_loads(page: Path, tmp_path: Path) -> None:
    for block in blocks(page.read_text()):
        if block.language == "toml":
            _load(tmp_path, block.text)


def test_what_configuration_md_calls_the_defaults_are_the_defaults(tmp_path: Path) -> None:
    _, title, rest = CONFIGURATION.read_text().partition("### Everything at its default")
    defaults = next(block.text for block in blocks(rest) if block.language == "toml")
    assert title and _load(tmp_path, defaults) == _load(tmp_path, "")
    # Each key of a section whose every key has a default is there: else it would not be "everything".
    written = set(re.findall(r"^([a-z_]+) =", defaults, re.MULTILINE))
    without = {"file", "url_file", "password_file", "ca_file"}
    without |= {"logo", "greeting", "sign_off", "signature", "heading_font"}  # another setting or the language says it
    sections = (
        "[sequence]",
        "[theme]",
        "[theme.dark]",
        "[subscribers]",
        "[store]",
        "[delivery]",
        "[checks]",
        "[provider.folder]",
        "[provider.smtp]",
    )
    documented = tables(CONFIGURATION.read_text())
    assert written == set().union(*(documented[section] for section in sections)) - without


def test_the_letter_that_configuration_md_shows_can_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "templates" / "email"
    folder.mkdir(parents=True)
    examples = {language: [b.text for b in blocks(CONFIGURATION.read_text()) if b.language == language]
                for language in ("jinja", "markdown")}  # fmt: skip
    (template,) = examples["jinja"]
    (folder / "post.html").write_text(template)
    _, *bodies = examples["markdown"]
    result = render(a_post("\n\n".join(bodies)), _load(tmp_path, "").identity, Design(folder))
    for words in ("Be kind to yourself,", "I write on Tuesdays.", "Answer this mail if you like", 'class="button"'):
        assert words in result.html
    named = set(re.findall(r"`(\w+)`", CONFIGURATION.read_text().partition("The blocks of `post.html` are")[2]))
    html, text = (set(re.findall(r"\{% block (\w+)", (ROOT / f"templates/email/post.{kind}").read_text()))
                  for kind in ("html", "txt"))  # fmt: skip
    assert html | {"styles"} <= named and text - html == {"links"} <= named


# -- checks

WEIGHTS = re.compile(r'\b(error|warning|note)\(\s*"([a-z-]+)"')


def test_checks_md_has_each_check_with_its_reason_and_weight_and_no_other() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+?) \| ([a-z, ]+) \| .+ \|$", CHECKS.read_text(), re.MULTILINE)
    assert len(rows) == len(RULES)
    assert {name: why for name, why, _ in rows} == {
        name: " ".join((rule.__doc__ or "").split()) for name, rule in RULES.items()
    }
    given: dict[str, set[str]] = {"contrast": {"error", "warning"}}  # as the contrast is
    for path in (ROOT / "newsletter/checks").glob("*.py"):
        for weight, name in WEIGHTS.findall(path.read_text()):
            given.setdefault(name, set()).add(weight)
    for name, _, weights in rows:
        assert set(weights.split(", ")) == given[name], name


# -- links


def _anchors(text: str) -> set[str]:
    """The anchors a page has, as repository hosts make them from headings."""
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for _, title in headings(text)}


@every_page
def test_relative_links_resolve(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^()\s]+)\)", prose(page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name) if name else page
        if not file.exists() or (anchor and anchor not in _anchors(file.read_text())):
            broken.append(target)
    assert broken == []


@every_page
def test_pages_are_wrapped(page: Path) -> None:
    long = [n for n, line in enumerate(page.read_text().split("\n"), 1) if len(line) > 125 and line[:1] not in "|!-`{ "]
    assert long == []


# -- layers


def test_flow_md_draws_the_house_as_the_import_contract_has_it() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    law = [re.findall(r"newsletter\.(\w+)", layer) for layer in layers]
    drawn = next(block.text for block in blocks((DOCS / "flow.md").read_text()) if block.language == "text")
    # Names stand in the first columns, what they are behind them.
    assert [re.findall(r"\w+", line[:48]) for line in drawn.split("\n")] == law


# -- JSON


def _shape(value: object) -> object:
    """The keys of objects, at any depth; lists by their first entry."""
    if isinstance(value, dict):
        return {key: _shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shape(value[0])] if value else []
    return None


def _fits(documented: object, real: object) -> bool:
    """Whether the shapes are the same, as far as both say something: an empty list or null says nothing."""
    if isinstance(documented, dict) and isinstance(real, dict):
        return documented.keys() == real.keys() and all(_fits(documented[key], real[key]) for key in documented)
    if isinstance(documented, list) and isinstance(real, list):
        return not documented or not real or _fits(documented[0], real[0])
    return documented is None or real is None or type(documented) is type(real)


def _example(command: str) -> Any:
    """The JSON that commands.md shows for *command*."""
    section = COMMANDS.read_text().partition(f"### newsletter {command}\n")[2].partition("\n### ")[0]
    (found,) = [json.loads(block.text) for block in blocks(section) if block.language == "json"]
    return found


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One reader who got one post; a second post is to come."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("NEWSLETTER_SECRET", raising=False)
    root = tmp_path / "letters"
    (root / "posts").mkdir(parents=True)
    (root / "newsletter.toml").write_text(IDENTITY + '[sequence]\nfirst = "at once"\n')
    for name in ("001-endings.md", "002-beginnings.md"):
        (root / "posts" / name).write_text("---\ntitle: A letter\n---\n\nDear reader.\n")
    key = "0" * 64
    (root / "secret.key").write_text(key)
    at = datetime(2024, 1, 2, 12, tzinfo=UTC)
    config = load(root, {})
    store = Store.open(config.store_url)
    store.audience.add(
        Row(2, Address.parse("ana@example.org"), "Ana"), floor=-1, at_once=True, fingerprint=lambda key: key, at=at
    )
    from newsletter.providers import open_provider

    result = tick(config, store, open_provider(config, now=lambda: at), key.encode(), now=lambda: at)
    assert result.report.accepted == 1
    store.close()
    return root


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("plan", ["--days", "28"]),
        ("send", []),
        ("check", []),
        ("status", []),
        ("who-got", ["1"]),
        ("history", ["ana@example.org"]),
        ("verify", []),
    ],
)
def test_json_in_commands_md_has_the_keys_that_the_program_prints(
    command: str, arguments: list[str], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not cli.cli.main(["--root", str(project), command, *arguments, "--json"], standalone_mode=False)
    real = json.loads(capsys.readouterr().out)
    assert _fits(_shape(_example(command)), _shape(real)), real


def test_a_wrong_json_shape_is_noticed() -> None:
    assert not _fits(_shape({"a": [{"b": 1}]}), _shape({"a": [{"c": 1}]}))
    assert not _fits(_shape({"a": 1}), _shape({"a": 1, "b": 2}))
    assert _fits(_shape({"a": None, "b": []}), _shape({"a": {"at": 1}, "b": ["x"]}))
