"""deploy/ and the Containerfile: what they start exists, and systemd understands its units."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from newsletter.cli import cli

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "deploy").glob("*.service"))
COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
_COMMANDS = {
    **{unit.name: shlex.split(re.findall(r"^ExecStart=(.*)$", unit.read_text(), re.MULTILINE)[0]) for unit in UNITS},
    "Containerfile": json.loads(re.findall(r"^CMD (.*)$", (ROOT / "Containerfile").read_text(), re.MULTILINE)[-1]),
    **{name: service["command"] for name, service in COMPOSE["services"].items() if "command" in service},
}


@pytest.mark.parametrize("where", _COMMANDS)
def test_what_is_started_exists(where: str) -> None:
    program, *words = _COMMANDS[where]
    assert Path(program).name == "newsletter"
    done = CliRunner().invoke(cli, [*words, "--help"])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("path", [*UNITS, ROOT / "deploy" / "compose.yaml"], ids=lambda path: path.name)
def test_what_is_set_is_read(path: Path) -> None:
    read = "".join(file.read_text() for file in (ROOT / "newsletter").rglob("*.py"))
    for name in re.findall(r"\b(?:NEWSLETTER|XDG)_[A-Z_]+", path.read_text()):
        assert f'"{name}"' in read


def test_every_volume_of_the_compose_file_is_used() -> None:
    mounted = {volume.partition(":")[0] for service in COMPOSE["services"].values() for volume in service["volumes"]}
    assert {volume for volume in mounted if "/" not in volume} == set(COMPOSE["volumes"])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_understands_its_units(unit: Path, tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd is not installed")
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace("/srv/newsletter/bin/newsletter", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
