"""SendGrid, Brevo and Mailjet as their documentation describes them."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from fake import Asked, Fake, Said, Took, older


class SendgridFake(Fake):
    """POST /v3/mail/send, GET /v3/messages; Bearer."""

    name = "sendgrid"
    batch = 1
    settings = {"key": "SG.key"}  # noqa: RUF012
    reserved = frozenset(
        {"x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding"}
        | {"to", "from", "subject", "reply-to", "cc", "bcc"}
    )
    feed = True  #: the plan has the activity feed

    def answer(self, asked: Asked) -> Said:
        if asked.headers.get("authorization") != "Bearer SG.key":
            return _errors(401, "The provided authorization grant is invalid, expired, or revoked")
        if (asked.method, asked.path) == ("GET", "/v3/messages"):
            return self._search(asked)
        if (asked.method, asked.path) != ("POST", "/v3/mail/send"):
            return Said(404, b"")
        if len(asked.body) > 30_000_000:
            return _errors(413, "Payload too large")
        return self._take(asked.json())

    def _take(self, body: dict[str, Any]) -> Said:
        for name in ("personalizations", "from", "subject", "content"):
            if not body.get(name):
                return _errors(400, f"The {name} is required.", name)
        if len(body["personalizations"]) > 1_000:
            return _errors(400, "There are too many personalizations.", "personalizations")
        (personalization,) = body["personalizations"]
        (to,) = personalization["to"]
        if to["email"].startswith("inactive"):
            return _errors(400, "Does not contain a valid address.", "personalizations.0.to.0.email")
        if to["email"].startswith("spam"):
            return _errors(400, "It was not liked.", "content.0.value")
        if "name" in to and not to["name"]:
            return _errors(400, "The name must not be empty.", "personalizations.0.to.0.name")
        if not self.reserved.isdisjoint(name.lower() for name in body["headers"]):
            return _errors(400, "The headers name is reserved.", "headers")
        kinds = [content["type"] for content in body["content"]]
        if kinds not in (["text/plain"], ["text/plain", "text/html"]) or not all(c["value"] for c in body["content"]):
            return _errors(400, "The content value must be a string at least one character in length.", "content")
        for one in body.get("attachments", ()):
            b64decode(one["content"], validate=True)
            assert one["disposition"] == "inline" and one["content_id"] and one["type"] and one["filename"]
        tracking = body["tracking_settings"]
        assert not any(setting["enable"] for setting in (*tracking.values(), body["mail_settings"]["footer"]))
        html = body["content"][1]["value"] if len(kinds) > 1 else ""
        tag = personalization["custom_args"]["message_id"]
        text = body["content"][0]["value"]
        took = self.keep(Took(to["email"], body["subject"], text, html, body["headers"], tag))
        return Said(202, b"", {"X-Message-Id": took.ident})

    def _search(self, asked: Asked) -> Said:
        if not self.feed:
            return _errors(403, "access forbidden")
        query = re.fullmatch(r"unique_args\['message_id'\]=\"(.+)\"", asked.query["query"])
        assert query and asked.query["limit"] == "1"
        found = [one for one in self.took if one.tag == query[1]]
        return Said(
            200, {"messages": [{"msg_id": f"{one.ident}.recvd-5d", "to_email": one.recipient} for one in found]}
        )


def _errors(status: int, words: str, field: str | None = None) -> Said:
    return Said(status, {"errors": [{"message": words, "field": field, "help": None}]})


class BrevoFake(Fake):
    """POST /v3/smtp/email, GET /v3/smtp/statistics/events; api-key; an idempotencyKey, for which a message counts once."""

    name = "brevo"
    batch = 1
    settings = {"key": "xkeysib-key", "manages_unsubscribe": False}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.keys: dict[UUID, tuple[Said, datetime | None]] = {}
        self.tags: dict[str, str] = {}
        self.late = False  #: the log of events is behind

    def answer(self, asked: Asked) -> Said:
        if asked.headers.get("api-key") != "xkeysib-key":
            return Said(401, {"code": "unauthorized", "message": "Key not found"})
        if (asked.method, asked.path) == ("GET", "/v3/smtp/statistics/events"):
            return self._events(asked)
        if (asked.method, asked.path) != ("POST", "/v3/smtp/email"):
            return Said(404, {"code": "document_not_found", "message": "Not found"})
        body = asked.json()
        key = UUID(body["headers"].pop("idempotencyKey"))
        if key in self.keys and not older(self.keys[key][1], self.now, timedelta(minutes=15)):
            return self.keys[key][0]
        said = self._take(body)
        if said.status == 201:
            self.keys[key] = said, self.now
        return said

    def _events(self, asked: Asked) -> Said:
        if not (1 <= int(asked.query["days"]) <= 90 and 1 <= int(asked.query["limit"]) <= 5000):
            return _invalid("days must be between 1 and 90")
        (tag,) = json.loads(asked.query["tags"])
        found = [] if self.late else [one for one in self.took if self.tags.get(one.ident) == tag]
        events = [{"email": o.recipient, "event": "requests", "messageId": f"<{o.ident}>", "tag": tag} for o in found]
        return Said(200, {"events": events} if events else {})

    def _take(self, body: dict[str, Any]) -> Said:
        for name in ("sender", "to", "subject"):
            if not body.get(name):
                return Said(400, {"code": "missing_parameter", "message": f"{name} is missing"})
        (to,) = body["to"]
        if to["email"].startswith("inactive"):
            return _invalid("email is not valid in to")
        if to["email"].startswith("spam"):
            return _invalid("htmlContent was not liked")
        if not body.get("htmlContent"):
            return Said(400, {"code": "missing_parameter", "message": "htmlContent is missing"})
        if not all(isinstance(value, str) and value.isascii() for value in body["headers"].values()):
            return _invalid("headers are not valid")
        assert "attachment" not in body and "{{" not in body["htmlContent"] + body["textContent"] + body["subject"]
        took = self.keep(
            Took(
                to["email"],
                body["subject"],
                body["textContent"],
                body["htmlContent"],
                body["headers"],
                body["headers"]["X-Mailin-custom"],
                f"{len(self.took)}@smtp-relay.mailin.fr",
            )
        )
        (self.tags[took.ident],) = body["tags"]
        return Said(201, {"messageId": f"<{took.ident}>"})


def _invalid(words: str) -> Said:
    return Said(400, {"code": "invalid_parameter", "message": words})


class MailjetFake(Fake):
    """POST /v3.1/send, GET /v3/REST/message; basic auth. A request of which a part is refused is answered 400."""

    name = "mailjet"
    settings = {"key": "public", "secret": "private"}  # noqa: RUF012
    forbidden = frozenset(
        {"date", "message-id", "list-id", "from", "sender", "subject", "to", "cc", "bcc", "reply-to", "return-path"}
        | {"delivered-to", "dkim-signature", "received", "user-agent", "x-mailer", "x-feedback-id"}
    )
    late = False  #: what was taken isn't listed yet

    def answer(self, asked: Asked) -> Said:
        if asked.headers.get("authorization") != "Basic " + b64encode(b"public:private").decode():
            words = "API key authentication/authorization failure."
            return Said(401, {"ErrorIdentifier": "x", "ErrorCode": "mj-0002", "StatusCode": 401, "ErrorMessage": words})
        if (asked.method, asked.path) == ("GET", "/v3/REST/message"):
            found = [one for one in self.took if one.tag == asked.query["CustomID"] and not self.late]
            assert int(asked.query["FromTS"]) and asked.query["Limit"] == "1"
            return Said(200, {"Count": len(found), "Data": [{"ID": int(one.ident)} for one in found[:1]]})
        if (asked.method, asked.path) != ("POST", "/v3.1/send"):
            return Said(404, b"")
        messages = asked.json()["Messages"]
        if len(messages) > 50:
            return Said(400, {"ErrorCode": "mj-0008", "StatusCode": 400, "ErrorMessage": "At most 50 messages"})
        items = [self._one(message) for message in messages]
        return Said(400 if any(item["Status"] == "error" for item in items) else 200, {"Messages": items})

    def _one(self, body: dict[str, Any]) -> dict[str, Any]:
        for name in ("From", "To"):
            if not body.get(name):
                return _error("mj-0003", f'Mandatory property "{name}" is missing.', name)
        (to,) = body["To"]
        if to["Email"].startswith("inactive"):
            return _error("mj-0013", f'"{to["Email"]}" is an invalid email address.', "To[0].Email")
        if to["Email"].startswith("spam"):
            return _error("send-0099", "It was not liked.", "HTMLPart")
        if not self.forbidden.isdisjoint(name.lower() for name in body["Headers"]):
            return _error("send-0011", "Header cannot be customized using the Headers collection.", "Headers")
        assert (body["TrackOpens"], body["TrackClicks"], body["TemplateLanguage"]) == ("disabled", "disabled", False)
        for one in body.get("InlinedAttachments", ()):
            b64decode(one["Base64Content"], validate=True)
            assert one["ContentID"] and one["Filename"] and one["ContentType"]
        took = self.keep(
            Took(
                to["Email"],
                body["Subject"],
                body["TextPart"],
                body.get("HTMLPart", ""),
                body["Headers"],
                body["CustomID"],
                str(1152921500000000000 + len(self.took)),
            )
        )
        to_item = {"Email": to["Email"], "MessageUUID": "u", "MessageID": int(took.ident), "MessageHref": "https://"}
        return {"Status": "success", "CustomID": body["CustomID"], "To": [to_item], "Cc": [], "Bcc": []}


def _error(code: str, words: str, related: str) -> dict[str, Any]:
    one = {"ErrorIdentifier": "x", "ErrorCode": code, "StatusCode": 400, "ErrorMessage": words}
    return {"Status": "error", "Errors": [one | {"ErrorRelatedTo": [related]}]}
