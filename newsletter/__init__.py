"""Numbered blog posts, by email: every subscriber gets each of them, in order, once."""

__version__ = "0.1.0"
