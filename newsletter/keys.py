"""Keys that sign messages: PEM in, signatures and DNS records out.

    signing_key    a key from its file's octets
    new_key        a new one, as PEM

Guarantees
    What is read can sign: an RSA key of 2048 to 4096 bits, or an Ed25519 key. A private key never shows in a repr or
    in a message.

Diagnostics
    `ConfigError` for anything else, naming the setting and the remedy.

Price
    `cryptography` takes 40 ms to import, so it is imported when a key is read. A signature costs 0.3 ms with RSA-2048
    and 0.03 ms with Ed25519.

Sources: RFC 6376 sections 3.6.1 and 3.6.2 (the record and its place), RFC 8301 (sizes), RFC 8463 (Ed25519).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING

from newsletter.config import Dkim
from newsletter.errors import ConfigError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

_RSA_BITS = 2048
_RSA_MOST = 4096  # RFC 8301 section 3.2: verifiers need not manage more
_REMEDY = "make one with `newsletter dkim`"


class Algorithm(StrEnum):
    """How a key signs: the tag a= of a signature."""

    RSA = "rsa-sha256"
    ED25519 = "ed25519-sha256"  #: RFC 8463; small and quick, but Gmail and Outlook don't check it yet

    @property
    def kind(self) -> str:
        """The tag k= of the record in the DNS."""
        return self.value.partition("-")[0]


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One private key with the name under which its public half stands in the DNS."""

    domain: str
    selector: str
    algorithm: Algorithm
    public: bytes = field(repr=False)  #: as it stands in the record: DER for RSA (RFC 6376), the 32 octets for Ed25519
    sign: Callable[[bytes], bytes] = field(repr=False, compare=False)  #: octets → signature

    @property
    def place(self) -> str:
        """The name of the DNS record."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def record(self) -> str:
        """The text of the DNS record."""
        return f"v=DKIM1; k={self.algorithm.kind}; p={b64encode(self.public).decode()}"


def signing_keys(dkim: Dkim) -> tuple[SigningKey, ...]:
    """The keys of [dkim]. Raises `ConfigError`."""
    keys = tuple(signing_key(k.pem, domain=dkim.domain, selector=k.selector, where=k.where) for k in dkim.keys)
    for extra in keys[1:]:
        if extra.algorithm is not Algorithm.ED25519 or keys[0].algorithm is not Algorithm.RSA:
            raise ConfigError(
                f"{dkim.keys[1].where}: the two keys must be an RSA key in key_file and an Ed25519 key in"
                " ed25519_key_file; two of a kind help nobody"
            )
    return keys


def signing_key(pem: bytes, *, domain: str, selector: str, where: str) -> SigningKey:
    """The key in *pem*; *where* is how messages call the setting it comes from. Raises `ConfigError`."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

    key = _read(pem, where)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        # RFC 8463 section 3: what is signed is the SHA-256 of the octets.
        return SigningKey(domain, selector, Algorithm.ED25519, raw, lambda data: key.sign(sha256(data).digest()))
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ConfigError(f"{where}: this key is neither RSA nor Ed25519, and nothing else signs mail; {_REMEDY}")
    if key.key_size < _RSA_BITS:
        raise ConfigError(f"{where}: an RSA key of {key.key_size} bits is too weak to count today; {_REMEDY}")
    if key.key_size > _RSA_MOST:
        raise ConfigError(f"{where}: an RSA key of {key.key_size} bits is too long for many mail servers; {_REMEDY}")
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    scheme, digest = padding.PKCS1v15(), hashes.SHA256()
    return SigningKey(domain, selector, Algorithm.RSA, der, lambda data: key.sign(data, scheme, digest))


def new_key(algorithm: Algorithm) -> bytes:
    """A new private key as PEM (PKCS #8), without a password."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

    key = (
        ed25519.Ed25519PrivateKey.generate()
        if algorithm is Algorithm.ED25519
        else rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
    )
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _read(pem: bytes, where: str) -> PrivateKeyTypes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if not pem.strip():
        raise ConfigError(f"{where}: there is no key yet; {_REMEDY}")
    if b"PRIVATE KEY-----" not in pem:
        what = "the public half of a key, for the DNS" if b"PUBLIC KEY-----" in pem else "no key"
        raise ConfigError(
            f"{where}: this is {what}; a private key begins with -----BEGIN PRIVATE KEY----- (PEM). Or {_REMEDY}"
        )
    try:
        return load_pem_private_key(pem, password=None)
    except TypeError:  # "Password was not given but private key is encrypted"
        raise ConfigError(
            f"{where}: this key is locked with a password, and letters leave while nobody is there to type it; save it"
            f" without one (openssl pkey -in OLD -out NEW), or {_REMEDY}"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError(f"{where}: this key is damaged, or of a kind that can't be read; {_REMEDY}") from None


def rsa_bits(public: bytes) -> int | None:
    """The size of the RSA key in a DNS record's octets; None when it is no RSA key."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key = load_der_public_key(public)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key.key_size if isinstance(key, rsa.RSAPublicKey) else None
