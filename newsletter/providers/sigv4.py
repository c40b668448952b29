"""Signature Version 4, the way Amazon's services know who asks. Pure.

Guarantees
    What leaves is signed: method, host, path, query, the header fields given, the time and the SHA-256 of the body.
    The secret stays here; what leaves is a keyed hash, good for one day, one region and one service.

Source: "Signature Version 4 for API requests" in Amazon's IAM guide.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

_SCHEME = "AWS4-HMAC-SHA256"


def signed(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    key: str,
    secret: str,
    region: str,
    service: str,
    at: datetime,
) -> dict[str, str]:
    """*headers* with Host, the time and Authorization."""
    parts = urlsplit(url)
    stamp = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    fields = {**headers, "Host": parts.netloc, "X-Amz-Date": stamp}
    lower = sorted((name.lower(), " ".join(value.split())) for name, value in fields.items())
    names = ";".join(name for name, _ in lower)
    query = sorted(part.partition("=")[::2] for part in parts.query.split("&") if part)  # encoded already
    canonical = "\n".join(
        (
            method,
            # The path is encoded once for the URL and once more here, by every service but S3.
            quote(parts.path or "/", safe="/-_.~"),
            "&".join(f"{name}={value}" for name, value in query),
            *(f"{name}:{value}" for name, value in lower),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        )
    )
    text = "\n".join((_SCHEME, stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    derived = f"AWS4{secret}".encode()
    for step in scope.split("/"):
        derived = hmac.digest(derived, step.encode(), "sha256")
    signature = hmac.digest(derived, text.encode(), "sha256").hex()
    return fields | {
        "Authorization": f"{_SCHEME} Credential={key}/{scope}, SignedHeaders={names}, Signature={signature}"
    }
