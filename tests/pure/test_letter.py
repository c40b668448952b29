"""A message told in JSON: spliced from fragments it says what the message says, octet for octet as if serialised."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from letters import png, printed, template

from newsletter.providers.letter import Letter, Person, Splicer, dumps, letter, token

JAPANESE = "春はあけぼの。やうやう白くなりゆく山ぎは、すこしあかりて。\n" * 20


def everything(found: Letter) -> dict[str, object]:
    """A layout that shows all of a letter, personal values in places of every kind."""
    return {
        "from": found.sender.text,
        "to": [{"name": found.to.name, "email": found.to.address}, found.to.text],
        "reply": found.reply_to and found.reply_to.text,
        "subject": found.subject,
        "id": found.message_id,
        "tag": {"newsletter": found.token},
        "date": found.date,
        "headers": [{"Name": name, "Value": value} for name, value in found.headers.items()],
        "text": found.text,
        "html": found.html,
        "images": [[image.name, image.kind, image.cid, image.base64] for image in found.images],
    }


TEMPLATES = {
    "plain": template(),
    "base64": template(JAPANESE, title="春はあけぼの", subject="春はあけぼの"),
    "long lines": template("word " * 400),
    "odd": template('A "quoted" \\ back\\slash, a tab\there, =5A and =3D, % and {{braces}}, 🙂.\n'),
}
NAMES = ["", "Ana", "Ana Garcia", "Zoë Müller", 'Garcia, "Ana"', "山田 太郎", "=?utf-8?q?x?=", "a\\b", "O'Neill <x>"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", TEMPLATES)
def test_spliced_as_if_serialised(kind: str, name: str) -> None:
    splicer, form = Splicer(everything), TEMPLATES[kind]
    for n in (1, 2):
        made = printed(form, name, n)
        assert splicer.part(made) == dumps(everything(letter(made)))


@given(st.text(max_size=80))
@settings(max_examples=300, deadline=None)
def test_any_name(name: str) -> None:
    made = printed(TEMPLATES["plain"], name)
    assert Splicer(everything).part(made) == dumps(everything(letter(made)))


def test_what_it_says() -> None:
    found = json.loads(Splicer(everything).part(printed(TEMPLATES["odd"], "Zoë Müller")))
    assert found["from"] == "Maya Thorne <maya@letters.example.org>"
    assert found["to"] == [{"name": "Zoë Müller", "email": "reader1@example.org"}, '"Zoë Müller" <reader1@example.org>']
    assert "Hello Zoë Müller," in found["text"] and "Hello Zoë Müller," in found["html"]
    assert "A “quoted” \\ back\\slash, a tab here, =5A and =3D, % and {{braces}}, 🙂." in " ".join(
        found["text"].split()
    )
    headers = {one["Name"]: one["Value"] for one in found["headers"]}
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert headers["List-Unsubscribe"].startswith("<https://letters.example.org/u/")
    assert not {"From", "To", "Subject", "Date", "Message-ID", "Content-Type", "MIME-Version"} & set(headers)
    assert found["tag"] == {"newsletter": f"{1:040x}"}


def test_two_forms_and_two_layouts_do_not_mix() -> None:
    one, other = Splicer(everything), Splicer(lambda found: {"s": found.subject, "h": found.html, "t": found.to.text})
    for form in TEMPLATES.values():
        for name in NAMES:
            made = printed(form, name)
            assert one.part(made) == dumps(everything(letter(made)))
            assert json.loads(other.part(made))["h"] == letter(made).html


def test_pictures_travel_with_it(tmp_path: Path) -> None:
    (tmp_path / "posts").mkdir()
    (tmp_path / "posts" / "dot.png").write_bytes(png(40, 30))
    form = template("![A dot](dot.png)\n", tmp_path / "posts")
    found = json.loads(Splicer(everything).part(printed(form)))
    ((name, kind, cid, content),) = found["images"]
    assert (name, kind) == ("dot.png", "image/png") and f"cid:{cid}" in found["html"] and "\n" not in content


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("", "ana@example.org", id="no name"),
        pytest.param("Ana Garcia", "Ana Garcia <ana@example.org>", id="a plain name"),
        pytest.param("Garcia, Ana", '"Garcia, Ana" <ana@example.org>', id="a comma is quoted"),
        pytest.param('A "B" \\', '"A \\"B\\" \\\\" <ana@example.org>', id="quotes and backslashes are escaped"),
    ],
)
def test_a_person_as_one_text(name: str, text: str) -> None:
    assert Person.of(name, "ana@example.org").text == text


@pytest.mark.parametrize(
    "ident", ["0a1b2c@letters.example.org", "a.b@example.org", "x" * 65 + "@example.org", "@example.org"]
)
def test_a_token_fits_into_any_tag(ident: str) -> None:
    found = token(ident)
    assert found.replace("_", "").replace("-", "").isalnum() and found.isascii() and len(found) <= 64
    assert (found == ident.partition("@")[0]) is ident.startswith("0a1b2c")
