"""libopendkim, called in this process: a verifier that shares no line with ours or with dkimpy.

Keys come from a dictionary instead of the DNS.
"""

from __future__ import annotations

import ctypes as c
from collections.abc import Mapping
from ctypes.util import find_library
from dataclasses import dataclass

LIBRARY = find_library("opendkim")

_CONTINUE, _NOT_FOUND = 0, 3  # DKIM_CBSTAT_*
_SIGNED = (0, 1)  # DKIM_STAT_OK, DKIM_STAT_BADSIG; anything else and there is no signature to look at
_PASSED, _BODY_MATCHES = 4, 0  # DKIM_SIGFLAG_PASSED, DKIM_SIGBH_MATCH

_Lookup = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_void_p, c.c_void_p, c.c_size_t)


@dataclass(frozen=True)
class Verdict:
    """What became of one signature of a message."""

    selector: str
    passed: bool
    error: str


def verdicts(message: bytes, dns: Mapping[str, str]) -> list[Verdict]:
    """Every signature in *message*, judged by the records in *dns*."""
    lib = _library()
    handle = lib.dkim_init(None, None)

    @_Lookup
    def look_up(_dkim: int, signature: int, room: int, size: int) -> int:
        selector, domain = lib.dkim_sig_getselector(signature), lib.dkim_sig_getdomain(signature)
        record = dns.get(f"{selector.decode()}._domainkey.{domain.decode()}")
        if record is None or len(record) >= size:
            return _NOT_FOUND
        c.memmove(room, record.encode() + b"\0", len(record) + 1)
        return _CONTINUE

    lib.dkim_set_key_lookup(handle, look_up)
    status = c.c_int()
    dkim = lib.dkim_verify(handle, b"test", None, c.byref(status))
    try:
        lib.dkim_chunk(dkim, message, len(message))
        lib.dkim_chunk(dkim, b"", 0)
        if lib.dkim_eom(dkim, None) not in _SIGNED:
            return []
        found, count = c.POINTER(c.c_void_p)(), c.c_int()
        lib.dkim_getsiglist(dkim, c.byref(found), c.byref(count))
        return [_verdict(lib, found[n]) for n in range(count.value)]
    finally:
        lib.dkim_free(dkim)
        lib.dkim_close(handle)


def _verdict(lib: c.CDLL, signature: int | None) -> Verdict:
    passed = bool(lib.dkim_sig_getflags(signature) & _PASSED) and lib.dkim_sig_getbh(signature) == _BODY_MATCHES
    error = lib.dkim_sig_geterrorstr(lib.dkim_sig_geterror(signature)) or b""
    return Verdict(lib.dkim_sig_getselector(signature).decode(), passed, error.decode())


def _library() -> c.CDLL:
    lib = c.CDLL(LIBRARY)
    text, place = c.c_char_p, c.c_void_p
    for name, result, arguments in (
        ("dkim_init", place, [place, place]),
        ("dkim_set_key_lookup", c.c_int, [place, _Lookup]),
        ("dkim_verify", place, [place, text, place, place]),
        ("dkim_chunk", c.c_int, [place, text, c.c_size_t]),
        ("dkim_eom", c.c_int, [place, place]),
        ("dkim_getsiglist", c.c_int, [place, place, place]),
        ("dkim_sig_getflags", c.c_uint, [place]),
        ("dkim_sig_getbh", c.c_int, [place]),
        ("dkim_sig_geterror", c.c_int, [place]),
        ("dkim_sig_geterrorstr", text, [c.c_int]),
        ("dkim_sig_getselector", text, [place]),
        ("dkim_sig_getdomain", text, [place]),
        ("dkim_free", c.c_int, [place]),
        ("dkim_close", None, [place]),
    ):
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib
