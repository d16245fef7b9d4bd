"""`backoffice doctor`: what is stuck, why, and what to do."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict

import click

from backoffice.terminal.refusals import tells


@click.command()
@click.option("--json", "as_json", is_flag=True, help="the facts and the findings as one JSON object")
@tells
def doctor(as_json: bool) -> None:
    """Say what is stuck and why, over all tenants; nothing of what they work on is looked at.

    Ends with 0 when nothing is wrong (notices may be there), 1 when something is.
    """
    from backoffice.local.place import open_place
    from backoffice.platform import logs
    from backoffice.platform.doctor.examine import examine, healthy
    from backoffice.platform.doctor.look import look

    logs.configure("cli", "critical")
    with open_place(prepare=False) as place:
        facts = asyncio.run(look(place.settings))
    findings = examine(facts)
    if as_json:
        told = {"facts": asdict(facts), "findings": [asdict(each) for each in findings]}
        click.echo(json.dumps(told, indent=2, sort_keys=True))
    else:
        ready = sum(band.ready for band in facts.bands.values())
        click.echo(
            f"jobs: {ready} could start, {facts.released} released, {facts.running} running; "
            f"slots: {'unknown' if facts.slots is None else facts.slots}; "
            f"webhooks: {facts.deliveries_due} due, {facts.deliveries_leased} under way"
        )
        for each in findings:
            mark = click.style("wrong ", fg="red") if each.severity == "problem" else click.style("notice", fg="yellow")
            click.echo(f"\n{mark} {each.what}\n       {each.why}\n       {each.remedy}")
        if not findings:
            click.echo("nothing is stuck")
    sys.exit(0 if healthy(findings) else 1)
