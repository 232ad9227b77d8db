"""Reports in a real browser: Chromium from the system's packages, driven by Playwright, opened from file://."""

import re
import shutil

import numpy as np
import pytest
from helpers.stores import write_results

import lidjax
from lidjax.cli import main
from lidjax.report.page import NEEDED
from lidjax.sweep import Fit, Model, SyntheticGrid, SyntheticSpec

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WIDTHS = (1280, 400)
EVIL = '<img src=x onerror="window.hacked=1"></script><script>window.hacked=1</script>'
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser():
    for name in NEEDED:
        pytest.importorskip(name, reason="needs the extra: pip install 'lidjax[report]'")
    playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install playwright")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def fit_report(tmp_path_factory):
    """A report by the command line: three groups, one of them with a name that tries to be a script."""
    folder = tmp_path_factory.mktemp("fit")
    rng = np.random.default_rng(0)
    lines = ["model,problem,n,c"]
    for name in ("small", "large", EVIL):
        quoted = '"' + name.replace('"', '""') + '"'
        counts = rng.binomial(50, rng.beta(0.4, 4, 40))
        lines += [f"{quoted},q{i},50,{c}" for i, c in enumerate(counts)]
    (folder / "counts.csv").write_text("\n".join(lines) + "\n")
    command = ["fit", str(folder / "counts.csv"), "--target", "1", "10", "100", "1000"]
    assert main([*command, "--report", str(folder / "report.html")]) == 0
    return folder / "report.html"


@pytest.fixture(scope="module")
def sweep_report(tmp_path_factory):
    """A report of four cells of a made-up sweep of the LID model."""
    folder = tmp_path_factory.mktemp("sweep")
    n, k, betas = (10, 20, 40, 80, 160, 320), np.geomspace(1, 1000, 13), (2.5, 4.0)
    grid = SyntheticGrid(n=n, k=tuple(k.tolist()), beta=betas, dim=(4,), delta=(2e-4, 1e-3), seed=(0, 1))
    spec = SyntheticSpec(name="made", model=Model(), grid=grid, fit=Fit(window=(2.0, 500.0)))
    exponent = np.array(betas)[:, None, None] - 1.5 / (1 + 0.01 * np.array(n) ** 1.1) - np.zeros((2, 1))
    failure = 0.5 * k ** -exponent[..., None]
    store = write_results(
        folder, spec, (1 / np.array(n))[:, None], failure[:, None, None, None, None, :, :, None]
    )
    assert main(["report", store, "--out", str(folder / "report.html")]) == 0
    return folder / "report.html"


class Opened:
    """A page in the browser, with everything that it complained of or asked for."""

    def __init__(self, browser, path, width):
        self.errors, self.requests = [], []
        self.page = browser.new_page(viewport={"width": width, "height": 900})
        self.page.on(
            "console",
            lambda said: self.errors.append(said.text) if said.type in ("error", "warning") else None,
        )
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_function("document.querySelectorAll('table.dataTable').length > 0")
        self.page.wait_for_function(
            "[...document.querySelectorAll('.plotly-graph-div')].every(one => one.querySelector('.main-svg'))"
        )

    def column(self, table, heading):
        """The cells of a column, as shown."""
        headings = [re.sub(r"\s+", " ", text).strip() for text in table.locator("thead th").all_inner_texts()]
        place = headings.index(heading) + 1
        return table.locator(f"tbody tr td:nth-child({place})").all_inner_texts()


@pytest.fixture(params=WIDTHS)
def opened(request, browser, fit_report):
    found = Opened(browser, fit_report, request.param)
    yield found
    found.page.close()


@pytest.fixture(params=WIDTHS)
def opened_sweep(request, browser, sweep_report):
    found = Opened(browser, sweep_report, request.param)
    yield found
    found.page.close()


def check_page(opened):
    """No complaint, no request, nothing wider than the window, nothing too small to read."""
    page = opened.page
    assert opened.errors == []
    own = page.url
    assert [url for url in opened.requests if url != own and not url.startswith(("data:", "blob:"))] == []
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    charts = page.locator(".plotly-graph-div")
    assert charts.count() >= 2
    for chart in charts.all():
        box = chart.bounding_box()
        assert box["width"] <= width
        assert box["width"] >= 0.8 * min(width, 1000)
        plot = chart.locator(".nsewdrag").first.bounding_box()
        assert plot["height"] >= 150
        assert plot["width"] >= 0.6 * box["width"]
        for text in chart.locator("text").all():
            if text.is_visible():
                size = float(text.evaluate("one => parseFloat(getComputedStyle(one).fontSize)"))
                assert size >= 9, text.text_content()  # exponents of powers of ten are the smallest
    for table in page.locator("table.dataTable").all():
        assert table.is_visible()
        size = table.locator("td").first.evaluate("one => parseFloat(getComputedStyle(one).fontSize)")
        assert size >= 12
    assert page.evaluate("window.hacked") is None


def test_a_report_opens_without_complaint_or_request(opened):
    check_page(opened)
    said = opened.page.locator("#summary").inner_text()
    assert said.count("are expected to stay unsolved") + said.count("is expected to stay") == 3
    assert EVIL in said  # as text


def test_a_sweep_opens_without_complaint_or_request(opened_sweep):
    check_page(opened_sweep)
    assert opened_sweep.page.locator("table.dataTable").count() == 3


def test_tables_sort(opened):
    table = opened.page.locator("table.dataTable").nth(2)  # problems
    heading = table.locator("thead th", has_text=re.compile(r"^correct$"))
    for order in (1, -1):
        heading.click()
        values = [int(text.replace(",", "")) for text in opened.column(table, "correct")]
        assert len(values) == 15
        assert values == sorted(values, reverse=order < 0)
    assert max(values) > 9  # 10 after 9: as numbers, not as text


def test_figures_show_values_under_the_pointer(opened):
    """The pointer is put on a forecast beyond the attempts made; what is shown is that value."""
    page = opened.page
    chart = page.locator("#chart-0")
    chart.scroll_into_view_if_needed()
    place = chart.evaluate(
        """one => {
            const at = one.data.findIndex(trace => trace.name === 'large'), shown = one.data[at];
            const i = shown.x.length - 2, axes = one._fullLayout;
            return [axes._size.l + axes.xaxis.d2p(shown.x[i]), axes._size.t + axes.yaxis.d2p(shown.y[i]), shown.y[i]];
        }"""
    )
    box = chart.bounding_box()
    page.mouse.move(box["x"] + place[0] - 3, box["y"] + place[1])
    page.mouse.move(box["x"] + place[0], box["y"] + place[1], steps=3)
    shown = chart.locator(".hoverlayer .hovertext")
    shown.first.wait_for(timeout=5000)
    text = shown.first.text_content()
    assert "large" in text
    assert f"{place[2]:.4g}" in text


def test_the_button_shows_failures_on_a_logarithmic_axis(opened):
    chart = opened.page.locator("#chart-0")
    assert chart.evaluate("one => one._fullLayout.yaxis.type") == "linear"
    chart.locator(".updatemenu-button").nth(1).click()
    opened.page.wait_for_function("document.getElementById('chart-0')._fullLayout.yaxis.type === 'log'")
    assert "1 - pass@k" in chart.locator(".ytitle").text_content()
    assert opened.errors == []
    assert lidjax.__version__ in opened.page.locator("#provenance").inner_text()
