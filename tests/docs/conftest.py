"""`python -m pytest tests/docs --rewrite-grid` writes the grid of docs/providers.md anew; review the diff."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite-grid", action="store_true", help="write the grid of providers from what they do now")
