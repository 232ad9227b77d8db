"""`lidjax show` and `plot` of a store with several cells: the overview, the choice of cells, every form of output."""

import csv
import io
import json
import re

import numpy as np
import pytest
from helpers.stores import write_results

import lidjax
from lidjax.cli import main
from lidjax.sweep import Fit, Model, SyntheticGrid, SyntheticSpec

N = (10, 20, 40, 80, 160, 320, 640, 1280)
K = tuple(np.geomspace(1, 1000, 13).tolist())
BETA, DELTA = (2.5, 4.0), (2e-4, 1e-3)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Power laws in k whose exponents rise with N by Eq. 20: Δ = 1.5, c = 0.01, ν = 1.1, plateaus β and β - δ."""
    grid = SyntheticGrid(n=N, k=K, beta=BETA, dim=(4,), delta=DELTA, seed=(0, 1))
    spec = SyntheticSpec(name="made", model=Model(), grid=grid, fit=Fit(window=(2.0, 500.0)))
    n, beta, delta = np.array(N), np.array(BETA)[:, None, None], np.array(DELTA)[:, None]
    exponent = beta - delta - 1.5 / (1 + 0.01 * n**1.1)  # beta, delta, n
    failure = 0.5 * np.array(K) ** -exponent[..., None]
    wide = failure[:, None, None, None, None, :, :, None]  # beta alpha dim ridge sigma_eta delta n seed k
    return write_results(tmp_path_factory.mktemp("made"), spec, (1 / n)[:, None], wide)


@pytest.fixture(autouse=True)
def _no_width_is_asked_for(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)  # workers of pytest-xdist have one


def test_several_cells_are_an_overview_with_a_row_each(store, capsys):
    assert main(["show", store]) == 0
    printed = capsys.readouterr().out
    assert "made: 4 cells at N = 1,280; window k = 2 to 500" in printed
    head, *rows = [line for line in printed.splitlines() if re.match(r"\s+(beta|2\.5|4) ", line)]
    assert head.split()[:2] == ["beta", "delta"]  # the axes that vary, and no other
    assert [row.split()[:2] for row in rows] == [
        ["2.5", "0.0002"],
        ["2.5", "0.001"],
        ["4", "0.0002"],
        ["4", "0.001"],
    ]
    plateaus = [float(re.findall(r"(\d\.\d+) \(", row)[1]) for row in rows]
    np.testing.assert_allclose(plateaus, [2.4998, 2.499, 3.9998, 3.999], atol=6e-4)
    assert all(row.rstrip().endswith("ok") for row in rows)
    assert "the same in all cells: alpha = 1, dim = 4" in printed
    example = re.search(r"one cell in full: lidjax (show .*); all of them", printed)[1]
    assert main(example.split()) == 0  # what it says works
    assert "made: beta = 2.5, delta = 0.0002; window" in capsys.readouterr().out


def test_details_are_the_table_of_every_cell(store, capsys):
    assert main(["show", store, "--details"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("β_eff, median (95 %)") == 4
    assert printed.count("made: 4 cells") == 1


def test_one_chosen_cell_is_shown_in_full_and_some_as_an_overview(store, capsys):
    assert main(["show", store, "--at", "beta=4", "delta=2e-4", "--json"]) == 0
    (cell,) = json.loads(capsys.readouterr().out)["results"]
    assert (cell["at"]["beta"], cell["at"]["delta"]) == (4.0, 2e-4)
    assert len(cell["rows"]) == 8
    assert cell["saturation"]["beta"]["low"] < 3.9998 < cell["saturation"]["beta"]["high"]
    assert main(["show", store, "--at", "beta=4", "--at", "delta=2e-4,1e-3"]) == 0
    assert "made: 2 cells" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["show", "plot"])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--at", "beta=3"], "--at beta=3: the store has beta = 2.5, 4"),
        (
            ["--at", "bta=4"],
            "--at bta=4: axis 'bta' is not known (did you mean 'beta'?); allowed: beta, alpha",
        ),
        (["--at", "4"], "--at 4: write AXIS=VALUE"),
    ],
)
def test_an_unknown_choice_is_one_message_and_exit_code_2(store, command, options, words, capsys):
    assert main([command, store, *options]) == 2
    assert words in capsys.readouterr().err


def test_json_has_the_command_the_version_and_the_fields_it_always_had(store, capsys):
    assert main(["show", store, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found)[:2] == ["command", "version"]
    assert set(found) > {"window", "results", "overview"}
    assert (found["command"], found["version"]) == ("show", lidjax.__version__)
    assert len(found["results"]) == 4
    assert found["overview"][3]["plateau"] == pytest.approx(3.999, abs=1e-3)
    assert found["overview"][3]["beta"] == 4.0


def test_csv_has_every_number_of_every_cell_and_latex_what_is_printed(store, tmp_path, capsys):
    files = ["--csv", str(tmp_path / "made.csv"), "--latex", str(tmp_path / "made.tex")]
    assert main(["show", store, *files]) == 0
    written = capsys.readouterr().out.splitlines()[-3:]
    assert written == [str(tmp_path / name) for name in ("made.csv", "made-cells.csv", "made.tex")]
    rows = list(csv.DictReader(io.StringIO((tmp_path / "made-cells.csv").read_text())))
    assert len(rows) == 4 * 8
    assert float(rows[8]["beta_eff"]) == pytest.approx(2.499 - 1.5 / (1 + 0.01 * 10**1.1), rel=1e-12)
    overview = list(csv.DictReader(io.StringIO((tmp_path / "made.csv").read_text())))
    assert [row["fit"] for row in overview] == ["ok"] * 4
    text = (tmp_path / "made.tex").read_text()
    assert r"beta & delta & median $\mathcal{L}_{\mathrm{gen}}$" in text
    assert r"$\beta_{\mathrm{eff}}$ (95 \%)" in text
    assert r"$7.81\times10^{-4}$" in text
    assert all(line.count("&") == 5 for line in text.splitlines() if line.endswith(r"\\"))


def test_files_of_details_have_all_cells_in_one_csv_and_a_latex_table_each(store, tmp_path, capsys):
    files = ["--csv", str(tmp_path / "made.csv"), "--latex", str(tmp_path / "made.tex")]
    assert main(["show", store, "--details", *files]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"made.csv", "made-cells.csv", "made.tex"}
    assert (tmp_path / "made.tex").read_text().count(r"\toprule") == 1 + 4


def test_on_a_narrow_terminal_no_column_is_lost_and_every_block_names_its_rows(store, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "40")
    assert main(["show", store, "--at", "beta=4", "delta=2e-4"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 40
    heads = [line.split() for line in lines if re.match(r"\s+N ", line)]
    assert len(heads) > 1
    assert {word for head in heads for word in head} >= {"N", "L_gen", "mean", "β_eff,"}
    assert sum("1,280" in line for line in lines) == len(heads)


def test_piped_a_row_is_a_line_however_wide(store, capsys):
    assert main(["show", store, "--at", "beta=4", "delta=2e-4"]) == 0
    printed = capsys.readouterr().out
    assert sum("1,280" in line for line in printed.splitlines()) == 1
    assert re.search(r"Eq\. 20, β_eff = .* ν = [\d.]+ ± [\de.-]+", printed)  # a note is a line too


def test_an_ascii_terminal_gets_words(store, monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="ascii"))
    assert main(["show", store]) == 0
    assert main(["show", store, "--json"]) == 0
    import sys

    sys.stdout.flush()
    printed = raw.getvalue().decode("ascii")
    assert "beta_eff (95 %)" in printed
    assert "?" not in printed
    table = [line for line in printed.splitlines() if line.startswith("|")]
    assert len({len(line) for line in table}) == 1  # words are counted before columns are laid out


def test_help_of_every_command_prints_on_an_ascii_terminal(monkeypatch):
    for command in ("show", "plot", "fit", "allocate", "plan"):
        raw = io.BytesIO()
        monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="ascii"))
        with pytest.raises(SystemExit) as stop:
            main([command, "--help"])
        assert stop.value.code == 0


def test_figures_of_several_cells_are_one_figure_laid_out_by_axes(store, tmp_path, capsys):
    out = ["--out", str(tmp_path)]
    assert main(["plot", store, *out, "--col", "beta", "--hue", "delta", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["command"] == "plot"
    assert [path.rsplit("/", 1)[1] for path in found["figures"]] == ["scaling.pdf", "scaling.png"]
    assert main(["plot", store, *out, "--col", "dim"]) == 2
    assert "the axis 'dim' is not known; allowed: beta, delta" in capsys.readouterr().err
    assert main(["plot", store, *out, "--figure", "plane", "--col", "beta"]) == 2
    assert "plane has a panel for each cell" in capsys.readouterr().err
    assert main(["plot", store, *out, "--col", "beta", "--hue", "beta"]) == 2
    assert "name two axes" in capsys.readouterr().err


def test_facets_share_axes_and_have_what_varies_as_titles(store):
    from lidjax.figures import scaling_facets
    from lidjax.figures.facets import cell_title

    summary = lidjax.summarise(lidjax.open_results(store))
    figure = scaling_facets(summary, col="beta", hue="delta")
    assert len(figure.axes) == 3 * 2
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:2] == [r"$\beta$ = $2.5$", r"$\beta$ = $4$"]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == [cell_title({"delta": delta}) for delta in DELTA]
    left, right = figure.axes[4:]  # β_eff(N) below each other
    assert left.get_ylim() == right.get_ylim()
    assert [bool(axes.get_ylabel()) for axes in figure.axes] == [True, False] * 3
    rows = scaling_facets(summary)  # a row for each cell
    assert [bool(axes.get_xlabel()) for axes in rows.axes] == [False] * 9 + [True] * 3
    assert len(rows.axes) == 3 * 4
    assert rows.axes[9].get_title(loc="left") == cell_title({"beta": 4.0, "delta": 1e-3})
