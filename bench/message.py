"""What one message costs: spliced, printed, signed; beside the ways that other programs take.

    python bench/message.py [section …]        (splice, dkim; all of them when none is named)

Figures are the best of several rounds, in microseconds of processor time, so that other programs on the machine
show as little as they can. The message is a sample post of about 25 kB, personal values and List-* fields in it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time
from email.headerregistry import Address as HeaderAddress
from email.message import EmailMessage
from email.utils import format_datetime
from functools import cache
from hashlib import sha256
from html import escape
from pathlib import Path
from random import Random
from time import process_time
from zoneinfo import ZoneInfo

ROOT = Path(__file__).parents[1]
SECRET = b"a signing key of thirty-two octets"
AT = datetime(2026, 3, 3, 17, tzinfo=UTC)
READERS = 2_000


def micros(work: Callable[[int], object], times: int, rounds: int = 7) -> float:
    """The least that one *work(n)* took over *rounds* of *times*."""
    best = float("inf")
    for _ in range(rounds):
        start = process_time()
        for n in range(times):
            work(n)
        best = min(best, process_time() - start)
    return best / times * 1e6


def line(what: str, figure: float, against: float | None = None) -> None:
    print(f"  {what:<58} {figure:>9.1f} µs" + (f"  {figure / against:>7.0f} ×" if against else ""))


@cache
def world():  # type: ignore[no-untyped-def]
    """Identity, post, rendered post, template, readers' claims."""
    from newsletter.compose import compile_template
    from newsletter.config import Design, Identity
    from newsletter.mail import Address, Mailbox
    from newsletter.posts import read_post
    from newsletter.render import render
    from newsletter.store.attempts import Claim

    identity = Identity(
        "Letters from the Practice",
        Mailbox("Maya Thorne", Address("maya", "letters.example.org")),
        "12 Birch Lane, Portland, OR 97201",
        reply_to=Mailbox("", Address("maya", "example.org")),
        url="https://letters.example.org",
    )
    posts = [read_post(p, zone=ZoneInfo("UTC"), at=time(9)) for p in sorted((ROOT / "posts").glob("[0-9]*.md"))]
    made = {p: render(p, identity, Design()) for p in posts}
    # Without pictures, so that it is the text that is spliced.
    post = max((p for p in posts if not made[p].images), key=lambda p: len(made[p].html))
    template = compile_template(made[post], identity, post_id=post.id)
    chance = Random(1)
    claims = [
        Claim(n, 1, 1, post.id, 0, 0, 0, chance.randbytes(16), reader, AT, template.revision, None)
        for n in range(READERS)
        for reader in [Mailbox(f"Reader {n}", Address(f"reader{n}", "example.org"))]
    ]
    return identity, post, made[post], template, claims


def splice() -> None:
    """Ours, step by step, and `EmailMessage` built for each reader, as programs do that know nothing better."""
    from newsletter.compose import Personal, merge, message_id
    from newsletter.config import Design
    from newsletter.links import Links
    from newsletter.press import Press

    identity, post, rendered, template, claims = world()
    links = Links(SECRET, identity.url, identity.list_id)
    domain = identity.sender.address.domain

    def ident(n: int) -> str:
        c = claims[n]
        return message_id(SECRET, epoch=0, post_id=post.id, subscriber=c.token, copy=0, domain=domain)

    def unsubscribe(n: int) -> tuple[str, str]:
        return links.unsubscribe(identity.unsubscribe_address, claims[n].token)

    personal = [Personal(c.recipient, AT, ident(n), *unsubscribe(n)) for n, c in enumerate(claims)]
    values = [template.values(one) for one in personal]
    data = merge(template, personal[0])

    def built(n: int) -> bytes:
        one = personal[n]
        message = EmailMessage()
        message["From"] = HeaderAddress(identity.sender.name, addr_spec=str(identity.sender.address))
        message["To"] = HeaderAddress(one.recipient.name, addr_spec=str(one.recipient.address))
        message["Reply-To"] = str(identity.reply_to)
        message["Subject"] = rendered.subject
        message["Date"] = format_datetime(AT)
        message["Message-ID"] = f"<{one.message_id}>"
        message["List-Id"] = f"<{identity.list_id}>"
        message["List-Unsubscribe"] = f"<{one.unsubscribe_url}>, <{one.unsubscribe_mailto}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message.set_content(_filled(rendered.text, one, str), cte="quoted-printable")
        message.add_alternative(_filled(rendered.html, one, escape), subtype="html", cte="quoted-printable")
        return message.as_bytes()

    press = Press.of([post], identity, Design(), SECRET, None)  # type: ignore[arg-type]
    press._templates[template.revision] = template
    print(f"Splicing a message of {len(data):,} octets")
    whole = micros(lambda n: merge(template, personal[n]), READERS)
    line("merge: a reader's values encoded and joined", whole)
    line("  of it the values", micros(lambda n: template.values(personal[n]), READERS))
    line("  of it the joining", micros(lambda n: b"".join(template.pieces(values[n])), READERS))
    line("Message-ID (a keyed hash)", micros(ident, READERS))
    line("token, https and mailto", micros(unsubscribe, READERS))
    line("hash of the content, by template and values", micros(lambda n: template.fingerprint(values[n]), READERS))
    line("  the same over all octets (SHA-256)", micros(lambda n: sha256(data).hexdigest(), READERS))
    line("press.print: all of it, with envelope and attempt", micros(lambda n: press.print(claims[n], at=AT), READERS))
    line("EmailMessage built for each reader", micros(built, 60, 5), whole)


def _filled(text: str, personal: object, escaped: Callable[[str], str]) -> str:
    from newsletter.compose import Personal, greeting
    from newsletter.render import Token

    assert isinstance(personal, Personal)
    for token, value in {
        Token.GREETING: greeting(personal.recipient.name),
        Token.UNSUBSCRIBE_URL: personal.unsubscribe_url,
        Token.UNSUBSCRIBE_MAILTO: personal.unsubscribe_mailto,
    }.items():
        text = text.replace(token, escaped(value))
    return text


def dkim() -> None:
    """Signatures, ours beside dkimpy's."""
    import dkim as dkimpy

    from newsletter.compose import Personal
    from newsletter.compose.dkim import OVERSIGNED, SIGNED, Signing
    from newsletter.keys import Algorithm, new_key, signing_key
    from newsletter.links import Links

    identity, _, _, template, claims = world()
    links = Links(SECRET, identity.url, identity.list_id)
    personal = Personal(claims[0].recipient, AT, "x@letters.example.org", *links.unsubscribe(
        identity.unsubscribe_address, claims[0].token))  # fmt: skip
    values = template.values(personal)
    data = b"".join(template.pieces(values))
    domain = identity.sender.address.domain
    pems = {kind: new_key(kind) for kind in Algorithm}
    keys = {k: signing_key(pem, domain=domain, selector=k.kind, where="bench") for k, pem in pems.items()}
    print(f"Signing a message of {len(data):,} octets")
    line("SHA-256 of the body, once for all keys", micros(lambda n: sha256(data).digest(), 1_000))
    ours = {}
    for name, chosen in {**{k.value: [key] for k, key in keys.items()}, "both": list(keys.values())}.items():
        signing = Signing(template, chosen)
        ours[name] = micros(lambda n, s=signing: s.signed(data, values, AT), 300)  # type: ignore[misc]
        line(f"{name}, with the body's hash", ours[name])
    names = [n.lower().encode() for n in (*OVERSIGNED, *SIGNED)]
    raw = _ed25519_seed(pems[Algorithm.ED25519])
    for kind, private in ((Algorithm.RSA, pems[Algorithm.RSA]), (Algorithm.ED25519, raw)):

        def theirs(_n: int, kind: Algorithm = kind, private: bytes = private) -> bytes:
            return bytes(
                dkimpy.sign(
                    data, kind.kind.encode(), domain.encode(), private, canonicalize=(b"relaxed", b"relaxed"),
                    include_headers=names, signature_algorithm=kind.value.encode(),
                )
            )  # fmt: skip

        line(f"{kind.value} by dkimpy", micros(theirs, 20, 5), ours[kind.value])


def _ed25519_seed(pem: bytes) -> bytes:
    """The key as dkimpy wants it: the 32 octets in base64."""
    from base64 import b64encode

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(pem, password=None)
    assert isinstance(key, Ed25519PrivateKey)
    return b64encode(key.private_bytes_raw())


SECTIONS: dict[str, Callable[[], None]] = {"splice": splice, "dkim": dkim}


def main(arguments: Sequence[str]) -> None:
    for name in arguments or SECTIONS:
        SECTIONS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
