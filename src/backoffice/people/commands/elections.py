"""Tax elections: a certificate is put on file as signed; a later one follows it and never changes it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from backoffice.kernel.errors import AlreadyExists, Fault, FaultList
from backoffice.kernel.money import parse_minor
from backoffice.kernel.places import STATES
from backoffice.people import events, models, queries, state_forms
from backoffice.people.commands.facts import label
from backoffice.people.schemas import W4, CreateTaxElection, StateElection, TaxElection
from backoffice.platform.effects import FRONT_OFFICE_AND_WORKER, Effect
from backoffice.platform.tx import Row, Tx

_NOT_ON_OLDER_FORM = ("step2_checkbox", "step3", "step4a", "step4b")
_AMOUNTS = ("step3", "step4a", "step4b", "step4c")
_NOTHING: dict[str, Any] = {
    **dict.fromkeys(("w4_version", "filing_status")),
    **dict.fromkeys((f"{name}_minor" for name in _AMOUNTS), 0),
    **dict.fromkeys(("step2_checkbox", "nonresident_alien"), False),
    **state_forms.columns(StateElection()),
}


async def create_tax_election(tx: Tx, worker_id: str, data: CreateTaxElection) -> TaxElection:
    """Put a signed certificate on file. ValidationFailed (422) with all faults."""
    return await file_election(tx, await queries.record(tx, models.worker, "worker", worker_id), data)


async def file_election(tx: Tx, worker: Row, data: CreateTaxElection) -> TaxElection:
    """As `create_tax_election`, for a row read in this transaction."""
    faults = FaultList()
    _check(faults, data)
    faults.raise_if_any()
    row = await tx.insert_or_none(models.tax_election, **election_values(await tx.new_id(), worker, data))
    if row is None:
        raise AlreadyExists(errors=[Fault("already_in_use", "is another election's", pointer="#/external_id")])
    return tell_filed(tx, worker, row)


def election_values(id_: UUID, worker: Row, data: CreateTaxElection) -> dict[str, Any]:
    """The columns of a new certificate; of the form that it is not, the defaults."""
    return {
        "id": id_,
        "worker_id": worker["id"],
        "jurisdiction": data.jurisdiction,
        "effective_from": data.effective_from,
        "signed_on": data.signed_on,
        "external_id": data.external_id,
        "metadata": data.metadata,
        **_NOTHING,
        **columns_of(data),
    }


def tell_filed(tx: Tx, worker: Row, row: Row) -> TaxElection:
    view = queries.tax_election_view(tx, row)
    form = "Form W-4" if view.jurisdiction == models.FEDERAL else f"{view.jurisdiction} certificate"
    effect = Effect(
        kind="withholding_changed",
        subject=view.worker_id,
        after={"jurisdiction": view.jurisdiction, "effective_from": view.effective_from.isoformat()},
        visible_to=FRONT_OFFICE_AND_WORKER,
        message=f"Pay of {label(worker)} from {view.effective_from} is withheld by the {form} now on file.",
    )
    tx.emit(events.TAX_ELECTION_CREATED, view, effects=[effect])
    changed = {"jurisdiction": view.jurisdiction}
    tx.audit("tax_election.created", object_type="tax_election", object_id=row["id"], changed=changed)
    return view


def columns_of(data: CreateTaxElection) -> dict[str, Any]:
    """The certificate as columns, amounts in cents."""
    if data.w4 is not None:
        w4 = data.w4
        return {
            "w4_version": w4.version,
            "filing_status": w4.filing_status,
            "step2_checkbox": w4.step2_checkbox,
            **{f"{name}_minor": parse_minor(getattr(w4, name).amount) for name in _AMOUNTS},
            "allowances": w4.allowances,
            "exempt": w4.exempt,
            "nonresident_alien": w4.nonresident_alien,
        }
    assert data.state_certificate is not None
    return state_forms.columns(state_forms.written(data.state_certificate))


def _check(faults: FaultList, data: CreateTaxElection) -> None:
    federal = data.jurisdiction == models.FEDERAL
    if not federal and data.jurisdiction not in STATES:
        faults.add("#/jurisdiction", "unknown_jurisdiction", "must be US, one of the fifty states or DC")
    if federal and (data.w4 is None or data.state_certificate is not None):
        faults.add("#/w4", "required", "the jurisdiction US takes w4 and no state_certificate")
    if not federal and (data.state_certificate is None or data.w4 is not None):
        faults.add("#/state_certificate", "required", "a state takes state_certificate and no w4")
    if data.w4 is not None:
        _check_w4(faults, data.w4)
    check_state_form(faults, data)


def check_state_form(faults: FaultList, data: CreateTaxElection) -> None:
    """What the state's law refuses of its form, all at once."""
    if data.state_certificate is not None and data.jurisdiction in STATES:
        says = state_forms.written(data.state_certificate)
        faults.faults += state_forms.faults_of(data.jurisdiction, says, data.effective_from)


def _check_w4(faults: FaultList, w4: W4) -> None:
    for name in _AMOUNTS:
        if getattr(w4, name).amount.startswith("-"):
            faults.add(f"#/w4/{name}/amount", "negative", "must not be negative")
    if w4.version == "2020_or_later":
        if w4.allowances:
            faults.add("#/w4/allowances", "not_on_this_form", "must be 0: forms since 2020 have no allowances")
        return
    if w4.filing_status == "head_of_household":
        detail = "forms of 2019 or earlier know no head of household"
        faults.add("#/w4/filing_status", "not_on_this_form", detail)
    for name in _NOT_ON_OLDER_FORM:
        value = getattr(w4, name)
        if value is True or (not isinstance(value, bool) and parse_minor(value.amount) != 0):
            faults.add(
                f"#/w4/{name}", "not_on_this_form", "must be left out: forms of 2019 or earlier have no such step"
            )
