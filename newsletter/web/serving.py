"""One server on loopback, until Ctrl-C."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from newsletter.errors import NewsletterError

HOST = "127.0.0.1"
_GRACE = 2  # seconds for answers that are under way


class _Server(uvicorn.Server):
    """Tells when it is asked to end: a stream that waits would otherwise keep it."""

    def __init__(self, config: uvicorn.Config, ending: Callable[[], None]) -> None:
        super().__init__(config)
        self._ending = ending

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._ending()
        super().handle_exit(sig, frame)


def listening(port: int) -> socket.socket:
    """A socket on loopback; port 0 is any that is free. Raises `NewsletterError`."""
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        raise NewsletterError(
            f"port {port} can't be used ({error.strerror}); choose another with --port, or leave --port out."
        ) from None


def serve(app: ASGIApp, sock: socket.socket, *, ending: Callable[[], None]) -> None:
    """Answer on *sock* until Ctrl-C or SIGTERM; *ending* is called as soon as one comes."""
    config = uvicorn.Config(
        app, lifespan="off", ws="none", log_config=None, log_level="critical", access_log=False, server_header=False,
        timeout_graceful_shutdown=_GRACE,
    )  # fmt: skip
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # uvicorn hands a signal on when it has ended
    try:
        _Server(config, ending).run(sockets=[sock])
    except KeyboardInterrupt:
        pass  # that is how it ends
    finally:
        signal.signal(signal.SIGTERM, before)
