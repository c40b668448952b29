"""The ways a message leaves: each module is one `newsletter.mail.Provider`, and nothing else uses the network.

`folder` writes files (rehearsal, demo), `smtp` submits to a mail server.
"""

from __future__ import annotations

from newsletter.config import FolderSettings, SmtpSettings
from newsletter.errors import ConfigError
from newsletter.mail import Provider, shown


def open_provider(name: str, folder: FolderSettings, smtp: SmtpSettings, *, helo: str = "") -> Provider:
    """The provider called *name*; touches neither disk nor network yet. Raises `ConfigError`.

    *helo* is the host name an SMTP server is greeted with (RFC 5321 section 4.1.1.1); empty: our address.
    """
    # Imported here: smtplib and ssl cost 25 ms that a project with a folder never needs.
    if name == "folder":
        from newsletter.providers.folder import Folder

        return Folder(folder)
    if name == "smtp":
        from newsletter.providers.smtp import Smtp

        return Smtp(smtp, helo=helo)
    raise ConfigError(f"provider {shown(name)} is not known; set provider in [delivery] to folder or smtp")
