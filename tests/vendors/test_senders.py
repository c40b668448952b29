"""Whole requests to SES, SendGrid, Brevo and Mailjet, and what their answers mean."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest
from fake_amazon import SesFake
from fake_senders import BrevoFake, MailjetFake, SendgridFake
from letters import IDENTITY, a_post
from sample import AT, BODY, FIELDS, HEAD, MESSAGE_ID, PLAIN, message, settings

from newsletter.compose import Personal, compile_template
from newsletter.config import Config, Design, Dkim, Images, VendorSettings
from newsletter.errors import ProviderError
from newsletter.links import Links
from newsletter.mail import About, Accepted, Address, Deferred, Envelope, Mailbox, Message, Outcome, Rejected, Uncertain
from newsletter.providers import brevo, http, mailjet, sendgrid, ses, vendor
from newsletter.providers.exchange import Answer
from newsletter.providers.letter import dumps, letter, token
from newsletter.render import render

TEXT = "Hello Zoë,\nFrom me."
HTML = '<p>Hello Zoë,</p><img src="cid:1@letters.example.org">'


def sent(name: str, data: str = BODY, **changes: object) -> tuple[str, dict[str, str], dict[str, Any]]:
    """Path, header fields and body of the request for one message."""
    provider: Any = vendor(name).open_(settings(region="eu-west-1", **changes), now=lambda: AT)
    request = provider.request([provider.part(message(data))])
    return request.path, dict(request.headers), json.loads(request.body)


# --- requests


def test_ses_is_given_the_letter_as_it_is() -> None:
    path, headers, body = sent("ses", configuration_set="letters")
    assert path == "/v2/email/outbound-emails" and headers["X-Amz-Date"] == "20260302T090000Z"
    assert headers["Content-Type"] == "application/json"
    assert headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=key/20260302/eu-west-1/ses/aws4_request, ")
    assert b64decode(body["Content"]["Raw"].pop("Data")) == message().data
    assert body == {
        "Destination": {"ToAddresses": ["zoe@example.org"]},
        "Content": {"Raw": {}},
        "ConfigurationSetName": "letters",
    }
    assert "ConfigurationSetName" not in sent("ses")[2]


def test_sendgrid_is_told_all_of_it_and_to_add_nothing() -> None:
    path, headers, body = sent("sendgrid")
    assert path == "/v3/mail/send"
    assert headers == {"Authorization": "Bearer key", "Content-Type": "application/json"}
    assert body == {
        "personalizations": [
            {"to": [{"email": "zoe@example.org", "name": "Zoë"}], "custom_args": {"message_id": MESSAGE_ID}}
        ],
        "from": {"email": "maya@letters.example.org", "name": "Maya Thorne"},
        "reply_to": {"email": "maya@example.org", "name": "Thorne, Maya"},
        "subject": "What to say …",
        "content": [{"type": "text/plain", "value": TEXT}, {"type": "text/html", "value": HTML}],
        "headers": {"Message-ID": f"<{MESSAGE_ID}>", **FIELDS},
        "attachments": [
            {
                "content": "iVBORw0KGgo=",
                "type": "image/png",
                "filename": "wide.png",
                "disposition": "inline",
                "content_id": "1@letters.example.org",
            }
        ],
        "mail_settings": {"footer": {"enable": False}},
        "tracking_settings": {
            "click_tracking": {"enable": False, "enable_text": False},
            "open_tracking": {"enable": False},
            "subscription_tracking": {"enable": False},
            "ganalytics": {"enable": False},
        },
    }
    assert sent("sendgrid", PLAIN)[2]["content"] == [{"type": "text/plain", "value": "Are you sure? <Yes> & no.\n"}]


WITHOUT_IMAGE = BODY.partition("--r\nContent-Type: image")[0] + "--r--\n--a--\n"


def test_brevo_is_told_all_of_it_under_a_key() -> None:
    path, headers, body = sent("brevo", WITHOUT_IMAGE)
    assert path == "/v3/smtp/email" and headers == {"api-key": "key", "Content-Type": "application/json"}
    key = body["headers"].pop("idempotencyKey")
    assert body == {
        "headers": {"X-Mailin-custom": MESSAGE_ID, **FIELDS},
        "sender": {"email": "maya@letters.example.org", "name": "Maya Thorne"},
        "to": [{"email": "zoe@example.org", "name": "Zoë"}],
        "replyTo": {"email": "maya@example.org", "name": "Thorne, Maya"},
        "tags": [token(MESSAGE_ID)],
        "subject": "What to say …",
        "textContent": TEXT,
        "htmlContent": HTML,
    }
    assert UUID(key).version == 4
    assert sent("brevo", WITHOUT_IMAGE)[2]["headers"]["idempotencyKey"] == key
    assert sent("brevo", WITHOUT_IMAGE.replace("=46rom me", "For you"))[2]["headers"]["idempotencyKey"] != key


def test_brevos_key_goes_where_it_belongs_whatever_the_letter_says() -> None:
    noughts = "00000000-0000-0000-0000-000000000000"
    body = sent("brevo", WITHOUT_IMAGE.replace("=46rom me", noughts))[2]
    assert noughts in body["textContent"] and body["headers"]["idempotencyKey"] != noughts


def test_a_text_alone_says_the_same_to_brevo_in_html() -> None:
    body = sent("brevo", PLAIN)[2]
    assert body["textContent"] == "Are you sure? <Yes> & no.\n"
    assert body["htmlContent"].endswith(">Are you sure? &lt;Yes&gt; &amp; no.\n</pre>")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(BODY, "hosted", id="a picture that travels with it"),
        pytest.param(WITHOUT_IMAGE.replace("me.", "{{ contact.EMAIL }}."), "template language", id="double braces"),
        pytest.param(WITHOUT_IMAGE.replace("me.", "{% if x %}."), "template language", id="a statement"),
    ],
)
def test_what_brevo_would_change_is_not_handed_over(body: str, words: str) -> None:
    provider = brevo.open_(settings(), now=lambda: AT)
    with pytest.raises(ProviderError, match=words):
        provider.part(message(body))


def test_what_went_before_it_is_still_answered() -> None:
    with BrevoFake().running() as fake:
        provider = brevo.open_(fake.settings_here(), now=lambda: AT)
        people = ["ana", "ben", "cem", "dan"]
        messages = [replace(message(WITHOUT_IMAGE), delivery=n, envelope=to(name)) for n, name in enumerate(people)]
        messages[2] = replace(messages[2], data=message(WITHOUT_IMAGE.replace("me.", "{{ x }}.")).data)
        outcomes = provider.submit(messages)
        assert [next(outcomes)[0].delivery, next(outcomes)[0].delivery] == [0, 1]
        with pytest.raises(ProviderError, match="template language"):
            next(outcomes)
    assert [took.recipient for took in fake.took] == ["ana@example.org", "ben@example.org"]


def test_brevo_is_given_header_fields_in_ascii() -> None:
    head = HEAD.replace("Feedback-ID: a-post", "Feedback-ID: =?utf-8?q?=C3=A9t=C3=A9?=")
    with pytest.raises(ProviderError, match="garbles a Feedback-ID"):
        brevo.open_(settings(), now=lambda: AT).part(message(WITHOUT_IMAGE, head))


def test_mailjet_is_told_all_but_the_list_id() -> None:
    path, headers, body = sent("mailjet")
    assert path == "/v3.1/send"
    assert headers == {
        "Authorization": "Basic " + b64encode(b"key:secret").decode(),
        "Content-Type": "application/json",
    }
    assert body == {
        "Messages": [
            {
                "From": {"Email": "maya@letters.example.org", "Name": "Maya Thorne"},
                "To": [{"Email": "zoe@example.org", "Name": "Zoë"}],
                "ReplyTo": {"Email": "maya@example.org", "Name": "Thorne, Maya"},
                "Subject": "What to say …",
                "TextPart": TEXT,
                "HTMLPart": HTML,
                "CustomID": MESSAGE_ID,
                "Headers": {name: value for name, value in FIELDS.items() if name != "List-Id"},
                "InlinedAttachments": [
                    {
                        "ContentType": "image/png",
                        "Filename": "wide.png",
                        "ContentID": "1@letters.example.org",
                        "Base64Content": "iVBORw0KGgo=",
                    }
                ],
                "TrackOpens": "disabled",
                "TrackClicks": "disabled",
                "TemplateLanguage": False,
            }
        ]
    }
    assert "HTMLPart" not in sent("mailjet", PLAIN)[2]["Messages"][0]


@pytest.mark.parametrize("module", [sendgrid, brevo, mailjet])
@pytest.mark.parametrize("name", ["", "Ana", 'Garcia, "Zoë"', "山田"])
def test_a_letter_to_many_says_what_each_would_say_by_itself(module: ModuleType, name: str) -> None:
    form = compile_template(
        render(a_post("Words, “quoted” \\ and a <tag>.\n"), IDENTITY, Design()), IDENTITY, post_id="x"
    )
    provider: Any = module.open_(settings(), now=lambda: AT)
    for n in (1, 2):
        recipient = Mailbox(name, Address.parse(f"reader{n}@example.org"))
        links = Links(bytes(32), IDENTITY.url, IDENTITY.list_id).unsubscribe(IDENTITY.unsubscribe_address, bytes(16))
        values = form.values(Personal(recipient, AT, f"{n:040x}@letters.example.org", *links))
        data = b"".join(form.pieces(values))
        envelope = Envelope(IDENTITY.sender.address, recipient.address)
        made = Message(n, f"{n:040x}@letters.example.org", envelope, data, (), form, values)
        assert provider.part(made) == dumps(module.item(letter(made)))


@pytest.mark.parametrize("name", ["ses", "sendgrid", "brevo", "mailjet"])
def test_a_secret_shows_nowhere(name: str) -> None:
    found = settings(key="K3YK3Y", secret="S3CR3T", webhook_secret="H00K", region="eu-west-1")
    provider: Any = vendor(name).open_(found, now=lambda: AT)
    request = provider.request([provider.part(message(PLAIN))])
    for word in ("K3YK3Y", "S3CR3T", "H00K"):
        assert word not in repr(request) + repr(found) + repr(provider) + request.body.decode()


# --- answers


def said(status: int, body: object = b"", **headers: str) -> Answer:
    octets = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, octets)


def aws(status: int, name: str, words: str) -> Answer:
    return said(status, {"message": words}, x_amzn_errortype=f"{name}:http://internal.amazon.com/coral/")


def sg(status: int, words: str, field: str | None = None) -> Answer:
    return said(status, {"errors": [{"message": words, "field": field, "help": None}]})


def bv(status: int, code: str, words: str) -> Answer:
    return said(status, {"code": code, "message": words})


def shape(verdict: object) -> object:
    match verdict:
        case ProviderError():
            return "us", verdict.busy, verdict.retry_after
        case Rejected():
            assert not verdict.suppress, "a vendor's word alone suppresses nobody"
            return verdict.about
        case None:
            return None
    return type(verdict)


HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
OWNER = ("us", False, None)


@pytest.mark.parametrize(
    ("module", "answer", "expected"),
    [
        pytest.param(ses, aws(400, "BadRequestException", "Missing final '@domain'"), About.ADDRESS, id="ses: address"),
        pytest.param(ses, aws(400, "BadRequestException", "Bad value"), About.MESSAGE, id="ses: message"),
        pytest.param(ses, aws(400, "MessageRejected", "Virus"), About.MESSAGE, id="ses: content"),
        pytest.param(
            ses, aws(400, "MessageRejected", "Email address is not verified. The following identities failed the check"),
            OWNER, id="ses: sandbox",
        ),
        pytest.param(ses, aws(400, "AccountSuspendedException", "x"), OWNER, id="ses: suspended"),
        pytest.param(ses, aws(400, "SendingPausedException", "x"), OWNER, id="ses: paused"),
        pytest.param(ses, aws(400, "MailFromDomainNotVerifiedException", "x"), OWNER, id="ses: MAIL FROM"),
        pytest.param(ses, aws(404, "NotFoundException", "no such set"), OWNER, id="ses: configuration set"),
        pytest.param(ses, aws(403, "InvalidSignatureException", "Signature expired"), OWNER, id="ses: clock"),
        pytest.param(ses, aws(403, "UnrecognizedClientException", "x"), OWNER, id="ses: key"),
        pytest.param(ses, aws(403, "AccessDeniedException", "x"), OWNER, id="ses: permission"),
        pytest.param(ses, aws(400, "LimitExceededException", "x"), ("us", True, MINUTE), id="ses: limit"),
        pytest.param(
            ses, aws(429, "TooManyRequestsException", "Daily message quota exceeded."), ("us", True, HOUR), id="ses: day"
        ),
        pytest.param(ses, aws(429, "TooManyRequestsException", "Maximum sending rate exceeded."), None, id="ses: rate"),
        pytest.param(ses, said(413, b"<html>"), None, id="ses: too large"),
        pytest.param(
            ses, said(400, {"__type": "com.amazon.coral#MessageRejected", "Message": "x"}), About.MESSAGE,
            id="ses: named in the body",
        ),
        pytest.param(
            sendgrid, sg(400, "Does not contain a valid address.", "personalizations.0.to.0.email"), About.ADDRESS,
            id="sendgrid: address",
        ),
        pytest.param(sendgrid, sg(400, "Bad", "content.0.value"), About.MESSAGE, id="sendgrid: message"),
        pytest.param(sendgrid, sg(413, "Too large"), About.MESSAGE, id="sendgrid: too large"),
        pytest.param(
            sendgrid, sg(403, "The from address does not match a verified Sender Identity.", "from"), OWNER,
            id="sendgrid: sender",
        ),
        pytest.param(sendgrid, sg(401, "authorization grant is invalid"), None, id="sendgrid: key"),
        pytest.param(sendgrid, sg(401, "Maximum credits exceeded"), ("us", True, HOUR), id="sendgrid: credits"),
        pytest.param(sendgrid, sg(429, "too many requests"), None, id="sendgrid: rate"),
        pytest.param(brevo, bv(400, "invalid_parameter", "email is not valid in to"), About.ADDRESS, id="brevo: address"),
        pytest.param(brevo, bv(400, "invalid_parameter", "subject is missing"), About.MESSAGE, id="brevo: message"),
        pytest.param(
            brevo, bv(400, "invalid_parameter", "the sender you used x@example.org is not valid"), OWNER, id="brevo: sender"
        ),
        pytest.param(brevo, bv(401, "unauthorized", "Key not found"), OWNER, id="brevo: key"),
        pytest.param(brevo, bv(403, "permission_denied", "SMTP account is not yet activated"), OWNER, id="brevo: account"),
        pytest.param(brevo, bv(400, "not_enough_credits", "x"), ("us", True, HOUR), id="brevo: credits"),
        pytest.param(
            brevo, bv(400, "duplicate_parameter", "idempotencyKey already used"), Uncertain, id="brevo: had it before"
        ),
        pytest.param(brevo, said(429, b""), None, id="brevo: rate"),
        pytest.param(mailjet, said(401, {"ErrorMessage": "x", "StatusCode": 401}), None, id="mailjet: key"),
        pytest.param(mailjet, said(400, {"ErrorMessage": "Malformed JSON"}), None, id="mailjet: a request refused whole"),
        pytest.param(mailjet, said(400, {"Messages": [{"Status": "success"}]}), http.Itemised, id="mailjet: a part of it"),
        pytest.param(mailjet, said(429, b""), None, id="mailjet: rate"),
    ],
)  # fmt: skip
def test_the_table_of_refusals(module: ModuleType, answer: Answer, expected: object) -> None:
    provider: Any = module.open_(settings(), now=lambda: AT)
    assert shape(provider.refused(answer)) == expected


@pytest.mark.parametrize("module", [ses, sendgrid, brevo, mailjet])
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'{"errors": 3, "Messages": {}, "message": []}'])
@pytest.mark.parametrize("status", [401, 418, 429])
def test_an_answer_in_another_shape_is_read_by_its_status(module: ModuleType, body: bytes, status: int) -> None:
    provider: Any = module.open_(settings(), now=lambda: AT)
    assert provider.refused(said(status, body)) is None


def test_what_is_taken_has_the_vendors_id() -> None:
    for name, answer, ident in (
        ("ses", said(200, {"MessageId": "0102"}), "0102"),
        ("sendgrid", said(202, b"", x_message_id="14c5"), "14c5"),
        ("brevo", said(201, {"messageId": "<2026@relay>"}), "2026@relay"),
        ("mailjet", said(200, {"Messages": [{"Status": "success", "To": [{"MessageID": 7}]}]}), "7"),
    ):
        provider: Any = vendor(name).open_(settings(), now=lambda: AT)
        assert provider.taken([message()], answer) == [Accepted(ident)]


@pytest.mark.parametrize("name", ["ses", "sendgrid", "brevo", "mailjet"])
@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"MessageId', b'{"Messages": [{}]}', b'{"Messages": [{"Status": "error"}]}']
)
def test_an_acceptance_that_cannot_be_read_raises_what_the_loop_expects(name: str, body: bytes) -> None:
    provider: Any = vendor(name).open_(settings(), now=lambda: AT)
    with pytest.raises((ValueError, LookupError, TypeError)):
        list(provider.taken([message()], said(200, body)))


def item(code: int, related: str, words: str = "x") -> dict[str, Any]:
    error = {"ErrorCode": "mj-1", "StatusCode": code, "ErrorMessage": words, "ErrorRelatedTo": [related]}
    return {"Status": "error", "Errors": [error]}


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        pytest.param(item(400, "To[0].Email"), About.ADDRESS, id="the address"),
        pytest.param(item(400, "HTMLPart"), About.MESSAGE, id="the message"),
        pytest.param(item(400, "From"), About.US, id="the sender"),
        pytest.param(item(403, "x"), About.US, id="what we may do"),
        pytest.param(item(429, "x"), Deferred, id="too fast"),
        pytest.param(item(500, "x"), Uncertain, id="trouble of theirs"),
    ],
)
def test_the_table_of_mailjets_items(one: dict[str, Any], expected: object) -> None:
    assert shape(mailjet.outcome(one)) == expected


def test_a_part_of_mailjets_request_is_refused_and_the_rest_is_not_sent_again() -> None:
    with MailjetFake().running() as fake:
        provider = mailjet.open_(fake.settings_here())
        people = ["ana", "inactive", "ben", "spam", "cem"]
        messages = [replace(message(), delivery=n, envelope=to(name)) for n, name in enumerate(people)]
        outcomes = {m.delivery: outcome for m, outcome in provider.submit(messages)}
    assert [shape(outcomes[n]) for n in range(5)] == [Accepted, About.ADDRESS, Accepted, About.MESSAGE, Accepted]
    assert sorted(took.recipient for took in fake.took) == [f"{name}@example.org" for name in ("ana", "ben", "cem")]
    assert len(fake.asked) == 1


def to(name: str) -> Envelope:
    return Envelope(Address.parse("maya@letters.example.org"), Address.parse(f"{name}@example.org"))


def test_a_wrong_clock_is_said() -> None:
    with SesFake().running() as fake:
        fake.clock = AT + timedelta(minutes=6)  # type: ignore[attr-defined]
        provider = ses.open_(fake.settings_here(), now=lambda: AT)
        with pytest.raises(ProviderError, match="clock"):
            list(provider.submit([message()]))
    assert fake.took == []


# --- look-ups


def test_a_message_in_doubt_is_found_by_our_id() -> None:
    for kind in (SendgridFake, MailjetFake, BrevoFake):
        with kind().running() as fake:
            provider: Any = vendor(fake.name).open_(fake.settings_here(), now=lambda: AT)
            assert isinstance(provider.lookup(MESSAGE_ID, since=AT), Uncertain), "it may be late"
            list(provider.submit([message(WITHOUT_IMAGE)]))
            assert provider.lookup(MESSAGE_ID, since=AT) == Accepted(fake.took[0].ident)
            other = provider.lookup("another@letters.example.org", since=AT)
            assert isinstance(other, Uncertain)


def test_what_brevo_logs_of_others_is_not_believed() -> None:
    """Should it look at our question in another way: letters that it took for others are not this one."""
    tagged = [{"messageId": "<1@x>", "tag": tag} for tag in ("a9", "a97", "b a9-", '["a9x"]', 7, None)]
    assert isinstance(brevo.found(Answer(200, {}, json.dumps({"events": tagged[1:]}).encode()), "a9"), Uncertain)
    for tag in ("a9", '["a9"]', "b,a9"):
        said = json.dumps({"events": [{"messageId": "<1@x>", "tag": tag}]}).encode()
        assert brevo.found(Answer(200, {}, said), "a9") == Accepted("1@x")


@pytest.mark.parametrize("found", [sendgrid.found, mailjet.found, partial(brevo.found, tag="a9")])
@pytest.mark.parametrize("answer", [Answer(403), Answer(200, {}, b"<html>"), Answer(200, {}, b"[]")])
def test_who_does_not_say_leaves_the_doubt(found: Any, answer: Answer) -> None:
    outcome: Outcome = found(answer)
    assert isinstance(outcome, Uncertain)


# --- what can't be done exactly


def config(name: str, root: Path = Path("/nowhere"), **changes: Any) -> Config:
    return Config(root, IDENTITY, provider=name, vendors={name: settings()}, **changes)


def test_brevo_is_refused_for_what_it_does_to_letters(tmp_path: Path) -> None:
    (own,) = brevo.refusals(config("brevo"))
    assert "manages_unsubscribe = false" in own
    asked = {"brevo": VendorSettings("https://api.example.org", manages_unsubscribe=False)}
    plain = replace(config("brevo", tmp_path), vendors=asked)
    assert brevo.refusals(plain) == []
    (tmp_path / "posts" / "pictures").mkdir(parents=True)
    (tmp_path / "posts" / "pictures" / "Walk.JPG").touch()
    for found in (plain, replace(config("brevo", design=Design(logo=tmp_path / "logo.png")), vendors=asked)):
        (pictures,) = brevo.refusals(found)
        assert 'images = "hosted"' in pictures
        design = replace(found.design, images=Images.HOSTED)
        assert brevo.refusals(replace(found, design=design)) == []


@pytest.mark.parametrize("name", ["ses", "sendgrid", "brevo", "mailjet"])
def test_signatures_of_our_own_are_refused_where_they_would_break(name: str) -> None:
    found = vendor(name).refusals(config(name, dkim=Dkim("letters.example.org", ())))
    assert "Take [dkim] out" in found[0]
    if name != "brevo":
        assert vendor(name).refusals(config(name)) == []
