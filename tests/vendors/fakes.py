"""Each vendor as its documentation describes it: paths, keys, limits, errors. As far as newsletter uses it."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from typing import Any

from fake import Asked, Fake, Said, Took, older
from fake_amazon import SesFake
from fake_senders import BrevoFake, MailjetFake, SendgridFake


class PostmarkFake(Fake):
    """POST /email/batch, GET /messages/outbound; X-Postmark-Server-Token."""

    name = "postmark"
    settings = {"key": "server-token", "message_stream": "broadcast", "manages_unsubscribe": False}  # noqa: RUF012

    def answer(self, asked: Asked) -> Said:
        if asked.headers.get("x-postmark-server-token") != "server-token":
            return Said(401, {"ErrorCode": 10, "Message": "No Account or Server API tokens were supplied."})
        if (asked.method, asked.path) == ("GET", "/messages/outbound"):
            return self._search(asked)
        if (asked.method, asked.path) != ("POST", "/email/batch"):
            return Said(404, b"")
        if asked.headers.get("content-type") != "application/json" or len(asked.body) > 50_000_000:
            return Said(422, {"ErrorCode": 402, "Message": "Invalid JSON"})
        items = asked.json()
        if len(items) > 500:
            return Said(422, {"ErrorCode": 410, "Message": "Too many batch messages"})
        return Said(200, [self._item(item) for item in items])

    def _item(self, item: dict[str, Any]) -> dict[str, Any]:
        address = re.sub(r".*<(.*)>", r"\1", item.get("To", ""))
        if not address:
            return {"ErrorCode": 300, "Message": "Zero recipients specified"}
        if not item.get("From") or not (item.get("TextBody") or item.get("HtmlBody")):
            return {"ErrorCode": 300, "Message": "Invalid 'From' address."}
        if item.get("MessageStream") != "broadcast":
            return {"ErrorCode": 1235, "Message": "The stream provided: 'x' does not exist on this server."}
        if address.startswith("inactive"):
            return {"ErrorCode": 406, "Message": "You tried to send to a recipient that has been marked as inactive."}
        if address.startswith("spam"):
            return {"ErrorCode": 300, "Message": "It was not liked."}
        assert all(len(k) <= 20 and len(v) <= 80 for k, v in item["Metadata"].items())
        fields = {one["Name"]: one["Value"] for one in item["Headers"]}
        took = self.keep(
            Took(
                address,
                item["Subject"],
                item["TextBody"],
                item.get("HtmlBody", ""),
                fields,
                item["Metadata"]["newsletter"],
            )
        )
        return {"ErrorCode": 0, "Message": "OK", "MessageID": took.ident, "To": address}

    def _search(self, asked: Asked) -> Said:
        found = [one for one in self.took if one.tag == asked.query.get("metadata_newsletter")]
        assert asked.query["count"] and asked.query["offset"]
        return Said(200, {"TotalCount": len(found), "Messages": [{"MessageID": one.ident} for one in found[:1]]})


class ResendFake(Fake):
    """POST /emails, POST /emails/batch; Bearer; Idempotency-Key, for which a request counts once."""

    name = "resend"
    settings = {"key": "re_key", "webhook_secret": "whsec_c2VjcmV0IGtleSBvZiB0ZXN0cw=="}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.keys: dict[str, tuple[str, Said, datetime | None]] = {}

    def answer(self, asked: Asked) -> Said:
        if asked.headers.get("authorization") != "Bearer re_key":
            return Said(401, {"statusCode": 401, "name": "validation_error", "message": "API key is invalid"})
        if asked.method != "POST" or asked.path not in ("/emails", "/emails/batch"):
            return Said(
                404, {"statusCode": 404, "name": "not_found", "message": "The requested endpoint does not exist."}
            )
        key, digest = asked.headers["idempotency-key"], hashlib.sha256(asked.body).hexdigest()
        if not 1 <= len(key) <= 256:
            return Said(400, {"statusCode": 400, "name": "invalid_idempotency_key", "message": "1-256 chars"})
        if key in self.keys and not older(self.keys[key][2], self.now, timedelta(hours=24)):
            before, said, _ = self.keys[key]
            conflict = {"statusCode": 409, "name": "invalid_idempotent_request", "message": "Same key, other payload"}
            return said if before == digest else Said(409, conflict)
        said = self._take(asked)
        if said.status == 200:
            self.keys[key] = digest, said, self.now
        return said

    def _take(self, asked: Asked) -> Said:
        items = asked.json() if asked.path == "/emails/batch" else [asked.json()]
        if len(items) > 100:
            return Said(422, {"statusCode": 422, "name": "validation_error", "message": "At most 100 emails"})
        for item in items:
            if missing := [name for name in ("from", "to", "subject") if not item.get(name)]:
                words = f"Missing `{missing[0]}` field."
                return Said(422, {"statusCode": 422, "name": "missing_required_field", "message": words})
            wrong = ""
            if "inactive" in item["to"][0]:
                wrong = "Invalid `to` field. The email address needs to follow the `email@example.com` format."
            if "spam" in item["to"][0]:
                wrong = "The message was not liked."
            if asked.path == "/emails/batch" and item.get("attachments"):
                wrong = "Attachments are not supported in batches."
            if wrong:
                return Said(422, {"statusCode": 422, "name": "validation_error", "message": wrong})
        idents = [{"id": self._one(item).ident} for item in items]
        return Said(200, {"data": idents} if asked.path == "/emails/batch" else idents[0])

    def _one(self, item: dict[str, Any]) -> Took:
        address = re.sub(r".*<(.*)>", r"\1", item["to"][0])
        (tag,) = item["tags"]
        assert re.fullmatch("[A-Za-z0-9_-]{1,256}", tag["value"])
        return self.keep(
            Took(address, item["subject"], item["text"], item.get("html", ""), item["headers"], tag["value"])
        )


class MailgunFake(Fake):
    """POST /v3/DOMAIN/messages.mime, GET /v3/DOMAIN/events; basic auth."""

    name = "mailgun"
    raw = True
    batch = 1
    settings = {"key": "mailgun-key", "domain": "letters.example.org", "webhook_secret": "signing-key"}  # noqa: RUF012

    def answer(self, asked: Asked) -> Said:
        if asked.headers.get("authorization") != "Basic " + b64encode(b"api:mailgun-key").decode():
            return Said(401, b"Forbidden")
        match asked.method, asked.path.split("/"):
            case "POST", ["", "v3", "letters.example.org", "messages.mime"]:
                return self._take(asked)
            case "GET", ["", "v3", "letters.example.org", "events"]:
                found = [one for one in self.took if one.ident == f"<{asked.query['message-id']}>"]
                return Said(200, {"items": [{"event": "accepted"} for _ in found], "paging": {}})
            case _:
                return Said(404, {"message": "Domain not found: x"})

    def _take(self, asked: Asked) -> Said:
        head = f"Content-Type: {asked.headers['content-type']}\r\n\r\n".encode()
        form = {
            part.get_param("name", header="Content-Disposition"): part.get_payload(decode=True)
            for part in message_from_bytes(head + asked.body).walk()
            if not part.is_multipart() and part.get_param("name", header="Content-Disposition")
        }
        # The parser reads a message/rfc822 part as a message; its octets are taken as they came.
        mark = asked.body.partition(b"\r\n")[0]
        data = asked.body.partition(b"message/rfc822\r\n\r\n")[2].partition(b"\r\n" + mark + b"--")[0]
        address = (form.get("to") or b"").decode()
        if not address or not data:
            return Said(400, {"message": f"{'message' if address else 'to'} parameter is missing"})
        if len(data) > 25_000_000:
            return Said(413, {"message": "Request Entity Too Large"})
        assert form["o:tracking"] == b"no"
        if address.startswith("inactive"):
            return Said(400, {"message": "to parameter is not a valid address. please check documentation"})
        if address.startswith("spam"):
            return Said(400, {"message": "It was not liked."})
        found = message_from_bytes(data, policy=policy.default)
        body = found.get_body(("plain",)) or found
        ident = str(found["Message-ID"] or f"<{len(self.took)}@letters.example.org>")
        took = self.keep(
            Took(
                address,
                str(found["Subject"]),
                str(body.get_content()),
                fields=dict(found.items()),
                ident=ident,
                data=data,
            )
        )
        return Said(200, {"id": took.ident, "message": "Queued. Thank you."})


FAKES: dict[str, type[Fake]] = {
    fake.name: fake for fake in (PostmarkFake, ResendFake, MailgunFake, SesFake, SendgridFake, BrevoFake, MailjetFake)
}
