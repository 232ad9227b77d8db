"""Without the extra: one message that says what to install."""

import importlib.util

import pytest

import lidjax
from lidjax.cli import main
from lidjax.report import page


def test_the_message_says_what_to_install(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        page.importlib.util, "find_spec", lambda name: None if name == "plotly" else real(name)
    )
    with pytest.raises(lidjax.InputError, match=r"plotly.*pip install 'lidjax\[report\]'"):
        page.check_installed()


def test_the_command_says_so_before_it_fits(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(page.importlib.util, "find_spec", lambda name: None)
    (tmp_path / "counts.csv").write_text("problem,n,c\na,10,3\nb,10,0\n")
    assert main(["fit", "counts.csv", "--report", "report.html"]) == 2
    assert "pip install 'lidjax[report]'" in capsys.readouterr().err
