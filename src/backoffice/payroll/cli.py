"""`backoffice payroll …`: the payroll commands of the command line."""

from __future__ import annotations

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
def calculate(input_path: str, output_path: str, explain: bool) -> None:
    """Calculate paychecks from a file, without a database or a server.

    Heads of a CSV file are dotted paths (w4.step3, work.0.state, ytd.programmes.CA_SDI.wages); an empty cell is
    absence.

    Exit code 0; 1 when a line failed; 2 for wrong usage or files.
    """
    from backoffice.payroll.batch import run

    sys.exit(run(input_path, output_path, explain))


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
