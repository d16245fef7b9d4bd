"""What the `type` of a problem names: a page that says what the refusal means, from the class that is raised."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from backoffice.kernel.errors import Problem

PATH = "/problems"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'",
    "Cache-Control": "public, max-age=3600",
    "X-Content-Type-Options": "nosniff",
}


def catalogue() -> dict[str, type[Problem]]:
    """Every refusal of the product by its code; all domains must have been imported."""
    found: dict[str, type[Problem]] = {}
    for each in _below(Problem):
        found.setdefault(each.code, each)  # one that gives itself no code is told as what it is a case of
    return dict(sorted(found.items()))


def page(code: str | None = None) -> str | None:
    """The page of a code, or of all; None for a code that no refusal has."""
    known = catalogue()
    if code is None:
        rows = "".join(
            f'<li><a href="{PATH}/{name}"><code>{name}</code></a> {each.status}: {escape(each.title)}</li>'
            for name, each in known.items()
        )
        return _html("Problems", f"<p>Every refusal of the API by its code.</p><ul>{rows}</ul>")
    return _of(known[code]) if code in known else None


def _of(problem: type[Problem]) -> str:
    said = " ".join((problem.__doc__ or "").split())
    again = "It may be sent again as it is." if problem.retryable else "Sending it again as it is changes nothing."
    if problem.status >= 500 and not problem.retryable:
        again = "Repeat it with the same Idempotency-Key: it runs only if it did not run before."
    parts = [f"<code>{problem.code}</code>, HTTP status {problem.status}. {again}", escape(said)]
    if problem.remedy is not None:
        fix = problem.remedy
        parts.append(f"{escape(fix.what)} ({escape(fix.who)}{f', {escape(fix.api)}' if fix.api else ''})")
    parts.append(f'<a href="{PATH}">All problems</a>')
    return _html(problem.title, "".join(f"<p>{part}</p>" for part in parts if part))


def _html(title: str, body: str) -> str:
    head = f'<meta charset="utf-8"><title>{escape(title)}</title>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body><h1>{escape(title)}</h1>{body}</body></html>'


def _below(kind: type[Problem]) -> Iterator[type[Problem]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)
