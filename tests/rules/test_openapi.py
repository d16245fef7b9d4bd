"""openapi/ is what the code says: a change of a promise to customers shows up in review."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from openapi_spec_validator import OpenAPIV31SpecValidator

from backoffice.cli import main
from backoffice.terminal.contract import contract, differences

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return contract()


def test_the_committed_contract_is_current(files: dict[str, str]) -> None:
    assert differences(ROOT / "openapi", files) == []


def test_the_document_is_openapi(files: dict[str, str]) -> None:
    import yaml

    document = yaml.load(files["v1.yaml"], Loader=yaml.CSafeLoader)
    assert document["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(document).validate()


def test_a_change_is_seen(files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backoffice.terminal.contract.contract", lambda: files)  # what it says does not change here
    runner = CliRunner()
    folder = ["--folder", str(tmp_path)]
    assert runner.invoke(main, ["openapi", "--check", *folder]).exit_code == 1
    assert runner.invoke(main, ["openapi", *folder]).exit_code == 0
    assert runner.invoke(main, ["openapi", "--check", *folder]).exit_code == 0
    document = tmp_path / "v1.yaml"
    document.write_text(
        document.read_text(encoding="utf-8").replace("title: backoffice", "title: other"), encoding="utf-8"
    )
    (tmp_path / "events" / "dinosaur.found.json").write_text("{}")
    told = runner.invoke(main, ["openapi", "--check", *folder])
    assert told.exit_code == 1
    assert "v1.yaml is not what the code says" in told.output
    assert "dinosaur.found.json describes an event that there is no more" in told.output
    assert runner.invoke(main, ["openapi", *folder]).exit_code == 0
    assert differences(tmp_path, files) == []
