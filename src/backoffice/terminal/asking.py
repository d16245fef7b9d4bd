"""One operation asked over HTTP: the request from the options given, and what is printed of the answer."""

from __future__ import annotations

import os
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from backoffice.platform.api_client import Answer, ApiClient, Unreachable
from backoffice.platform.settings import Settings
from backoffice.terminal.body import build
from backoffice.terminal.operations import Operation, variable
from backoffice.terminal.refusals import Refused
from backoffice.terminal.shown import problem, show

POLL_SECONDS = 0.25


def ask(operation: Operation, given: Mapping[str, Any]) -> int:
    """Send it and print the answer; 0 when it was done, 1 when it was refused. Refused and Unreachable otherwise."""
    with client() as http:
        path = operation.path.format(**{name: given[name] for name in operation.arguments})
        query = _query(operation, given)
        body, media = _body(operation, given)
        headers = _headers(http, operation, given, path)
        try:
            answer = http.request(operation.method, path, query=query, body=body, media=media, headers=headers)
        except Unreachable as error:
            made = headers.get("Idempotency-Key")
            retry = f" To try again without doing it twice: --idempotency-key {made}" if made else ""
            raise Refused(f"{error}{retry}") from None
        if not answer.ok:
            return refused(answer)
        if given.get("all_pages"):
            return _all_pages(http, path, query, answer, given["as_json"])
        if given.get("wait") and answer.status == 202:
            return wait(http, answer, given["as_json"])
        return _print(operation, answer, given)


def refused(answer: Answer) -> int:
    """Print a problem, with all its faults, to standard error."""
    try:
        content = answer.json()
    except ValueError:
        content = None
    if not isinstance(content, dict):
        content = {"detail": answer.body.decode(errors="replace")[:500]}
    for line in problem(answer.status, content):
        click.echo(line, err=True)
    return 1


_SHOWN = {"bulk_job": "/v1/bulk_jobs", "test_clock": "/v1/test/clocks"}  # what a job was for, where it says so itself


def wait(http: ApiClient, answer: Answer, as_json: bool, *, where: str | None = None) -> int:
    """Follow a job until it has ended, with a progress bar where somebody watches, and show what it was for; 0 only
    when it succeeded. `where` it is seen, unless the answer says so."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    where, begun = where or answer.headers.get("location"), answer.json()
    if where is None:
        raise Refused("The answer does not say where the job can be seen.")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task("queued", total=None)
        while True:
            job = answer.json()
            told = job.get("progress") or {}
            text = told.get("text") or f"{job.get('kind', job.get('operation', 'job'))} {job['status']}"
            progress.update(bar, description=text, completed=told.get("done", 0), total=told.get("total") or None)
            if job["status"] not in ("queued", "running", "open", "advancing"):
                break
            time.sleep(POLL_SECONDS)
            answer = http.request("GET", where)
            if not answer.ok:
                return refused(answer)
    if begun["object"] in _SHOWN:
        answer = http.request("GET", f"{_SHOWN[begun['object']]}/{begun['id']}")
        if not answer.ok:
            return refused(answer)
    show(answer.json(), as_json=as_json)
    return 0 if job["status"] == "succeeded" else 1


def client() -> ApiClient:
    key = os.environ.get("BACKOFFICE_API_KEY", "")
    if file := os.environ.get("BACKOFFICE_API_KEY_FILE"):
        try:
            key = Path(file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise Refused(f"BACKOFFICE_API_KEY_FILE names {file}, which cannot be read ({error.strerror}).") from None
    if not key:
        raise Refused("BACKOFFICE_API_KEY is not set: make a key with `backoffice keys create`.")
    return ApiClient(os.environ.get("BACKOFFICE_PUBLIC_URL", Settings.public_url), key)


def _query(operation: Operation, given: Mapping[str, Any]) -> list[tuple[str, str]]:
    names = list(operation.opt["query"])
    if operation.listing is not None:
        names += sorted(operation.listing.parameters() - {"include"})
    query = [(name, str(given[variable(name)])) for name in names if given.get(variable(name)) is not None]
    if given.get("total"):
        query.append(("include", "total_count"))
    if given.get("dry_run"):
        query.append(("dry_run", "true"))
    return query


def _body(operation: Operation, given: Mapping[str, Any]) -> tuple[bytes | None, str]:
    if operation.upload:
        media = operation.opt["media"]
        file: Path = given["file"]
        ndjson = [each for each in media if "json" in each]
        return file.read_bytes(), ndjson[0] if ndjson and file.suffix in (".ndjson", ".jsonl") else media[0]
    if operation.body is None:
        return None, "application/json"
    return build(operation.body, given.get("data"), given.get("sets", ())), "application/json"


def _headers(client: ApiClient, operation: Operation, given: Mapping[str, Any], path: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    key = given.get("idempotency_key")
    if key is None and operation.opt["keyed"] == "required" and not given.get("dry_run"):
        key = f"cli-{uuid.uuid4()}"
    if key is not None:
        headers["Idempotency-Key"] = key
    if operation.opt["if_match"]:
        headers["If-Match"] = _etag(client, operation, given)
    return headers


def _etag(client: ApiClient, operation: Operation, given: Mapping[str, Any]) -> str:
    told: str | None = given.get("if_match")
    if told is not None:
        return f'"v{told}"' if told.isdigit() else told
    assert operation.object_path is not None
    path = operation.object_path.format(**{name: given[name] for name in operation.arguments})
    answer = client.request("GET", path)
    if not answer.ok:
        sys.exit(refused(answer))
    return answer.headers["etag"]


def _all_pages(client: ApiClient, path: str, query: list[tuple[str, str]], answer: Answer, as_json: bool) -> int:
    page = answer.json()
    rows = page["data"]
    while page["has_more"]:
        more = [(name, value) for name, value in query if name != "cursor"] + [("cursor", page["next_cursor"])]
        answer = client.request("GET", path, query=more)
        if not answer.ok:
            return refused(answer)
        page = answer.json()
        rows += page["data"]
    show({"object": "list", "data": rows, "has_more": False}, as_json=as_json)
    return 0


def _print(operation: Operation, answer: Answer, given: Mapping[str, Any]) -> int:
    if "json" in answer.headers.get("content-type", ""):
        show(answer.json(), as_json=given["as_json"])
        return 0
    output: Path | None = given.get("output")
    if output is not None:
        output.write_bytes(answer.body)
    else:
        sys.stdout.buffer.write(answer.body)
    return 0
