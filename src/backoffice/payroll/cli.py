"""`backoffice payroll …`: the payroll commands of the command line."""

from __future__ import annotations

import json
import os
import sys

import click


@click.group(name="payroll", help="Gross to net, and the pay runs.")
def payroll() -> None:
    pass


@payroll.command(name="calculate")
@click.option(
    "--input",
    "input_path",
    required=True,
    metavar="FILE",
    help="Paychecks: JSON Lines, or CSV where the name ends in .csv.",
)
@click.option(
    "--output",
    "output_path",
    required=True,
    metavar="FILE",
    help="Results, in the same order; CSV where the name ends in .csv.",
)
@click.option("--explain", is_flag=True, help="Add the derivation of every line.")
@click.option(
    "--compare", "previous_path", metavar="FILE", help="Results of another provider, as CSV, to compare with."
)
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def calculate(input_path: str, output_path: str, explain: bool, previous_path: str | None, as_json: bool) -> None:
    """Calculate paychecks from a file, without a database or a server.

    Heads of a CSV file are dotted paths (w4.step3, work.0.state, ytd.programmes.CA_SDI.wages); an empty cell is
    absence. Those of the file to compare with are id and the amounts of our results (federal_income_tax, net_pay,
    programmes.CA_SDI.employee); an empty cell is not compared.

    Exit code 0, also when the comparison found differences (its last line counts them); 1 when a line failed; 2 for
    wrong usage or files.
    """
    from backoffice.payroll.batch import run, unreadable

    if previous_path is None:
        if as_json:
            raise click.UsageError("--json needs --compare")
        sys.exit(run(input_path, output_path, explain))
    from backoffice.payroll.previous import read_previous
    from backoffice.payroll.shadow import Shadow
    from backoffice.payroll.sheet import SheetRefused

    if os.path.exists(output_path) and os.path.exists(previous_path) and os.path.samefile(output_path, previous_path):
        raise click.UsageError("--output must be another file than the one to --compare with")
    try:
        shadow = Shadow(read_previous(previous_path))
    except (SheetRefused, OSError) as error:
        click.echo(f"payroll calculate: {unreadable(previous_path, error)}", err=True)
        sys.exit(2)
    code = run(input_path, output_path, explain, shadow.add)
    if code != 2:
        report = json.dumps(shadow.as_json(), ensure_ascii=False, indent=2) if as_json else "\n".join(shadow.as_text())
        click.echo(report)
    sys.exit(code)


@payroll.command(name="explain")
@click.option("--input", "input_path", required=True, metavar="FILE", help="Paychecks, as for calculate.")
@click.option("--id", "name", required=True, help="The id of the paycheck to explain.")
@click.option("--compare-to", metavar="ID", help="Another paycheck: tell what made the net differ, cent by cent.")
@click.option("--compare-input", "compare_path", metavar="FILE", help="Where that one stands, if not in the same file.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
def explain(input_path: str, name: str, compare_to: str | None, compare_path: str | None, as_json: bool) -> None:
    """Tell why a paycheck is what it is, or why it is less than last week.

    Exit code 0; 1 when a paycheck cannot be calculated; 2 for wrong usage or files.
    """
    from backoffice.payroll.explanation import NotExplained, explained

    if compare_path is not None and compare_to is None:
        raise click.UsageError("--compare-input needs --compare-to")
    try:
        click.echo(explained(input_path, name, compare_to, compare_path, as_json))
    except NotExplained as error:
        click.echo(f"payroll explain: {error}", err=True)
        sys.exit(error.code)


@payroll.command(name="gross-up")
@click.option("--input", "input_path", required=True, metavar="FILE", help="Paychecks, as for calculate.")
@click.option("--id", "name", required=True, help="The id of the paycheck whose pay is to rise.")
@click.option("--net", required=True, metavar="AMOUNT", help="The net pay that is wanted, in dollars.")
@click.option("--supplemental", is_flag=True, help="What is added is supplemental wages (an award).")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
def gross_up(input_path: str, name: str, net: str, supplemental: bool, as_json: bool) -> None:
    """Tell the smallest addition to a paycheck's pay that leaves a wanted net pay.

    Exit code 0; 1 when there is none or the paycheck cannot be calculated; 2 for wrong usage or files.
    """
    from backoffice.payroll.explanation import NotExplained, grossed_up

    try:
        click.echo(grossed_up(input_path, name, net, supplemental, as_json))
    except NotExplained as error:
        click.echo(f"payroll gross-up: {error}", err=True)
        sys.exit(error.code)


@payroll.command(name="tables")
@click.argument("code", required=False)
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
def tables(code: str | None, as_json: bool) -> None:
    """Tell what law is known, since when, from which source, verified or not; one jurisdiction whole with its CODE
    (NY, US)."""
    from backoffice.payroll.known_law import known_law

    law = known_law()
    code = code.upper() if code is not None else None
    if code is not None and code not in law.names:
        raise click.UsageError(f"{code} is no jurisdiction: give US or the two letters of a state or DC")
    text = json.dumps(law.as_json(code), ensure_ascii=False, indent=2) if as_json else "\n".join(law.as_text(code))
    click.echo(text)
