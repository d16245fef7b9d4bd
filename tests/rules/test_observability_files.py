"""The dashboard and the alerts ask for metrics that there are, with labels that these have."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from backoffice.platform import metrics
from backoffice.platform.courier import measures

FILES = Path(__file__).parents[2] / "infra" / "observability"
ALERTS = FILES / "alerts.yml"
_METRIC = re.compile(r"\bbo_[a-z_]+\b")
_SELECTOR = re.compile(r"\b(bo_[a-z_]+)\{([^}]*)\}")
_GROUPING = re.compile(r"by \(([a-z, ]+)\) \([^)]*?\b(bo_[a-z_]+)")


def _build() -> object:
    spec = importlib.util.spec_from_file_location("build_dashboard", FILES / "build_dashboard.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _known() -> dict[str, set[str]]:
    """Names as they are scraped, with their labels."""
    assert measures.LANES is not None
    known: dict[str, set[str]] = {}
    for family in metrics.REGISTRY.collect():
        collector = metrics.REGISTRY._names_to_collectors[family.name]
        labels = set(collector._labelnames)  # type: ignore[attr-defined]
        names = {
            "counter": [f"{family.name}_total"],
            "gauge": [family.name],
            "histogram": [f"{family.name}_bucket", f"{family.name}_count", f"{family.name}_sum"],
        }[family.type]
        known |= {name: labels | ({"le"} if name.endswith("_bucket") else set()) for name in names}
    return known


def _expressions() -> Iterator[tuple[str, str]]:
    for group in yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]
    for title, _, _, lines in _build().PANELS:  # type: ignore[attr-defined]
        for expression, _ in lines:
            yield title, expression


EXPRESSIONS = list(_expressions())


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS, ids=[each[0] for each in EXPRESSIONS])
def test_what_is_asked_for_is_there(where: str, expression: str) -> None:
    known = _known()
    asked = set(_METRIC.findall(expression))
    assert asked, expression
    assert asked <= known.keys()
    for name, selector in _SELECTOR.findall(expression):
        assert set(re.findall(r"([a-z_]+)(?:=~|!~|!=|=)", selector)) <= known[name], (where, name)
    for labels, name in _GROUPING.findall(expression):
        assert {each.strip() for each in labels.split(",")} <= known[name], (where, name)


def test_the_dashboard_is_the_one_that_is_built() -> None:
    built = _build().text()  # type: ignore[attr-defined]
    assert (FILES / "dashboard.json").read_text(encoding="utf-8") == built, "run infra/observability/build_dashboard.py"


def test_every_alert_says_what_it_means_and_what_to_do() -> None:
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules) >= 10
    for rule in rules:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert set(rule["annotations"]) == {"summary", "remedy"}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_accepts_the_alerts() -> None:
    done = subprocess.run(["promtool", "check", "rules", str(ALERTS)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
