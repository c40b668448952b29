"""doctor.md names each finding with its reason and its weights, and what commands.md shows of it is its shape."""

from __future__ import annotations

import ast
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from newsletter.cli.doctor import _fact
from newsletter.doctor import RULES
from newsletter.findings import Finding, Record, Severity

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| `([a-z-]+)` \| (.+?) \| ([a-z, ]+) \| .+ \|$", re.MULTILINE)
WEIGHTS = {severity.value for severity in Severity}


def weights(function: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    """Name and weight of each finding that *function* makes: error(…), weigh(…), (error if … else warning)(…)."""
    chosen: dict[str, ast.expr] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            chosen[node.targets[0].id] = node.value
    for node in ast.walk(function):
        if not (isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant | ast.Name)):
            continue
        first = node.args[0]
        rule = first.value if isinstance(first, ast.Constant) else "provider" if first.id == "_RULE" else ""
        maker = chosen.get(node.func.id, node.func) if isinstance(node.func, ast.Name) else node.func
        for name in ast.walk(maker):
            if isinstance(name, ast.Name) and name.id in WEIGHTS and isinstance(rule, str):
                yield rule, name.id


def test_doctor_md_has_each_finding_with_its_reason_and_weight_and_no_other() -> None:
    rows = ROW.findall((ROOT / "docs/doctor.md").read_text())
    assert [name for name, _, _ in rows] == list(RULES), "in the order of the rules"
    given: defaultdict[str, set[str]] = defaultdict(set)
    for path in [*(ROOT / "newsletter/doctor").glob("*.py"), ROOT / "newsletter/providers/accounts.py"]:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef):
                for rule, weight in weights(node):
                    given[rule].add(weight)
    for name, why, weighs in rows:
        assert why == " ".join((RULES[name].__doc__ or "").split())
        assert set(weighs.split(", ")) == given[name], name
    assert given["dns-answer"] == {"error", "warning"}


def test_the_example_in_commands_md_has_the_shape_of_a_finding() -> None:
    section = (ROOT / "docs/commands.md").read_text().partition("### newsletter doctor\n")[2].partition("\n### ")[0]
    (example,) = json.loads(section.partition("```json\n")[2].partition("```")[0])
    finding = Finding("r", Severity.ERROR, "p", "P.", "R.", Record("n", "v"))
    real = json.loads(json.dumps(_fact(finding)))
    assert list(example) == list(real)
    assert list(example["record"]) == list(real["record"])
