"""A vendor's fake as the provider of a practice, as its owner would set it up."""

from __future__ import annotations

import tell
from fake import Fake
from practice import SETTINGS, Practice

from newsletter.config import VENDORS

URL = "https://letters.example.org"
#: what each needs beside base_url and its keys
MORE = {
    "postmark": "manages_unsubscribe = false\n",
    "mailgun": 'domain = "letters.example.org"\n',
    "ses": f'region = "eu-west-1"\ntopics = ["{tell.TOPIC}"]\n',
    "brevo": 'manages_unsubscribe = false\n\n[theme]\nimages = "hosted"\n',
}


def through(practice: Practice, fake: Fake, *, lines: str | None = None, url: str = "") -> None:
    """Take *fake* as the provider from now on, its keys from the environment; *lines* instead of what it needs."""
    known, settings = VENDORS[fake.name], fake.settings_here()
    text = SETTINGS.replace('provider = "folder"', f'provider = "{fake.name}"')
    if url := url or (URL if fake.name == "brevo" else ""):  # it shows no attached pictures; hosted ones have a website
        text = text.replace("[newsletter]\n", f'[newsletter]\nurl = "{url}"\n')
    text += f'\n[provider.{fake.name}]\nbase_url = "{fake.url}"\n{MORE.get(fake.name, "") if lines is None else lines}'
    (practice.root / "newsletter.toml").write_text(text)
    practice.environment[known.variable(fake.name, known.key)] = settings.key
    if known.secret:
        practice.environment[known.variable(fake.name, known.secret)] = settings.secret
    if known.hook:
        practice.environment[known.variable(fake.name, known.hook)] = tell.secret_of(fake.name)
