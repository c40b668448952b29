"""Lists of tags, as DKIM keys (RFC 6376 section 3.2) and DMARC records (RFC 9989 section 4.7) are written."""

from __future__ import annotations


def tags(record: str) -> dict[str, str]:
    """Name → value, in order. Raises `ValueError` for a part that is no tag, and for a tag that stands there twice."""
    found: dict[str, str] = {}
    for part in record.split(";"):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not part.strip():
            continue
        if not equals or not name:
            raise ValueError(f"“{part.strip()[:40]}” is no tag: it needs a name, =, and a value")
        if name in found:
            raise ValueError(f"{name}= stands there twice")
        found[name] = value
    return found
