"""Letters to the byte: HTML, text and message, each as it was reviewed."""

from pathlib import Path

import pytest
from emitted import GOLDEN, letter

HERE = Path(__file__).parent


@pytest.mark.parametrize("name", GOLDEN)
def test_a_letter_comes_out_as_reviewed(name: str, rewrite: bool) -> None:
    made = letter(name)
    _compare(HERE / f"{name}.html", made.rendered.html.encode(), rewrite=rewrite)
    _compare(HERE / f"{name}.txt", made.rendered.text.encode(), rewrite=rewrite)
    _compare(HERE / f"{name}.eml", made.data, rewrite=rewrite)


def _compare(path: Path, data: bytes, *, rewrite: bool) -> None:
    if rewrite:
        path.write_bytes(data)
    assert path.is_file(), f"{path.name} is missing: run python -m pytest tests/golden --rewrite and review it"
    assert data == path.read_bytes()


def test_every_golden_file_is_of_a_letter() -> None:
    assert {path.stem for path in HERE.iterdir() if path.suffix in (".html", ".txt", ".eml")} == set(GOLDEN)
