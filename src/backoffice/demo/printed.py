"""How the demo looks: chapters, lines, progress bars, and the summary."""

from __future__ import annotations

import textwrap
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from backoffice.demo.checks import CHECKS, Finding, money_of
from backoffice.demo.facts import Facts
from backoffice.kernel.money import format_minor

HANGING = 2  # columns
LONGEST_WORD = 60


@dataclass(slots=True)
class Step:
    """A chapter and how long it took."""

    title: str
    started: float
    seconds: float = 0.0


class Printed:
    """Prints as it happens, from several threads; keeps every line that was said, and the time of every step."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.lines: list[str] = []
        self.steps: list[Step] = []
        self._lock = threading.Lock()
        columns = (TextColumn("   {task.description}"), BarColumn(40), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._bars: dict[str, TaskID] = {}
        self._full: set[str] = set()

    def __enter__(self) -> Printed:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end_step()
        self._progress.stop()

    def step(self, number: int, title: str) -> None:
        with self._lock:
            self._end_step()
            self.steps.append(Step(f"{number}. {title}", time.monotonic()))
            self.console.print(Text(f"\n{number}. {title}", style="bold cyan"))

    def say(self, text: str) -> None:
        with self._lock:
            self.lines.append(text)
            self._print(f"   {text}", style="yellow" if text.startswith("⚡") else "")

    def bar(self, name: str, done: int, total: int) -> None:
        with self._lock:
            if name in self._full:
                return
            if name not in self._bars:
                self._bars[name] = self._progress.add_task(name, total=total)
            self._progress.update(self._bars[name], completed=done, total=total)
            if done >= total:
                self._full.add(name)
                self._progress.remove_task(self._bars[name])
                self.console.print(Text(f"   {name}: {done} of {total}", style="green"))

    def _print(self, text: str, style: str) -> None:
        """On a terminal a long line goes on below its own beginning; a path, which somebody may want to copy, stays in
        one piece, and so does everything in a file."""
        words = text.lstrip()
        indent = len(text) - len(words)
        lines = textwrap.wrap(words, max(LONGEST_WORD, self.console.width - indent - HANGING), break_on_hyphens=False)
        if not self.console.is_terminal or any(len(word) > LONGEST_WORD for word in words.split()):
            lines = [words]
        for place, line in enumerate(lines):
            shift = indent + (HANGING if place else 0)
            self.console.print(Text(" " * shift + line, style=style), soft_wrap=True)

    def _end_step(self) -> None:
        if self.steps and not self.steps[-1].seconds:
            self.steps[-1].seconds = time.monotonic() - self.steps[-1].started
        for name, task in self._bars.items():
            if name not in self._full:
                self._progress.remove_task(task)
        self._bars.clear()


def print_checks(console: Console, facts: Facts) -> list[str]:
    """Every claim with its verdict; the claims that did not hold."""
    console.print(Text("\nWhat this demo claims", style="bold cyan"))
    failed = []
    for check in CHECKS:
        finding: Finding = check(facts)
        if finding is None:
            console.print(Text.assemble(("   ✓ ", "green"), check.claim), soft_wrap=True)
        else:
            failed.append(check.claim)
            console.print(Text.assemble(("   ✗ ", "bold red"), check.claim, (f": {finding}", "red")), soft_wrap=True)
    return failed


def print_summary(console: Console, facts: Facts, steps: Sequence[Step], out: Path, logs: Path, seconds: float) -> None:
    """Counts, money, files, times; what was not found out is left out."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    told = facts.told
    if "workers" in told:
        table.add_row("workers", str(told["workers"]["created"]), f"with {told.get('assignments')} assignments")
    if "hours" in told:
        table.add_row("hours", told["hours"]["total"], f"on {told['hours']['timesheets']} timesheets")
    if "stubs" in told:
        table.add_row("paychecks", str(len(told["calculated"]["paychecks"])), f"{len(told['stubs'])} pay stubs as PDF")
    if "ledger" in told:
        table.add_row(
            "ledger", str(len(told["ledger"]["transactions"])), f"transactions, {told['ledger']['entries']} entries"
        )
    if "webhooks" in told:
        table.add_row("webhooks", str(told["webhooks"]["verified"]), f"{len(told['webhooks']['events'])} events")
    if "trial_balance" in told and "liabilities" in told and "bank_file" in told:
        money = money_of(facts)
        table.add_row("money in", _usd(money["in"]), "wages and employer taxes, owed by the firm")
        table.add_row(
            "money out", _usd(money["out"]), f"{_usd(money['net'])} to workers + {_usd(money['taxes'])} taxes"
        )
    console.print(Text("\nSummary", style="bold cyan"))
    console.print(table)
    console.print(Text("\nFiles", style="bold cyan"))
    files = {
        "bank file (NACHA)": next(iter(sorted(out.glob("*.ach"))), None),
        "pay stubs (PDF)": out / "pay_stubs",
        "ledger": out / "ledger_entries.csv",
        "trial balance": out / "trial_balance.json",
        "tax liabilities": out / "tax_liabilities.json",
        "webhooks": out / "events.jsonl",
        "logs": logs,
    }
    for name, path in files.items():
        if path is not None and path.exists():
            console.print(Text(f"   {name:20} {path}"), soft_wrap=True)
    console.print(Text("\nTime", style="bold cyan"))
    for step in steps:
        console.print(Text(f"   {step.seconds:6.1f} s  {step.title}"), soft_wrap=True)
    console.print(Text(f"   {seconds:6.1f} s  in all"))


def _usd(cents: int) -> str:
    return f"{format_minor(cents)} USD"
