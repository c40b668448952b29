"""One connection, with bounds to how long and how large the head of a request may be.

uvicorn waits for ever for the end of a header, and keeps all of it. A web server in front of us never sends one in
parts; whoever else does wants to use up our connections (slow loris), and is let go.

What goes wrong
    A head that is not complete after `HEAD_WITHIN` seconds ends its connection without an answer; one that is larger
    than `HEAD_MOST` is answered 400. How long a body may take is for `forms.body_of` to say.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_WITHIN = 10.0  # seconds
HEAD_MOST = 32 * 1024  # octets


class Patience(HttpToolsProtocol):
    """uvicorn's protocol, which is not waited for beyond the bounds above."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._deadline: asyncio.TimerHandle | None = None
        self._head = 0  # octets since the last complete head, while one is being read

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody is there: they have so long to say what they want."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """They went, or had to."""
        self._content()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """More of a head, or of a body."""
        if self._deadline is not None:
            self._head += len(data)
            if self._head > HEAD_MOST + len(data):  # what came before, without an end in it
                self._refuse()
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """The first octets of a request."""
        self._wait()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head of a request is whole."""
        self._content()
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > HEAD_MOST:
            raise ValueError("a head beyond all measure")  # answered 400, as whatever can't be parsed
        super().on_headers_complete()

    def _wait(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_WITHIN, self.transport.abort)

    def _content(self) -> None:
        self._head = 0
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self) -> None:
        self._content()
        self.send_400_response("The head of this request is too large.")
