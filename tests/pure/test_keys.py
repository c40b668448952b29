"""Keys: what may sign, what is refused and why, and the record for the DNS."""

import base64
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from newsletter.config import Dkim, DkimKey
from newsletter.errors import ConfigError
from newsletter.keys import Algorithm, SigningKey, new_key, signing_key, signing_keys

WHERE = "newsletter.toml, line 9: [dkim] key_file"
PKCS8, PKCS1 = serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL


def pem(key: PrivateKeyTypes, form: serialization.PrivateFormat = PKCS8, password: bytes | None = None) -> bytes:
    locked = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, locked)


def read(octets: bytes, selector: str = "newsletter") -> SigningKey:
    return signing_key(octets, domain="letters.example.org", selector=selector, where=WHERE)


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.mark.parametrize("form", [PKCS8, PKCS1], ids=["PKCS 8", "PKCS 1"])
def test_an_rsa_key_has_its_record(rsa_key: rsa.RSAPrivateKey, form: serialization.PrivateFormat) -> None:
    key = read(pem(rsa_key, form))
    assert key.place == "newsletter._domainkey.letters.example.org"
    tag, _, public = key.record.rpartition("; p=")
    assert (tag, key.algorithm) == ("v=DKIM1; k=rsa", Algorithm.RSA)
    assert serialization.load_der_public_key(base64.b64decode(public)) == rsa_key.public_key()


def test_an_ed25519_key_has_its_record() -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    key = read(pem(private))
    tag, _, public = key.record.rpartition("; p=")
    assert (tag, key.algorithm) == ("v=DKIM1; k=ed25519", Algorithm.ED25519)
    assert ed25519.Ed25519PublicKey.from_public_bytes(base64.b64decode(public)) == private.public_key()


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_new_key_can_sign_and_shows_nowhere(algorithm: Algorithm) -> None:
    made = new_key(algorithm)
    key = read(made)
    assert key.algorithm is algorithm and key.sign(b"x") == read(made).sign(b"x") != read(new_key(algorithm)).sign(b"x")
    assert b"\n" + made.split(b"\n")[1] not in repr(key).encode() and "PRIVATE" not in repr(key)
    assert "PRIVATE" not in repr(Dkim("example.org", (DkimKey("a", made, WHERE),)))


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        pytest.param(lambda: b"", "there is no key yet", id="nothing"),
        pytest.param(lambda: b" \n", "there is no key yet", id="white space"),
        pytest.param(lambda: b"hunter2", "this is no key", id="a password"),
        pytest.param(lambda: b"\x30\x82\x01\x00" * 40, "this is no key", id="DER"),
        pytest.param(
            lambda: ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            ),
            "the public half",
            id="a public key",
        ),
        pytest.param(lambda: new_key(Algorithm.RSA)[:300], "this is no key|damaged", id="cut off"),
        pytest.param(lambda: new_key(Algorithm.RSA).replace(b"M", b"N", 3), "damaged", id="damaged"),
        pytest.param(
            lambda: b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "damaged", id="a key of nothing"
        ),
        pytest.param(
            lambda: pem(ed25519.Ed25519PrivateKey.generate(), PKCS8, b"secret"), "locked with a password", id="locked"
        ),
        pytest.param(
            lambda: pem(rsa.generate_private_key(65537, 2048), PKCS1, b"secret"), "locked with a password", id="locked, old form"
        ),
        pytest.param(lambda: pem(ec.generate_private_key(ec.SECP256R1())), "neither RSA nor Ed25519", id="EC"),
        pytest.param(lambda: pem(dsa.generate_private_key(2048)), "neither RSA nor Ed25519", id="DSA"),
        pytest.param(lambda: pem(rsa.generate_private_key(65537, 1024)), "1024 bits is too weak", id="RSA, 1024 bits"),
        pytest.param(lambda: pem(rsa.generate_private_key(65537, 4104)), "4104 bits is too long", id="RSA, too long"),
    ],
)  # fmt: skip
def test_what_can_not_sign_is_refused_with_a_remedy(octets: Callable[[], bytes], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as raised:
        read(octets())
    assert str(raised.value).startswith(f"{WHERE}: ") and "`newsletter dkim`" in str(raised.value)
    assert (raised.value.__cause__ is None and raised.value.__suppress_context__) or not raised.value.__context__


@pytest.mark.parametrize(
    ("kinds", "good"),
    [
        pytest.param([Algorithm.RSA], True, id="RSA"),
        pytest.param([Algorithm.ED25519], True, id="Ed25519"),
        pytest.param([Algorithm.RSA, Algorithm.ED25519], True, id="both"),
        pytest.param([Algorithm.ED25519, Algorithm.RSA], False, id="changed places"),
        pytest.param([Algorithm.RSA, Algorithm.RSA], False, id="RSA twice"),
        pytest.param([Algorithm.ED25519, Algorithm.ED25519], False, id="Ed25519 twice"),
    ],
)
def test_two_keys_are_of_two_kinds(kinds: list[Algorithm], good: bool) -> None:
    dkim = Dkim("example.org", tuple(DkimKey(f"s{n}", new_key(kind), WHERE) for n, kind in enumerate(kinds)))
    if good:
        assert [key.algorithm for key in signing_keys(dkim)] == kinds
    else:
        with pytest.raises(ConfigError, match="an RSA key in key_file and an Ed25519 key in ed25519_key_file"):
            signing_keys(dkim)
