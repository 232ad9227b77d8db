"""Reports as HTML: complete, escaped, and without anything that would be fetched."""

import html.parser

import numpy as np
import pytest

import lidjax
from lidjax.report import page
from lidjax.report.charts import Axes, Series, line_chart
from lidjax.report.page import Page, ReportTable, write_page

EVIL = '<img src=x onerror="window.hacked=1"></script><script>window.hacked=1</script>'


@pytest.fixture(scope="module", autouse=True)
def _extra_is_installed():
    for name in page.NEEDED:
        pytest.importorskip(name, reason="needs the extra: pip install 'lidjax[report]'")


class Loads(html.parser.HTMLParser):
    """Everything that the tags of a page would load, and the tags themselves."""

    def __init__(self):
        super().__init__()
        self.addresses, self.tags = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        found = dict(attrs)
        if tag in ("script", "img", "iframe", "source", "link", "object", "embed"):
            self.addresses += [found[name] for name in ("src", "href", "data") if found.get(name)]


def read(path):
    loads = Loads()
    loads.feed(path.read_text(encoding="utf-8"))
    return loads


def example(names=("small", EVIL)):
    rng = np.random.default_rng(0)
    groups = tuple(
        lidjax.Group(
            name, {}, (*map(str, range(29)), EVIL), np.full(30, 40), rng.binomial(40, rng.beta(0.4, 4, 30))
        )
        for name in names
    )
    return lidjax.fit_evals(lidjax.EvalData(groups, "by hand"), targets=[1, 10, 100, 1000])


@pytest.fixture(scope="module")
def fits():
    return example()


def test_a_report_has_everything_that_the_json_has(fits, tmp_path):
    path = lidjax.write_fit_report(fits, tmp_path / "report.html", about={"command": "lidjax fit a.csv"})
    text = path.read_text(encoding="utf-8")
    found = fits.to_dict()
    for group in found["groups"]:
        assert group["answer"]["sentence"] in text
    for title in ("Answers", "Forecasts", "Problems", "Tail index by estimator", "Methods", "Provenance"):
        assert f">{title}<" in text
    assert "lidjax fit a.csv" in text
    assert lidjax.__version__ in text
    for tail in found["groups"][0]["tail_index"]:
        assert tail["estimator"] in text


def test_nothing_is_fetched_and_names_are_text(fits, tmp_path):
    loads = read(lidjax.write_fit_report(fits, tmp_path / "report.html"))
    assert all(address.startswith("data:") for address in loads.addresses), loads.addresses
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert EVIL not in text
    assert "<img src=x" not in text


def test_a_sweep_of_any_kind_has_a_report(tmp_path):
    spec = {"frontier": {"vocabulary": 100}, "grid": {"samples": [10, 30, 100], "exponent": [1.5, 2.0]}}
    data = lidjax.run_sweep(spec)
    path = lidjax.write_sweep_report(data, lidjax.summarise(data), tmp_path / "sweep.html")
    text = path.read_text(encoding="utf-8")
    for word in ("exponent a = 1.5", "Overview", "All cells", "one standard error"):
        assert word in text


def test_a_file_that_cannot_be_written_is_an_error_in_words(fits, tmp_path):
    with pytest.raises(lidjax.InputError, match="its folder does not exist"):
        lidjax.write_fit_report(fits, tmp_path / "nowhere" / "report.html")
    with pytest.raises(lidjax.InputError, match="a folder; name a file"):
        lidjax.write_fit_report(fits, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_long_tables_are_cut_and_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "MOST_ROWS", 3)
    table = ReportTable("Many", {"i": "i"}, [{"i": i} for i in range(5)])
    path = write_page(Page("t", [], [], [], [table], [], []), tmp_path / "t.html")
    assert "The first 3 of 5 rows" in path.read_text(encoding="utf-8")


def test_missing_values_are_a_dash_and_do_not_break_the_chart():
    element = page.table_html(ReportTable("t", {"x": "x"}, [{"x": 0.25}, {"x": None}, {"x": 12_345}]), "t")
    assert "–" in element
    assert "12,345" in element
    figure = line_chart(
        [Series("a", [1, 10], [0.5, float("nan")], [0.4, 0.5], [0.6, 0.7])],
        Axes("k", "y", log_x=True, complement="1-y"),
    )
    assert '"type":"log"' in figure.to_json().replace(" ", "")


def test_every_series_is_drawn_and_later_ones_wait_in_the_legend():
    figure = line_chart([Series(f"s{i}", [1, 2], [0, 1]) for i in range(12)], Axes("x", "y"))
    assert [trace.visible for trace in figure.data] == [True] * 8 + ["legendonly"] * 4
    assert len({(trace.line.color, trace.line.dash) for trace in figure.data}) == 12
