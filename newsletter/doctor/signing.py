"""Rules about signatures (DKIM): that the DNS has the key with which your letters are signed."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterator

from newsletter.doctor.case import Case
from newsletter.doctor.tags import tags
from newsletter.findings import Finding, Record, error, note, warning
from newsletter.keys import SigningKey, rsa_bits
from newsletter.lookup import Resolver

_WEAK, _SHORT = 1_024, 2_048  # RFC 8301 section 3.2: less than the first is not believed; the second is what is wanted
_CUT = 200  # characters of a record; forms that cut it off do so at 255


def key_fault(dns: Resolver, key: SigningKey) -> str:
    """Why letters signed with *key* can't be verified, as the second half of a sentence; "" when they can."""
    texts = _published(dns, key.place)
    if not texts:
        if _published(dns, f"{key.place}.{key.domain}"):
            return f"stands at {key.place}.{key.domain}: the form has added the domain once more"
        return "is not in the DNS, so nobody can check your signatures"
    if len(texts) > 1:
        return f"has {len(texts)} records at one name, and servers don't know which counts"
    if texts[0].startswith(key.record[:_CUT]) and key.record.startswith(texts[0]) and texts[0] != key.record:
        return "is cut off in the DNS: give it in two pieces, as `newsletter dkim` shows"
    fault, octets = _read(texts[0], key.algorithm.kind)
    if not fault and octets != key.public:
        return "is another one in the DNS than the one that signs your letters"
    return fault


def _published(dns: Resolver, place: str) -> tuple[str, ...]:
    return dns.ask(place, "TXT").records


def _read(text: str, kind: str = "") -> tuple[str, bytes]:
    """What is wrong with a key record (RFC 6376 section 3.6.1), and the key in it. *kind*: "rsa" or "ed25519"."""
    try:
        found = tags(text)
    except ValueError as wrong:
        return f"can't be read in the DNS: {wrong}", b""
    if "v" in found and (found["v"] != "DKIM1" or next(iter(found)) != "v"):
        return "has a record that must begin with v=DKIM1", b""
    if "p" not in found:
        return "has a record without a key (p=)", b""
    packed = re.sub(r"\s", "", found["p"])
    if not packed:
        return "is revoked: its record says p= and nothing more", b""
    if kind and found.get("k", "rsa").lower() != kind:
        return f"has a record for another kind of key: k={found.get('k', 'rsa')} and not k={kind}", b""
    if "h" in found and "sha256" not in found["h"].lower().replace(" ", "").split(":"):
        return f"may not be used with SHA-256 (h={found['h']}), and nothing else counts", b""
    if "s" in found and not {"*", "email"} & set(found["s"].lower().replace(" ", "").split(":")):
        return f"may not be used for mail (s={found['s']})", b""
    try:
        return "", b64decode(packed, validate=True)
    except (NotBase64, ValueError):
        return "is damaged in the DNS: it holds characters that no key has, or too few", b""


def signs(case: Case) -> bool | None:
    """Whether letters carry a signature that the From domain's DNS bears out; None: that can't be seen from here."""
    if case.keys:
        return any(not key_fault(case.dns, key) for key in case.keys)
    if case.account.signs:
        return True
    found = [name for name in _selectors(case) if _published(case.dns, _place(case, name))]
    return True if found else None


def _selectors(case: Case) -> tuple[str, ...]:
    return case.selectors or (case.service.selectors if case.service else ())


def _place(case: Case, selector: str) -> str:
    """Mailgun signs for the domain that it has; others for that of From."""
    return f"{selector}._domainkey.{case.path if case.provider == 'mailgun' else case.domain}"


def dkim_key(case: Case) -> Iterator[Finding]:
    """The public key in the DNS is the one that signs your letters, and is neither revoked nor for something else."""
    if case.is_sample:
        return
    for key in case.keys:
        if fault := key_fault(case.dns, key):
            yield error(
                "dkim-key",
                key.place,
                f"The key {key.selector} {fault}.",
                "Let exactly this record stand there; until then take [dkim] out of newsletter.toml.",
                Record(key.place, key.record),
            )
        elif "y" in _flags(case, key.place):
            yield warning(
                "dkim-key",
                key.place,
                f"The key {key.selector} is marked as a test (t=y), and servers may overlook its signatures.",
                "Put this record in its place.",
                Record(key.place, key.record),
            )
    if case.owns_domain:
        yield from _others(case)


def _others(case: Case) -> Iterator[Finding]:
    """Keys of whoever else signs: those that were named, and those that the mail service is known to use."""
    for selector in _selectors(case):
        place = _place(case, selector)
        texts = _published(case.dns, place)
        if not texts:
            if case.selectors:
                yield error(
                    "dkim-key",
                    place,
                    f"There is no key {selector} in the DNS of {case.domain}.",
                    "Ask your mail host for the record that belongs there.",
                )
            continue
        fault, octets = _read(texts[0]) if len(texts) == 1 else (f"has {len(texts)} records at one name", b"")
        bits = rsa_bits(octets) if not fault else None
        if bits is not None and bits < _WEAK:
            fault = f"has {bits} bits, and below {_WEAK} nobody believes it"
        if fault:
            yield error("dkim-key", place, f"The key {selector} {fault}.", "Ask your mail host for a new record.")
        elif bits is not None and bits < _SHORT:
            yield warning(
                "dkim-key",
                place,
                f"The key {selector} has {bits} bits; {_SHORT} are wanted today.",
                "Ask your mail host for a longer one.",
            )


def _flags(case: Case, place: str) -> list[str]:
    return tags(_published(case.dns, place)[0]).get("t", "").replace(" ", "").split(":")


def dkim_signer(case: Case) -> Iterator[Finding]:
    """Somebody signs your letters: you with [dkim], or your mail host."""
    if not case.owns_domain or case.keys or case.provider == "folder":
        return
    service = case.service
    if case.selectors or signs(case):
        return
    if service and service.selectors:
        yield (error if case.bulk else warning)(
            "dkim-signer",
            case.domain,
            f"None of the keys with which {service.name} signs is in the DNS of {case.domain}.",
            f"Set up DKIM for the domain with {service.name}, which shows the records to copy. If it gave you"
            " other names, say `newsletter doctor --selector NAME`.",
        )
    elif case.runs_server:
        yield (error if case.bulk else warning)(
            "dkim-signer",
            case.domain,
            "Whether your mail server signs what it sends can't be seen from here, and [dkim] is not set.",
            "If it does not sign, `newsletter dkim` makes a key; if it does, say `newsletter doctor --selector NAME`.",
        )
    else:
        yield note(
            "dkim-signer",
            case.domain,
            "Under which name your mail host's key stands is not known here, so it was not looked at.",
            "Ask for its selector and say `newsletter doctor --selector NAME`, or send yourself a letter with"
            " `newsletter test` and look in its source for dkim=pass.",
        )


RULES = {"dkim-key": dkim_key, "dkim-signer": dkim_signer}
