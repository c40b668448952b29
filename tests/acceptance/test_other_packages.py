"""A provider of another package, made from docs/adding-a-provider.md word for word, from its settings to its webhooks."""

from __future__ import annotations

import hmac
import json
import re
import tomllib
from pathlib import Path

import pytest
from practice import ANA, BO, CY, DAY, HOUR, MONDAY, SETTINGS, Practice, each
from test_webhooks import House, serving

from newsletter.events import Hook
from newsletter.web.hooks import path_for

CHECKOUT = Path(__file__).parents[2]
PAGE = (CHECKOUT / "docs/adding-a-provider.md").read_text().partition("## In a package of your own")[2]
PROJECT, MODULE, SET_UP = re.findall(r"^```(?:text|toml|python)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def install(site: Path) -> None:
    """As an installer leaves it: a module, and what its package says of itself."""
    told = site / "carrier_pigeon-1.0.dist-info"
    told.mkdir(parents=True)
    (site / "carrier_pigeon.py").write_text(MODULE)
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: carrier-pigeon\nVersion: 1.0\n")
    groups = tomllib.loads(PROJECT)["project"]["entry-points"]
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in names.items()) for group, names in groups.items()]
    (told / "entry_points.txt").write_text("".join(lines))


@pytest.fixture
def pigeons(practice: Practice, tmp_path: Path) -> Practice:
    install(tmp_path / "site")
    practice.environment["PYTHONPATH"] = f"{tmp_path / 'site'}:{CHECKOUT}"
    text = SETTINGS.replace("[newsletter]\n", '[newsletter]\nurl = "https://letters.example.org"\n')
    text, _, rest = text.partition("[delivery]\n")
    (practice.root / "newsletter.toml").write_text(text + SET_UP + rest.partition("\n\n")[2])
    (practice.root / "loft").mkdir()
    (practice.root / "pigeon-secret.txt").write_text("coo\n")
    return practice


def event(letter: str, to: str) -> bytes:
    told = {"what": "no such house", "id": "7", "at": MONDAY.timestamp() + 7_200, "letter": letter, "to": to}
    return json.dumps(told).encode()


def signed(body: bytes, secret: bytes = b"coo") -> Hook:
    return Hook(body, {"x-pigeon": hmac.digest(secret, body, "sha256").hex()})


def test_it_sends_and_what_comes_back_is_heard_also_after_it_was_replaced(pigeons: Practice) -> None:
    assert pigeons.run("go-live", "--yes").status == 0
    assert pigeons.run("send", at=MONDAY.replace(hour=9, minute=5)).status == 0
    assert pigeons.accepted() == each((ANA, BO, CY), [1])
    letters = [*(pigeons.root / "loft").iterdir()]
    (hers,) = [path.stem for path in letters if b"To: Ana" in path.read_bytes() or b"<ana@" in path.read_bytes()]
    secret = (pigeons.root / "secret.key").read_text().strip().encode()
    path = path_for("pigeon", secret)
    assert pigeons.run("webhook").out == f"https://letters.example.org{path}\n"
    text = (pigeons.root / "newsletter.toml").read_text()
    (pigeons.root / "newsletter.toml").write_text(text.replace('provider = "pigeon"', 'provider = "folder"'))
    pigeons.at += 2 * HOUR
    with serving(pigeons, path) as house:
        check_hooks(house, hers)
    assert [(row["email"], row["reason"]) for row in pigeons.json("suppressions", "list")] == [(ANA, "bounced")]
    pigeons.run("send", at=MONDAY.replace(hour=9, minute=5) + DAY)
    assert pigeons.accepted() == {ANA: [1]} | each((BO, CY), [1, 2])


def check_hooks(house: House, hers: str) -> None:
    body = event(hers, ANA)
    assert house.post(signed(body, b"caw")) == 401
    assert house.post(Hook(body)) == 401
    assert house.post(signed(b"no JSON")) >= 500
    assert house.post(signed(b'{"what": "rain"}')) == 200
    assert [house.post(signed(body)) for _ in range(2)] == [200, 200]


def test_what_it_cannot_do_is_said_before_anything_is_changed(pigeons: Practice) -> None:
    text = (pigeons.root / "newsletter.toml").read_text()
    (pigeons.root / "newsletter.toml").write_text(text.replace('loft = "loft"\n', ""))
    before = pigeons.tree()
    ran = pigeons.run("go-live", "--yes")
    assert ran.status == 2 and "[provider.pigeon] loft is missing" in ran.err
    assert pigeons.tree() == before
