"""Our signer of Amazon's Signature Version 4, against Amazon's own."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from newsletter.providers.sigv4 import signed

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize(
    ("method", "url", "headers", "body"),
    [
        pytest.param(
            "POST",
            "https://email.eu-west-1.amazonaws.com/v2/email/outbound-emails",
            {"Content-Type": "application/json"},
            b'{"Content":{"Raw":{"Data":"RnJvbQ=="}}}',
            id="a message",
        ),
        pytest.param("GET", "https://email.eu-west-1.amazonaws.com/v2/email/account", {}, b"", id="nothing to say"),
        pytest.param("GET", "http://127.0.0.1:8025/v2/email/account", {}, b"", id="a port"),
        pytest.param("GET", "https://email.eu-west-1.amazonaws.com/v2/a?b=2&a=%2F+x&a=1&empty=", {}, b"", id="a query"),
        pytest.param(
            "GET", f"https://email.eu-west-1.amazonaws.com/v2/{quote('Zoë & co')}/x", {}, b"", id="a path to be encoded"
        ),
        pytest.param("GET", "https://email.eu-west-1.amazonaws.com", {}, b"", id="no path"),
        pytest.param(
            "POST", "https://email.eu-west-1.amazonaws.com/", {"X-Amz-Meta": "  two   spaces "}, b"\0\xff", id="spaces"
        ),
    ],
)
def test_the_signature_is_the_one_of_botocore(method: str, url: str, headers: dict[str, str], body: bytes) -> None:
    request = AWSRequest(method=method, url=url, headers=dict(headers), data=body)
    SigV4Auth(Credentials(KEY, SECRET), "ses", "eu-west-1").add_auth(request)
    at = datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    ours = signed(method, url, headers, body, key=KEY, secret=SECRET, region="eu-west-1", service="ses", at=at)
    assert ours["Authorization"] == request.headers["Authorization"]
    assert ours["X-Amz-Date"] == request.headers["X-Amz-Date"]
    assert SECRET not in str(ours)
