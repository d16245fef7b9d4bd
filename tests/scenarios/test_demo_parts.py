"""The demo's parts, without a platform: what is heard, printed, looked for and read."""

from __future__ import annotations

import ast
import io
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tests.world import ROOT

from backoffice import api
from backoffice.demo import front_office, other_firm
from backoffice.demo.facts import Facts
from backoffice.demo.personal import logs_with, numbers_of
from backoffice.demo.printed import Printed, print_checks, print_summary
from backoffice.demo.refusal import DemoRefused
from backoffice.demo.stage import _alone, _clear
from backoffice.kernel import ids
from backoffice.platform.postgres import throwaway_state

EXAMPLE = ROOT / "examples" / "front_office"
sys.path.append(str(EXAMPLE))

import bank_file  # noqa: E402
import story  # noqa: E402
from telling import Telling  # noqa: E402


def test_the_front_office_knows_nothing_of_the_inside() -> None:
    own = {path.stem for path in EXAMPLE.glob("*.py")}
    assert len(own) > 1
    for path in EXAMPLE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                top = name.split(".")[0]
                assert top in own | {"standardwebhooks"} | set(sys.stdlib_module_names), f"{path.name} imports {name}"


def test_every_readable_kind_of_id_is_asked_for() -> None:
    reads = {
        path.replace(":str", "")
        for handler in api.HANDLERS
        for path in handler.paths
        if "GET" in handler.http_methods and path.count("{") == 1 and path.endswith("}")
    }
    reads = {path for path in reads if not path.startswith("/v1/downloads")}  # a token, no id
    asked = {path.replace("{id}", "") for path in other_firm.PATHS.values()}
    assert {path[: path.rindex("{")] for path in reads} == asked
    assert set(other_firm.PATHS) <= set(ids.PREFIXES)


def test_ids_are_found_in_what_was_printed() -> None:
    id_ = "wrk_01m7jagnr0e3e8ttbgmhqash4s"
    lines = [
        f"worker ({id_}) and {id_}",
        "req_01m7jagnr0e3e8ttbgmhqash4s",
        "xxx_01m7jagnr0e3e8ttbgmhqash4s",
        "wrk_short",
    ]
    assert other_firm.ids_in(lines) == [id_]


def test_numbers_of_persons_are_found_in_logs(tmp_path: Path) -> None:
    numbers = numbers_of([ROOT / "tenants" / "northwind-staffing"])
    assert "901-17-2373" in numbers
    assert "901172373" in numbers
    assert "9265207137" in numbers
    for name, text in {"clean": "19265207137 9012", "ssn": "x 901172373.", "account": '"9265207137"'}.items():
        (tmp_path / name).write_text(text)
    assert logs_with(numbers, sorted(tmp_path.iterdir())) == ["account", "ssn"]


def printed(facts: Facts) -> str:
    out = io.StringIO()
    console = Console(file=out, width=120)
    print_checks(console, facts)
    print_summary(console, facts, [], Path("/nowhere"), Path("/nowhere"), 1.0)
    return out.getvalue()


def test_what_failed_is_said_with_its_reason() -> None:
    told = printed(Facts(front_office_status=1))
    assert "✗ the front office played the day to its end: it ended with exit status 1" in told
    assert "✗ money in equals money out, to the cent: it was not found out" in told


def test_lines_steps_and_bars_are_printed_once() -> None:
    out = io.StringIO()
    with Printed(Console(file=out, width=100)) as show:
        show.step(1, "First")
        show.say("a line with [brackets] in it")
        for done in (1, 2, 3, 3):
            show.bar("rows", done, 3)
        show.step(2, "Second")
    assert out.getvalue().count("rows: 3 of 3") == 1
    assert "a line with [brackets] in it" in out.getvalue()
    assert show.lines == ["a line with [brackets] in it"]
    assert [step.title for step in show.steps] == ["1. First", "2. Second"]
    assert all(step.seconds > 0 for step in show.steps)


def test_a_long_line_goes_on_below_its_own_beginning() -> None:
    """On a terminal; a path stays in one piece, and a file gets every line whole."""
    said = ["one " * 30, "    nested " + "two " * 30, "a file: /" + "long/" * 20 + "file.csv"]
    shown = {}
    for terminal in (True, False):
        out = io.StringIO()
        with Printed(Console(file=out, width=80, force_terminal=terminal, color_system=None)) as show:
            for text in said:
                show.say(text)
        plain = re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", out.getvalue())
        shown[terminal] = [line for line in plain.splitlines() if line.strip()]
    on_terminal = [line.rstrip() for line in shown[True]]
    assert on_terminal[0] == "   " + " ".join(["one"] * 19)
    assert on_terminal[1] == "     " + " ".join(["one"] * 11)
    assert on_terminal[2].startswith("       nested two")
    assert on_terminal[3].startswith("         two")
    assert on_terminal[4] == f"   {said[2]}"
    assert [line.strip() for line in shown[False]] == [text.strip() for text in said]


def test_what_the_front_office_tells_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKOFFICE_PEPPER", "must not be seen")
    program = tmp_path / front_office.PROGRAM
    program.parent.mkdir(parents=True)
    program.write_text(
        f"import sys; sys.path.insert(0, {str(EXAMPLE)!r})\n"
        "import json, os\n"
        "from telling import Telling\n"
        "tell = Telling(as_json='--json' in sys.argv)\n"
        "tell.step(1, 'Łódź')\n"
        "tell.say('keys: ' + os.environ['FRONT_OFFICE_KEYS'])\n"
        "tell.bar('rows', 1, 2)\n"
        "tell.fact('settings', [name for name in os.environ if name.startswith('BACKOFFICE_')])\n"
        "sys.exit(3)\n"
    )
    out = io.StringIO()
    facts: dict[str, Any] = {}
    with Printed(Console(file=out)) as show:
        status = front_office.play(
            tmp_path, url="http://x", keys={"a": "b"}, firm=tmp_path, out=tmp_path, hears=show, facts=facts
        )
    assert status == 3
    assert "1. Łódź" in out.getvalue()
    assert 'keys: {"a": "b"}' in out.getvalue()
    assert facts == {"settings": []}


def test_telling_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    tell = Telling(as_json=False)
    tell.step(2, "Title")
    for done in range(1, 21):
        tell.bar("rows", done, 20)
    tell.fact("nothing", 1)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["", "2. Title"]
    assert len(lines) == 2 + 11  # every tenth


def test_the_story_is_told_in_the_order_of_the_numbers() -> None:
    def event(sequence: int, type_: str, message: str = "", ask: str | None = None) -> dict[str, Any]:
        effects = [{"message": message, "ask": ask}] if message else []
        return {"sequence": sequence, "type": type_, "data": {"object": {"id": f"x_{sequence}"}, "effects": effects}}

    many = [event(number, "timesheet.approved", f"sheet {number}") for number in (5, 2, 3, 4)]
    lines = story.tell(
        [event(6, "payroll_run.paid", "Paid."), *many, event(1, "payroll_run.ready", "Ready.", "Approve.")]
    )
    assert lines == [
        "#1  payroll_run.ready  x_1",
        "      Ready.",
        "      → Approve.",
        "#2-5  4 × timesheet.approved",
        "      such as: sheet 2",
        "#6  payroll_run.paid  x_6",
        "      Paid.",
    ]


def nacha(amount: int = 1000, control: int = 1000) -> bytes:
    """The records that are read: batch header, two entries, batch and file control; other fields are filler."""
    records = [
        "1" + " " * 93,
        "5200" + " " * 65 + "261120" + " " * 19,
        f"622{99000001:08d}3" + " " * 17 + f"{amount:010d}" + " " * 55,
        f"632{99000002:08d}6" + " " * 17 + f"{500:010d}" + " " * 55,
        "8200" + f"{2:06d}{198000003:010d}" + f"{0:012d}{control + 500:012d}" + " " * 50,
        "9" + f"{1:06d}{1:06d}{2:08d}{198000003:010d}{0:012d}{control + 500:012d}" + " " * 39,
        "9" * 94,
    ]
    return "\n".join(records).encode()


def test_the_bank_file_is_read() -> None:
    read = bank_file.read(nacha())
    assert vars(read) == {
        "entries": 2,
        "total": 1500,
        "batch_total": 1500,
        "file_total": 1500,
        "hash_holds": True,
        "effective_date": "261120",
    }
    assert bank_file.read(nacha(amount=1001)).total == 1501
    assert bank_file.read(nacha(control=999)).file_total == 1499
    assert not bank_file.read(nacha().replace(b"198000003", b"198000004")).hash_holds
    with pytest.raises(ValueError, match="94"):
        bank_file.read(nacha()[:-1])
    with pytest.raises(ValueError, match="file control"):
        bank_file.read(b"\n".join(nacha().split(b"\n")[:-2]))


def test_one_demo_at_a_time_in_a_folder(tmp_path: Path) -> None:
    with _alone(tmp_path), pytest.raises(DemoRefused, match="Another demo"), _alone(tmp_path):
        pass
    with _alone(tmp_path):
        pass


def test_what_the_last_demo_left_is_cleared() -> None:
    with throwaway_state() as state:
        left = state / "demo" / "postgres" / "data"
        left.mkdir(parents=True)
        (left / "postmaster.pid").write_text("999999\n")
        (state / "demo" / "front_office").mkdir()
        _clear(state / "demo")
        assert list((state / "demo").iterdir()) == []


def test_the_project_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert front_office.project_folder() == ROOT
