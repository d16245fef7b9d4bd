"""What payroll does behind the queue."""

from __future__ import annotations

from functools import partial

from backoffice.documents import jobs as documents
from backoffice.documents.schemas import NewDocument
from backoffice.payroll import commands
from backoffice.payroll.queries.stubs import paychecks_to_print, stub_batch
from backoffice.payroll.schemas import CalculateRun, OpenRun, PayRun, PrintStubs, RetryPayment, ReturnPayment
from backoffice.payroll.stub import render
from backoffice.platform.jobs.registry import handles
from backoffice.platform.jobs.run import JobRun

STUBS_AT_ONCE = 50


@handles(OpenRun, schedulable=True, preview=commands.open_due_run)
async def open_run(run: JobRun, payload: OpenRun) -> None:
    """A draft run for the pay period that has just ended, for people to look at."""
    await run.finish(commands.open_due_run, payload)


@handles(CalculateRun, preview=commands.preview_calculation, unfinished=commands.abandon_calculation)
async def calculate(run: JobRun, payload: CalculateRun) -> None:
    """Gross to net of a run, in parts."""
    workers = await run.step("prepare", commands.prepare_calculation, payload)
    await run.say(f"Gross to net of {len(workers)} workers.")
    done = 0
    for number, part in enumerate(commands.parts_of(workers)):
        await run.progress(done, len(workers), "gross to net")
        await run.step(f"workers:{number}", commands.calculate_workers, payload, part)
        done += len(part)
    await run.progress(done, len(workers), "adding up")
    await run.finish(commands.finish_calculation, payload)


@handles(PayRun, preview=commands.preview_payment, unfinished=commands.abandon_payment)
async def pay(run: JobRun, payload: PayRun) -> None:
    """Ledger and year-to-date in parts, then the bank file, then the run is paid and the file can be fetched."""
    paychecks = await run.step("prepare", commands.prepare_payment, payload)
    done = 0
    for number, part in enumerate(commands.parts_of(paychecks)):
        await run.progress(done, len(paychecks), "posting")
        await run.step(f"post:{number}", commands.post_paychecks, payload, part)
        done += len(part)
    await run.progress(done, len(paychecks), "bank file")
    file = await run.read(commands.build_bank_file, payload)
    described = NewDocument(
        key=f"bank_file:{payload.run_id}:{payload.run_version}",
        kind="bank_file",
        title="NACHA file of a payroll run",
        file_name=f"{payload.run_id}.ach",
        media_type="text/plain",
        subject=payload.run_id,
    )
    stored = await documents.put(run, "bank_file", described, file.content)
    await run.finish(commands.finish_payment, payload, file, [stored])


@handles(RetryPayment, preview=commands.preview_retry, unfinished=commands.abandon_retry)
async def retry_payment(run: JobRun, payload: RetryPayment) -> None:
    """A bank file of one payment, then the money is on its way again and the file can be fetched."""
    file = await run.read(commands.build_retry_file, payload)
    described = NewDocument(
        key=f"bank_file:{payload.payment_id}:{payload.payment_version}",
        kind="bank_file",
        title="NACHA file of a payment that is sent again",
        file_name=f"{payload.payment_id}.ach",
        media_type="text/plain",
        subject=payload.payment_id,
    )
    stored = await documents.put(run, "bank_file", described, file.content)
    await run.finish(commands.finish_retry, payload, file, [stored])


@handles(ReturnPayment)
async def return_payment(run: JobRun, payload: ReturnPayment) -> None:
    """The bank of a test tenant sends a deposit back."""
    await run.finish(commands.return_if_sent, payload)


@handles(PrintStubs)
async def print_stubs(run: JobRun, payload: PrintStubs) -> dict[str, int]:
    """A pay stub as PDF for every paycheck of a paid run, in parts."""
    paychecks = await run.read(paychecks_to_print, payload.run_id)
    for start in range(0, len(paychecks), STUBS_AT_ONCE):
        await run.progress(start, len(paychecks), "pay stubs")
        stubs = await run.read(stub_batch, paychecks[start : start + STUBS_AT_ONCE])
        described = [
            (
                NewDocument(
                    key=f"pay_stub:{stub.statement}",
                    kind="pay_stub",
                    title=f"Pay statement of {stub.pay_date}",
                    file_name=f"{stub.statement}.pdf",
                    media_type="application/pdf",
                    subject=stub.statement,
                ),
                partial(render, stub),
            )
            for stub in stubs
        ]
        await documents.store_many(run, f"stubs:{start}", described)
    await run.progress(len(paychecks), len(paychecks), "pay stubs")
    return {"stubs": len(paychecks)}
