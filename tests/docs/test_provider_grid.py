"""docs/providers.md has a grid of what each provider does, and it is what the providers do: each is tried.

`python -m pytest tests/docs --rewrite-grid` writes it anew; review the diff.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fake import Fake, Took
from fakes import FAKES
from letters import AT, IDENTITY, png, printed, template

from newsletter.config import VENDORS, Config
from newsletter.errors import HookRefused, ProviderError
from newsletter.events import Hook
from newsletter.mail import Accepted, Message
from newsletter.providers import refusals, vendor

PAGE = Path(__file__).parents[2] / "docs" / "providers.md"
BEGIN, END = "<!-- the grid: tests/docs/test_provider_grid.py -->\n", "<!-- end of the grid -->\n"


class Tried:
    """One vendor, which was given a letter with a picture, and one without."""

    def __init__(self, fake: Fake, folder: Path) -> None:
        self.fake, self.module = fake, vendor(fake.name)
        self.settings = fake.settings_here()
        self.provider = self.module.open_(self.settings, now=lambda: AT)
        (folder / "posts").mkdir(exist_ok=True)
        (folder / "posts" / "dot.png").write_bytes(png(40, 30))
        self.plain = printed(template(), n=1)
        self.took = self._sent(self.plain)
        self.pictures = self._takes(printed(template("![A dot](dot.png)\n", folder / "posts"), n=2))

    def _sent(self, message: Message) -> Took:
        ((_, outcome),) = self.provider.submit([message])
        assert isinstance(outcome, Accepted)
        return self.fake.took[-1]

    def _takes(self, message: Message) -> bool:
        try:
            return "cid:" in self._sent(message).html or self.fake.raw
        except ProviderError:
            return False

    def same(self, name: str) -> bool:
        """Whether the field *name* is as we composed it."""
        wanted = re.search(rb"^%b: (.*(?:\r\n[ \t].*)*)\r$" % name.encode(), self.plain.data, re.MULTILINE)
        return wanted is not None and self.took.fields.get(name, "").split() == wanted[1].decode().split()

    @property
    def signs(self) -> bool:
        """Whether its webhooks need more than to know the address."""
        try:
            self.module.hear(Hook(b"{}"), replace(self.settings, webhook_secret=""), at=AT)
        except HookRefused:
            return True
        return False

    @property
    def asks_first(self) -> bool:
        """Whether go-live refuses what is set by default."""
        usual = replace(self.settings, manages_unsubscribe=True)
        return bool(refusals(Config(Path(), IDENTITY, provider=self.fake.name, vendors={self.fake.name: usual})))


COLUMNS: dict[str, Callable[[Tried], object]] = {
    "letters in a request": lambda tried: VENDORS[tried.fake.name].batch_most,
    "each octet as composed": lambda tried: tried.took.data == tried.plain.data,
    "our List-Unsubscribe": lambda tried: tried.same("List-Unsubscribe") and tried.same("List-Unsubscribe-Post"),
    "our List-Id": lambda tried: tried.same("List-Id"),
    "pictures travel along": lambda tried: tried.pictures,
    "sent twice counts once": lambda tried: tried.provider.together is not None,
    "can be asked about doubt": lambda tried: hasattr(tried.provider, "lookup"),
    "webhooks are signed": lambda tried: tried.signs,
    "go-live asks for more": lambda tried: tried.asks_first,
}


def grid(folder: Path) -> str:
    """The table, from trying each."""
    rows = []
    for name, kind in sorted(FAKES.items(), key=lambda pair: VENDORS[pair[0]].title):
        with kind().running() as fake:
            tried = Tried(fake, folder)
            cells = [column(tried) for column in COLUMNS.values()]
        said = [("yes" if cell else "–") if isinstance(cell, bool) else f"{cell:,}" for cell in cells]
        rows.append(f"| [{VENDORS[name].title}](providers/{name}.md) | {' | '.join(said)} |")
    head = f"| | {' | '.join(COLUMNS)} |\n|---|{'---|' * len(COLUMNS)}\n"
    return head + "\n".join(rows) + "\n"


def test_the_grid_says_what_the_providers_do(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    assert set(FAKES) == set(VENDORS)
    before, _, rest = PAGE.read_text().partition(BEGIN)
    written, _, after = rest.partition(END)
    found = grid(tmp_path)
    if request.config.getoption("--rewrite-grid", default=False):
        PAGE.write_text(f"{before}{BEGIN}\n{found}\n{END}{after}")
        return
    assert written.strip() == found.strip(), "run it with --rewrite-grid and review the diff"
