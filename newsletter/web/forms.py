"""Forms: bodies that were sent, where from, and the signed nonce that a page's form carries.

A nonce says when the form was fetched: whoever sends it back at once is a machine, and one of yesterday is no use. It
names nobody. It may be used once, which is the store's to know (`store.buckets`).
"""

from __future__ import annotations

import asyncio
import hmac
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from newsletter.links import mac

BODY_MOST = 64 * 1024  #: octets
_BODY_WITHIN = 30.0  # seconds
_FIELDS_MOST = 100
LEAST_AGE, MOST_AGE = timedelta(seconds=2), timedelta(hours=12)  #: of a nonce
_RANDOM, _MAC = 12, 16  # octets
_NETWORK_BITS = {4: 24, 6: 48}  # what one customer of a network usually has, or a small company


class TooLarge(Exception):
    """A body beyond what may be sent there."""


async def body_of(request: Request, most: int = BODY_MOST) -> bytes:
    """What was sent, octet by octet. Raises `TooLarge` beyond *most*, and answers 400 to whoever went away, 408 to
    whoever takes too long (RFC 9110 section 15.5.9)."""
    parts, size = [], 0
    try:
        async with asyncio.timeout(_BODY_WITHIN):
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise TooLarge
                parts.append(part)
    except ClientDisconnect:
        raise HTTPException(400) from None
    except TimeoutError:
        raise HTTPException(408, headers={"Connection": "close"}) from None
    return b"".join(parts)


async def form_of(request: Request, most: int = BODY_MOST) -> dict[str, list[str]]:
    """The fields of a form that was sent; empty for anything else. As `body_of`."""
    body = await body_of(request, most)
    if not request.headers.get("content-type", "").lower().startswith("application/x-www-form-urlencoded"):
        return {}
    found: dict[str, list[str]] = {}
    try:
        for name, value in parse_qsl(body.decode("utf-8", "replace"), max_num_fields=_FIELDS_MOST):
            found.setdefault(name, []).append(value)
    except ValueError:
        return {}
    return found


def only(form: Mapping[str, Sequence[str]], name: str) -> str:
    """The last value of a field, "" without one."""
    return form[name][-1] if form.get(name) else ""


# --- where from


def network_of(request: Request, trusted: Sequence[IPv4Network | IPv6Network]) -> str:
    """The block of addresses that a visitor comes from, as "192.0.2.0/24"; "" when nobody can say."""
    peer = request.client.host if request.client else ""
    # The nearest first: each proxy of ours added whom it saw, and what stands before that may be made up.
    chain = [*request.headers.get("x-forwarded-for", "").split(","), peer]
    for word in reversed(chain):
        try:
            address = ip_address(word.strip())
        except ValueError:
            return ""
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        if not any(address in network for network in trusted):
            return str(ip_network((address, _NETWORK_BITS[address.version]), strict=False))
    return ""


# --- nonces


def new_nonce(secret: bytes, *, at: datetime) -> str:
    """A nonce for a form that is fetched at *at*."""
    named = int(at.timestamp()).to_bytes(5) + os.urandom(_RANDOM)
    return urlsafe_b64encode(named + _signature(secret, named)).decode()


def nonce_age(secret: bytes, nonce: str, *, at: datetime) -> timedelta | None:
    """How long ago *nonce* was made; None for one that is not ours."""
    try:
        octets = urlsafe_b64decode(nonce)
    except ValueError:
        return None
    named, signature = octets[: 5 + _RANDOM], octets[5 + _RANDOM :]
    if not hmac.compare_digest(signature, _signature(secret, named)):
        return None
    return timedelta(seconds=int(at.timestamp()) - int.from_bytes(named[:5]))


def _signature(secret: bytes, named: bytes) -> bytes:
    return mac(secret, b"newsletter form\0" + named)[:_MAC]
