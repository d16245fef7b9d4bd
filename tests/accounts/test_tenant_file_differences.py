"""What applying a tenant file would change."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.accounts.tenant_file import TenantFile, firm_snapshot, load, plan, tenant_snapshot
from backoffice.accounts.tenant_file.differences import Key, Value

TENANTS = Path(__file__).parents[2] / "tenants"


@pytest.fixture
def northwind() -> TenantFile:
    return load(TENANTS / "northwind-staffing")


def test_a_new_firm_is_all_creation(northwind: TenantFile) -> None:
    firm = plan({}, firm_snapshot(northwind))
    assert [(change.action, change.kind, change.name) for change in firm] == [
        ("create", "firm", "northwind-staffing"),
        ("create", "environment", "live"),
        ("create", "environment", "test"),
    ]
    assert "    ssn_areas: (none) → 000-000, 900-999" in firm[2].lines()
    tenant = plan({}, tenant_snapshot(northwind))
    assert {change.action for change in tenant} == {"create"}
    assert {change.name for change in tenant if change.kind == "state_account"} == {"CA", "IL", "NY", "PA", "TX"}
    assert {change.name for change in tenant if change.kind == "person"} == set(northwind.people)


def test_changes_are_told_field_by_field(northwind: TenantFile) -> None:
    wanted = tenant_snapshot(northwind)
    current = {key: dict(fields) for key, fields in wanted.items()}
    current["state_account", "IL"]["sui_rate"] = Decimal("0.0325")
    current["employer", ""]["line2"] = None
    current["bank", ""]["balanced"] = True
    del current["person", "theo-lindqvist"]
    lines = [line for change in plan(current, wanted) if change.action != "none" for line in change.lines()]
    assert lines == [
        "~ employer",
        "    line2: (none) → Suite 900",
        "~ state_account IL",
        "    sui_rate: 0.0325 → 0.0335",
        "~ bank",
        "    balanced: yes → no",
        "+ person theo-lindqvist",
        "    name: (none) → Theo Lindqvist",
        "    email: (none) → theo.lindqvist@northwind-staffing.example",
        "    roles: (none) → payroll_checker",
    ]


def test_nothing_is_deleted(northwind: TenantFile) -> None:
    wanted = tenant_snapshot(northwind)
    current = dict(wanted)
    current["state_account", "OH"] = {"sui_rate": Decimal("0.027")}
    changes = plan(current, wanted)
    assert {change.action for change in changes} == {"none"}
    assert changes[-1].lines() == ["= state_account OH (not in the file; it stays as it is, nothing is deleted)"]


def test_equal_values_in_another_form_are_no_change(northwind: TenantFile) -> None:
    wanted = tenant_snapshot(northwind)
    current = {key: dict(fields) for key, fields in wanted.items()}
    current["state_account", "CA"]["sui_rate"] = Decimal("0.034000")
    current["settings", ""]["event_types"] = sorted(northwind.webhooks.event_types, reverse=True)
    assert {change.action for change in plan(current, wanted)} == {"none"}


def test_account_numbers_are_shown_by_their_last_four() -> None:
    harbor = load(TENANTS / "harbor-talent")
    (bank,) = (change for change in plan({}, tenant_snapshot(harbor)) if change.kind == "bank")
    assert "    offset_account_number: (none) → …9461" in bank.lines()
    assert "00077309461" not in "\n".join(bank.lines())


def test_a_snapshot_holds_every_value_of_the_file(northwind: TenantFile) -> None:
    def leaves(value: object) -> list[object]:
        if isinstance(value, msgspec.Struct):
            return [leaf for name in value.__struct_fields__ for leaf in leaves(getattr(value, name))]
        if isinstance(value, dict):
            return [leaf for below in value.values() for leaf in leaves(below)]
        return [value]

    shown = leaves({**firm_snapshot(northwind), **tenant_snapshot(northwind)})
    # The slug is the firm's key, not a field of it; the version of the file's form happens to equal a weight.
    assert [value for value in leaves(northwind) if value not in shown] == ["northwind-staffing"]


FIELDS = st.dictionaries(
    st.sampled_from("abc"), st.one_of(st.none(), st.integers(), st.booleans(), st.text(max_size=3))
)
SNAPSHOTS = st.dictionaries(st.tuples(st.sampled_from(["x", "y"]), st.sampled_from("123")), FIELDS, max_size=5)


@given(SNAPSHOTS, SNAPSHOTS)
def test_applying_a_plan_leaves_nothing_to_do(
    current: dict[Key, dict[str, Value]], wanted: dict[Key, dict[str, Value]]
) -> None:
    applied = {key: dict(fields) for key, fields in current.items()}
    for change in plan(current, wanted):
        if change.action != "none":
            applied.setdefault((change.kind, change.name), {}).update(
                {field.name: field.new for field in change.fields}
            )
    assert set(applied) == set(current) | set(wanted)
    assert {change.action for change in plan(applied, wanted)} <= {"none"}
