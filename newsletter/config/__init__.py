"""newsletter.toml and the environment, as one frozen `Config`.

Guarantees
    `load` gives a complete, checked `Config` or raises one `ConfigError` that lists *every* fault with
    file, line, key, what is allowed and the nearest right spelling. Secrets never come from the file
    itself and never show in a repr or a message.

Layers below `cli` and `scheduler` are handed one section (`Identity`, `Rules`, ...), never the whole.

Within: `settings` has the values, `document` the file with its lines and faults, `values` one reader for
each kind of value, `loading` the sections.
"""

from newsletter.config.loading import PASSWORD_VARIABLE, STORE_VARIABLE, find_root, load
from newsletter.config.settings import (
    FILE_NAME,
    LOCK_SCREEN_WORDS,
    Checking,
    Config,
    Design,
    First,
    FolderSettings,
    Identity,
    Missing,
    Mode,
    OnUncertain,
    Rules,
    Security,
    SmtpSettings,
)

__all__ = [
    "FILE_NAME",
    "LOCK_SCREEN_WORDS",
    "PASSWORD_VARIABLE",
    "STORE_VARIABLE",
    "Checking",
    "Config",
    "Design",
    "First",
    "FolderSettings",
    "Identity",
    "Missing",
    "Mode",
    "OnUncertain",
    "Rules",
    "Security",
    "SmtpSettings",
    "find_root",
    "load",
]
