"""Signatures of others: whether what claims to come from them does.

    certificate    an X.509 certificate (PEM) whose RSA key signs; SNS shows one with each message
    ecdsa_holds    ECDSA over P-256, with a public key as SendGrid shows it

Guarantees
    A signature holds or doesn't; octets that make no sense as a key or a signature don't hold. Who may be believed is
    the caller's to know: a certificate says nothing about where it came from.

Price
    `cryptography` takes 40 ms to import, so it is imported when a signature is looked at.

Sources: RFC 5280 section 4.1.2.5 (validity), RFC 8017 section 8.2 (RSA), FIPS 186-5 section 6 (ECDSA).
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class Certificate:
    """Until when a key may be used, and whether it made a signature."""

    valid_from: datetime
    valid_to: datetime
    #: octets, signature, digest → whether the one was made over the other
    holds: Callable[[bytes, bytes, Literal["sha1", "sha256"]], bool] = field(repr=False, compare=False)


def certificate(pem: bytes) -> Certificate | None:
    """The certificate in *pem*; None when it is none, or has no RSA key."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    try:
        found = x509.load_pem_x509_certificate(pem)
        key = found.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    if not isinstance(key, rsa.RSAPublicKey):
        return None

    # SHA-1 is what SNS signs with unless told otherwise; a second text for somebody else's digest, which is what a
    # forger would need here, is still out of reach.
    digests = {"sha1": hashes.SHA1(), "sha256": hashes.SHA256()}  # noqa: S303

    def holds(data: bytes, signature: bytes, digest: Literal["sha1", "sha256"]) -> bool:
        try:
            key.verify(signature, data, padding.PKCS1v15(), digests[digest])
        except (InvalidSignature, UnsupportedAlgorithm):
            return False
        return True

    return Certificate(found.not_valid_before_utc, found.not_valid_after_utc, holds)


def ecdsa_holds(public_key: str, data: bytes, signature: str) -> bool:
    """Whether *signature* (base64) is ECDSA P-256 with SHA-256 over *data*; the key is base64 of its DER."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key = load_der_public_key(b64decode(public_key, validate=True))
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
            return False
        key.verify(b64decode(signature, validate=True), data, ec.ECDSA(hashes.SHA256()))
    except (ValueError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
