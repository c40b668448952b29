"""newsletter.toml and the environment, as one frozen `Config`.

Guarantees
    `load` gives a complete, checked `Config` or raises one `ConfigError` that lists *every* fault with
    file, line, key, what is allowed and the nearest right spelling. Secrets never come from the file
    itself and never show in a repr or a message.

Layers below `cli` and `scheduler` are handed one section (`Identity`, `Rules`, ...), never the whole.

Within: `settings` has the values, `document` the file with its lines and faults, `values` one reader for
each kind of value and `times` those of time, `palette` the colours, `servers` and `vendors` whom we talk to,
`loading` the other sections.
"""

from newsletter.config.loading import STORE_VARIABLE, find_root, load, span, store_url
from newsletter.config.palette import Palette
from newsletter.config.servers import DKIM_VARIABLE, MAILBOX_VARIABLE, PASSWORD_VARIABLE
from newsletter.config.settings import (
    FILE_NAME,
    LOCK_SCREEN_WORDS,
    Alerts,
    Archive,
    Checking,
    Config,
    Design,
    Dkim,
    DkimKey,
    First,
    FolderSettings,
    Identity,
    Images,
    Limits,
    MailboxSettings,
    Missing,
    Mode,
    OnUncertain,
    Rate,
    Rules,
    Security,
    SmtpSettings,
    VendorSettings,
    Visible,
    Web,
)
from newsletter.config.vendors import ENTRY_POINTS, HOOKS, VENDORS, Vendor

__all__ = [
    "DKIM_VARIABLE",
    "ENTRY_POINTS",
    "FILE_NAME",
    "HOOKS",
    "LOCK_SCREEN_WORDS",
    "MAILBOX_VARIABLE",
    "PASSWORD_VARIABLE",
    "STORE_VARIABLE",
    "VENDORS",
    "Alerts",
    "Archive",
    "Checking",
    "Config",
    "Design",
    "Dkim",
    "DkimKey",
    "First",
    "FolderSettings",
    "Identity",
    "Images",
    "Limits",
    "MailboxSettings",
    "Missing",
    "Mode",
    "OnUncertain",
    "Palette",
    "Rate",
    "Rules",
    "Security",
    "SmtpSettings",
    "Vendor",
    "VendorSettings",
    "Visible",
    "Web",
    "find_root",
    "load",
    "span",
    "store_url",
]
