"""`lidjax report` as a user types it."""

import json

import pytest

import lidjax
from lidjax.cli import main
from lidjax.report.page import NEEDED


@pytest.fixture(scope="module", autouse=True)
def _extra_is_installed():
    for name in NEEDED:
        pytest.importorskip(name, reason="needs the extra: pip install 'lidjax[report]'")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    out = tmp_path_factory.mktemp("report") / "run"
    spec = {"frontier": {"vocabulary": 100}, "grid": {"samples": [10, 30, 100], "exponent": [1.5, 2.0]}}
    lidjax.run_sweep(spec, out=out)
    return out


def test_the_report_is_written_beside_the_results(store, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["lidjax", "report", str(store)])
    assert main(["report", str(store)]) == 0
    path = store / "report.html"
    assert capsys.readouterr().out.strip() == str(path)
    text = path.read_text(encoding="utf-8")
    assert "exponent a = 1.5" in text
    assert f"lidjax report {store}" in text  # the command is told


def test_cells_can_be_chosen_and_the_path_is_told_to_programs(store, tmp_path, capsys):
    out = tmp_path / "one.html"
    assert main(["report", str(store), "--at", "exponent=2", "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["report"] == str(out)
    text = out.read_text(encoding="utf-8")
    assert "exponent a = 2" in text
    assert "exponent a = 1.5" not in text


def test_a_store_at_a_url_needs_a_local_file(capsys):
    assert main(["report", "memory://somewhere/run"]) == 2
    assert "--out FILE.html" in capsys.readouterr().err
