"""One server, until Ctrl-C: on loopback for its owner, or wherever `newsletter serve` is told to listen."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from newsletter.errors import NewsletterError
from newsletter.web.patience import Patience

HOST = "127.0.0.1"
_GRACE = 2  # seconds for answers that are under way
_BACKLOG = 1_024  # connections that wait to be accepted


class _Server(uvicorn.Server):
    """Tells when it is asked to end: a stream that waits would otherwise keep it."""

    def __init__(self, config: uvicorn.Config, ending: Callable[[], None]) -> None:
        super().__init__(config)
        self._ending, self.signal = ending, 0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.signal = self.signal or sig
        self._ending()
        super().handle_exit(sig, frame)


def listening(port: int, host: str = HOST) -> socket.socket:
    """A socket; port 0 is any that is free. Raises `NewsletterError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        sock = socket.create_server((host.strip("[]"), port), family=family, backlog=_BACKLOG)
        # Handed down to each connection; asyncio does it for sockets of its own making alone. Without it every answer
        # waits 40 ms for the client to acknowledge its header.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock
    except OSError as error:
        raise NewsletterError(
            f"port {port} can't be used ({error.strerror}); choose another with --port, or leave --port out."
        ) from None


def serve(app: ASGIApp, sock: socket.socket, *, ending: Callable[[], None], grace: int = _GRACE) -> int:
    """Answer on *sock* until Ctrl-C or SIGTERM, and which it was; *ending* is called as soon as one comes."""
    config = uvicorn.Config(
        app, http=Patience, lifespan="off", ws="none", log_config=None, log_level="critical", access_log=False,
        server_header=False,
        # Whose word for a visitor's address counts is the application's to say.
        proxy_headers=False, timeout_graceful_shutdown=grace,
    )  # fmt: skip
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # uvicorn hands a signal on when it has ended
    server = _Server(config, ending)
    try:
        server.run(sockets=[sock])
    except KeyboardInterrupt:
        pass  # that is how it ends
    finally:
        signal.signal(signal.SIGTERM, before)
    return server.signal
