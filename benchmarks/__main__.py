"""`python -m benchmarks [name …] [--write]`: measure, print, and with --write keep the figures in RESULTS.md."""

from __future__ import annotations

import argparse
import importlib
import re
import sys
import time
from pathlib import Path

import uvloop

NAMES = (
    *("hot_read", "rls", "neighbour", "jobs", "queues", "fairness", "recovery", "courier"),
    *("payday", "quarter", "gross_to_net"),
)
RESULTS = Path(__file__).parent / "RESULTS.md"
_HEAD = """# Results

Written by `make bench` (`python -m benchmarks --write`). Each section says on what machine and when it was measured;
compare figures of one section, and ratios between sections. What is measured, and how, stands at the top of each module
of this folder.
"""


def main() -> int:
    """0, or 1 when a benchmark could not be measured."""
    options = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure, beside what one would pick.")
    options.add_argument("names", nargs="*", metavar="name", help=f"which ones: {', '.join(NAMES)} (all by default)")
    options.add_argument("--write", action="store_true", help=f"keep the figures in benchmarks/{RESULTS.name}")
    given = options.parse_args()
    if unknown := set(given.names) - set(NAMES):
        options.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    failed = False
    for name in given.names or NAMES:
        module = importlib.import_module(f"benchmarks.{name}")
        began = time.monotonic()
        try:
            section = uvloop.run(module.run())
        except Exception as error:
            sys.stderr.write(f"{name} was not measured: {type(error).__name__}: {error}\n")
            sys.stderr.writelines(f"{note}\n" for note in getattr(error, "__notes__", ()))
            failed = True
            continue
        print(f"## {module.TITLE}\n\n{section}\n\n({name} took {time.monotonic() - began:.0f} s)\n", flush=True)
        if given.write:
            write(module.TITLE, section)
    return int(failed)


def write(title: str, section: str) -> None:
    """Put a section into the file, in the place of the last one of that title."""
    text = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else _HEAD
    parts = re.split(r"^## (.*)\n", text, flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True)) | {title: f"\n{section}\n\n"}
    order = [importlib.import_module(f"benchmarks.{name}").TITLE for name in NAMES]
    told = sorted(sections, key=lambda each: order.index(each) if each in order else len(order))
    written = _HEAD + "".join(f"\n## {each}\n\n{sections[each].strip()}\n" for each in told)
    RESULTS.write_text(written, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
