"""Checks: everything that can be wrong with a post or its message, judged before it leaves.

All of it is local: nothing is looked up and nothing leaves the machine. A rule looks at a `Proof` (the post, the
rendered parts and the final bytes) and yields findings; an error holds the post, a warning does not.
"""

from __future__ import annotations

from newsletter.checks.finding import Finding, Part, Severity

__all__ = ["Finding", "Part", "Severity"]
