"""A vendor's fake as the provider of a practice, as its owner would set it up."""

from __future__ import annotations

from fake import Fake
from practice import SETTINGS, Practice

from newsletter.config import VENDORS

URL = "https://letters.example.org"
#: what each needs beside base_url and its keys
MORE = {
    "postmark": "manages_unsubscribe = false\n",
    "mailgun": 'domain = "letters.example.org"\n',
    "ses": 'region = "eu-west-1"\n',
    "brevo": 'manages_unsubscribe = false\n\n[theme]\nimages = "hosted"\n',
}


def through(practice: Practice, fake: Fake, **more: str) -> None:
    """Take *fake* as the provider from now on, its keys from the environment."""
    known, settings = VENDORS[fake.name], fake.settings_here()
    text = SETTINGS.replace('provider = "folder"', f'provider = "{fake.name}"')
    if fake.name == "brevo":  # shows no attached pictures, and hosted ones are on a website
        text = text.replace("[newsletter]\n", '[newsletter]\nurl = "https://letters.example.org"\n')
    text += f'\n[provider.{fake.name}]\nbase_url = "{fake.url}"\n{more.get("lines", MORE.get(fake.name, ""))}'
    (practice.root / "newsletter.toml").write_text(text)
    practice.environment[known.variable(fake.name, known.key)] = settings.key
    if known.secret:
        practice.environment[known.variable(fake.name, known.secret)] = settings.secret
