"""Amazon SES as its documentation describes it, with Amazon's own signer to check ours by."""

from __future__ import annotations

import re
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from fake import Asked, Fake, Said, Took

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<day>\d{8})/(?P<region>[\w-]+)/ses/aws4_request, "
    r"SignedHeaders=(?P<names>[\w;-]+), Signature=(?P<signature>[0-9a-f]{64})"
)


class SesFake(Fake):
    """POST /v2/email/outbound-emails with raw content; Signature Version 4."""

    name = "ses"
    raw = True
    batch = 1
    settings = {"key": "AKIDEXAMPLE", "secret": "wJalrXUtnFEMI/K7MDENG", "region": "eu-west-1"}  # noqa: RUF012
    clock: datetime | None = None  #: None: any time will do

    def answer(self, asked: Asked) -> Said:
        if trouble := self._trouble(asked):
            return trouble
        if (asked.method, asked.path) != ("POST", "/v2/email/outbound-emails"):
            return Said(404, b"<UnknownOperationException/>", {"x-amzn-ErrorType": "UnknownOperationException"})
        body = asked.json()
        if not body.get("Content", {}).get("Raw") or not body.get("Destination", {}).get("ToAddresses"):
            return exception(400, "BadRequestException", "Missing required parameter.")
        (address,) = body["Destination"]["ToAddresses"]
        if address.startswith("inactive"):
            return exception(400, "BadRequestException", "Local address contains control or whitespace")
        if address.startswith("spam"):
            return exception(400, "MessageRejected", "Transaction failed: it was not liked.")
        data = b64decode(body["Content"]["Raw"]["Data"], validate=True)
        found = message_from_bytes(data, policy=policy.default)
        assert len(data) <= 40_000_000 * 3 // 4
        assert b"\n" not in data.replace(b"\r\n", b"") and max(map(len, data.split(b"\r\n"))) <= 998
        took = self.keep(
            Took(
                address,
                str(found["Subject"]),
                str((found.get_body(("plain",)) or found).get_content()),
                fields={name: str(value) for name, value in found.items()},
                data=data,
            )
        )
        return Said(200, {"MessageId": took.ident})

    def _trouble(self, asked: Asked) -> Said | None:
        """Whether the request is signed, as Amazon's own library would sign it."""
        given = _AUTHORIZATION.fullmatch(asked.headers.get("authorization", ""))
        if given is None:
            return exception(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
        if given["key"] != self.settings["key"]:
            return exception(403, "UnrecognizedClientException", "The security token in the request is invalid.")
        at = datetime.strptime(asked.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if self.clock and abs(self.clock - at) > timedelta(minutes=5):
            return exception(403, "InvalidSignatureException", f"Signature expired: {at}")
        names = given["names"].split(";")
        assert {"host", "x-amz-date"} <= set(names) and given["region"] == self.settings["region"]
        request = AWSRequest(
            method=asked.method,
            url=f"http://{asked.headers['host']}{asked.path}",
            headers={name: asked.headers[name] for name in names if name != "host"},
            data=asked.body,
        )
        request.context["timestamp"] = asked.headers["x-amz-date"]
        signer = SigV4Auth(Credentials(given["key"], str(self.settings["secret"])), "ses", given["region"])
        text = signer.string_to_sign(request, signer.canonical_request(request))
        if signer.signature(text, request) != given["signature"]:
            words = "The request signature we calculated does not match the signature you provided."
            return exception(403, "InvalidSignatureException", words)
        return None


def exception(status: int, name: str, words: str) -> Said:
    """How Amazon refuses."""
    return Said(status, {"message": words}, {"x-amzn-ErrorType": f"{name}:http://internal.amazon.com/coral/"})
