"""Templates: found, filled in a sandbox, and inlined.

A file of the project's ``templates/email`` replaces the one of the same name that comes with newsletter. One that
begins ``{% extends "builtin/post.html" %}`` replaces only the blocks it names. So an owner changes one part and keeps
the rest.

Guarantees
    A template sees plain values only and can't reach Python behind them; what a post or a subscriber says is never
    template source. Nothing is fetched, whatever a template names.

Diagnostics
    `TemplateError` with template and line: bad syntax, an unknown variable or block (with the nearest right one), an
    attempt to leave the sandbox, styles that mail programs or premailer can't read (`styles`).
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import CodeType
from typing import Any

import jinja2
from jinja2.bccache import Bucket
from jinja2.environment import TemplateModule
from jinja2.exceptions import SecurityError
from jinja2.nodes import EvalContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, escape

from newsletter.errors import TemplateError
from newsletter.render.plaintext import underlined, width, wrap
from newsletter.starter import builtin_templates

BUILTIN = "builtin"  #: builtin/post.html is the one that comes with newsletter, whatever the project has


class Filler:
    """Fills templates from the project's folder (None = there is none) and from the built-in one, *own*."""

    def __init__(self, folder: Path | None, own: Path | None = None) -> None:
        own = own or builtin_templates()
        self._folders = [path for path in (folder, own) if path is not None]
        self._loader = jinja2.ChoiceLoader(
            [jinja2.PrefixLoader({BUILTIN: jinja2.FileSystemLoader(own)}), jinja2.FileSystemLoader(self._folders)]
        )
        self._environment = ImmutableSandboxedEnvironment(
            loader=self._loader,
            autoescape=jinja2.select_autoescape(["html"]),
            bytecode_cache=_COMPILED,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=_Unknown,
        )
        self._environment.filters |= {
            "columns": width,
            "filled": filled,
            "underlined": underlined,
            "wrapped": lambda text, columns=72: "\n".join(wrap(text, columns)),
        }

    def fill(self, name: str, values: Mapping[str, Any]) -> str:
        """Template *name* with *values*; raises `TemplateError`."""
        try:
            self._check_blocks(name)
            return self._environment.get_template(name).render(values)
        except TemplateError:
            raise
        except jinja2.TemplateSyntaxError as error:
            raise TemplateError(error.name or name, f"{error.message}; correct this line", line=error.lineno) from None
        except jinja2.TemplateNotFound as error:
            where, line = self._place(error, name)
            raise TemplateError(where, f"there is no template {error.name}; correct the name", line=line) from None
        except SecurityError as error:
            where, line = self._place(error, name)
            raise TemplateError(where, f"{error}; a template may only show values", line=line) from None
        except jinja2.UndefinedError as error:
            where, line = self._place(error, name)
            raise TemplateError(where, _advised(str(error), values), line=line) from None
        except UnicodeDecodeError:
            where = next(filter(self._is_garbled, self._names()), name)
            remedy = "in your editor choose Save As and the encoding UTF-8"
            raise TemplateError(where, f"it is not UTF-8; {remedy}") from None
        except RecursionError:
            where, line = self._place(None, name)
            raise TemplateError(where, _CIRCLE, line=line) from None
        except Exception as error:  # whatever an owner's expression raises is a fault of that template
            where, line = self._place(error, name)
            raise TemplateError(where, f"{error}", line=line) from error

    def find(self, words: str) -> tuple[str, int] | None:
        """The first template that has *words* as they are, and the line; the project's own come first."""
        for name in self._names():
            if self._is_garbled(name):  # a picture, or what an operating system leaves in folders
                continue
            source = self._source(name)
            if (at := source.find(words)) >= 0:
                return name, source.count("\n", 0, at) + 1
        return None

    def _check_blocks(self, name: str) -> None:
        """A block that no template below knows is never shown: most likely its name is misspelt."""
        known: set[str] = set()
        for template, source in reversed(list(self._ancestry(name))):
            outer: list[str] = []
            for found in _BLOCK.finditer(source):
                if found["name"] is None:
                    outer = outer[:-1]
                    continue
                if known and not outer and found["name"] not in known:
                    near = get_close_matches(found["name"], known, n=1)
                    advice = f'did you mean "{near[0]}"?' if near else f"there are: {', '.join(sorted(known))}"
                    line = source.count("\n", 0, found.start()) + 1
                    raise TemplateError(template, f'there is no block "{found["name"]}"; {advice}', line=line)
                outer.append(found["name"])
            known |= {found["name"] for found in _BLOCK.finditer(source) if found["name"]}

    def _ancestry(self, name: str) -> Iterator[tuple[str, str]]:
        """*name* and what it extends, one after the other, as far as names are written out, without comments."""
        seen: list[str] = []
        line = None
        while name:
            if name in seen:
                raise TemplateError(seen[-1], _CIRCLE, line=line)
            seen.append(name)
            source = _COMMENT.sub(lambda found: "\n" * found[0].count("\n"), self._source(name))
            yield name, source
            extends = _EXTENDS.search(source)
            name = extends["name"] if extends else ""
            line = source.count("\n", 0, extends.start()) + 1 if extends else None

    def _source(self, name: str) -> str:
        return self._loader.get_source(self._environment, name)[0]

    def _names(self) -> Iterator[str]:
        """Every template by the name it is reached by; the project's own come first."""
        for folder in self._folders:
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    yield path.relative_to(folder).as_posix()

    def _is_garbled(self, name: str) -> bool:
        try:
            self._source(name)
        except UnicodeDecodeError:
            return True
        return False

    def _place(self, error: Exception | None, name: str) -> tuple[str, int | None]:
        """The innermost template line that *error* passed through; jinja2 puts template lines into tracebacks."""
        for frame in reversed(traceback.extract_tb(error.__traceback__) if error else []):
            for folder in self._folders:
                if Path(frame.filename).is_relative_to(folder):
                    return Path(frame.filename).relative_to(folder).as_posix(), frame.lineno
        return name, None


_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
_EXTENDS = re.compile(r"""\{%[-+]?\s*extends\s+["'](?P<name>[^"']+)["']""")
_BLOCK = re.compile(r"\{%[-+]?\s*(?:block\s+(?P<name>\w+)|endblock\b)")
_CIRCLE = 'it takes itself in again and again; to change a block write {% extends "builtin/post.html" %}'


class _Compiled(jinja2.BytecodeCache):
    """Compiled templates, by name and content. Compiling costs 35 ms for a letter, and a run or a preview has many."""

    def __init__(self) -> None:
        self._code: dict[tuple[str, str], CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._code.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if len(self._code) > 500:  # a preview that runs for days, while somebody edits
            self._code.clear()
        self._code[bucket.key, bucket.checksum] = bucket.code


_COMPILED = _Compiled()


def filled_in(text: str, **values: object) -> str:
    """*text* with a value for each ``{name}`` in it, as plain text."""
    return re.sub(r"\{(\w+)\}", lambda found: str(values.get(found[1], found[0])), text)


@jinja2.pass_eval_context
def filled(context: EvalContext, text: str, **values: object) -> str:
    """*text* with a value for each ``{name}`` in it; in HTML both are escaped, unless they are markup already."""
    if not context.autoescape:
        return filled_in(text, **values)
    safe = {name: str(escape(value)) for name, value in values.items()}
    # Safe: every part was escaped just now.
    return Markup(re.sub(r"\{(\w+)\}", lambda found: safe.get(found[1], found[0]), str(escape(text))))  # noqa: S704


class _Unknown(jinja2.StrictUndefined):
    """An undefined variable that says so in plain words when it is used."""

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint:  # the sandbox's own words
            return self._undefined_hint
        said = _NO_VARIABLE.format(self._undefined_name)
        holder = self._undefined_obj
        if isinstance(holder, Mapping):
            return _advised(said, holder)
        return _advised(said, vars(holder)) if isinstance(holder, TemplateModule) else said


_NO_VARIABLE = 'there is no variable "{}"'


def _advised(said: str, known: Mapping[str, Any]) -> str:
    """*said*, and the nearest of the *known* names where it is about a name and has no advice yet."""
    found = re.fullmatch(_NO_VARIABLE.format("(.*)"), said)
    if not found:
        return said
    names = sorted(map(str, known))
    near = get_close_matches(found[1], names, n=1)
    return f"{said}; " + (f'did you mean "{near[0]}"?' if near else f"there are: {', '.join(names)}")
