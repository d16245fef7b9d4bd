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
