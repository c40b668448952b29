"""What the wire tests share: messages, settings for loopback, and an authority for certificates."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from certificates import Authority

from newsletter.mail import Address, Envelope, Message

SENDER = Address.parse("maya@letters.example.org")


@pytest.fixture
def message() -> Callable[..., Message]:
    """A message for reader *n*."""

    def make(n: int = 1, data: bytes = b"Subject: hello\r\n\r\nDear reader\r\n") -> Message:
        return Message(n, f"{n}@letters.example.org", Envelope(SENDER, Address.parse(f"r{n}@example.org")), data)

    return make


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("tls"))
