"""The fakes are as strict as what they stand for: a request that is nearly right is refused, and nothing is taken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from fake import Asked, Fake
from fakes import FAKES
from letters import AT, printed, template

from newsletter.providers import ses, vendor

#: what proves who asks, and where the letters of a request stand, with what none may lack
PROOF = {"postmark": "x-postmark-server-token", "brevo": "api-key"}
LETTERS: dict[str, tuple[str, ...]] = {
    "postmark": ("From", "To"),
    "resend": ("from", "to", "subject"),
    "ses": ("Destination", "Content"),
    "sendgrid": ("personalizations", "from", "subject", "content"),
    "brevo": ("sender", "to", "subject", "htmlContent"),
    "mailjet": ("From", "To"),
}
MANY = {"postmark": 500, "resend": 100, "mailjet": 50}


@pytest.fixture(params=FAKES)
def right(request: pytest.FixtureRequest) -> Iterator[tuple[Fake, Asked]]:
    """A fake, and a request that it took."""
    with FAKES[request.param]().running() as fake:
        provider: Any = vendor(fake.name).open_(fake.settings_here(), now=lambda: AT)
        list(provider.submit([printed(template(), n=1)]))
        assert len(fake.took) == 1
        fake.took.clear()
        getattr(fake, "keys", {}).clear()
        yield fake, fake.asked[-1]


def refused(fake: Fake, asked: Asked) -> bool:
    """Whether it says no, in its answer or, item by item, within it, and takes nothing."""
    said = fake.answer(asked)
    items = json.loads(said.octets) if said.status == 200 else []
    itemised = bool(items) and all(item.get("ErrorCode") for item in items)
    return (400 <= said.status < 500 or itemised) and fake.took == []


def test_the_request_itself_is_taken(right: tuple[Fake, Asked]) -> None:
    fake, asked = right
    assert fake.answer(asked).status < 300 and len(fake.took) == 1


def test_who_does_not_prove_who_asks_is_refused(right: tuple[Fake, Asked]) -> None:
    fake, asked = right
    name = PROOF.get(fake.name, "authorization")
    without = {key: value for key, value in asked.headers.items() if key != name}
    for headers in (without, {**without, name: asked.headers[name] + "x"}):
        said = fake.answer(replace(asked, headers=headers))
        assert said.status in (401, 403) and fake.took == []


def test_another_address_is_not_there(right: tuple[Fake, Asked]) -> None:
    fake, asked = right
    if fake.name != "ses":  # there the address is signed, too
        assert fake.answer(replace(asked, path=asked.path + "x")).status == 404
        assert fake.answer(replace(asked, method="PUT")).status == 404
    assert refused(fake, replace(asked, path="/")) and refused(fake, replace(asked, method="PUT"))


def test_what_none_may_lack_is_missed(right: tuple[Fake, Asked]) -> None:
    fake, asked = right
    if fake.name == "mailgun":
        assert refused(fake, replace(asked, body=asked.body.replace(b'name="to"', b'name="two"')))
        return
    for name in LETTERS[fake.name]:
        body = asked.json()
        letters = body if isinstance(body, list) else body.get("Messages", [body])
        del letters[0][name]
        changed = replace(asked, body=json.dumps(body).encode())
        assert refused(fake, signed(fake, changed)), name


def signed(fake: Fake, asked: Asked) -> Asked:
    """Signed anew, where the body is."""
    if fake.name != "ses":
        return asked
    headers = ses.request(asked.body, fake.settings_here(), at=AT).headers
    return replace(asked, headers={name.lower(): value for name, value in headers.items()})


def test_more_than_it_takes_at_once_is_refused(right: tuple[Fake, Asked]) -> None:
    fake, asked = right
    if fake.name in MANY:
        body = asked.json()
        (letter,) = body if isinstance(body, list) else body.get("Messages", [body])
        many = [letter] * (MANY[fake.name] + 1)
        whole = {"Messages": many} if fake.name == "mailjet" else many
        path = "/emails/batch" if fake.name == "resend" else asked.path
        assert refused(fake, replace(asked, path=path, body=json.dumps(whole).encode()))
