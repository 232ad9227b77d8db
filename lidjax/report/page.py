"""One self-contained HTML file: sentences first, then findings, figures, tables, methods and provenance.

Figures are Plotly's and tables DataTables' (through itables); both libraries are written into the file, so that it
needs no network. Names from logs are text of strangers: everything that goes into the page is escaped.
"""

import importlib.util
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lidjax.errors import InputError

if TYPE_CHECKING:
    from plotly.graph_objects import Figure  # pyright: ignore[reportMissingImports]

NEEDED = ("plotly", "itables", "jinja2")
"""Packages of the extra `report`."""

MOST_ROWS = 5000
"""Rows of a table beyond which it is cut, because a browser becomes slow."""

CONFIG = {"responsive": True, "displaylogo": False, "modeBarButtons": [["toImage", "resetScale2d"]]}
"""Plotly's options for all figures: beside what the pointer shows, a picture can be saved and the zoom undone."""

MISSING = (r"\"NaN\", \"___NaN___\"", r"\"–\", \"___NaN___\"")
"""How itables writes a missing number, and how it is shown; it still sorts as a missing one."""


@dataclass(frozen=True)
class ReportTable:
    """A table that the reader can sort and search."""

    title: str
    columns: Mapping[str, str]
    """Keys of the records, and the heading of each column."""
    records: Sequence[Mapping[str, Any]]
    """The rows: numbers, text, or None where there is no value."""
    note: str = ""
    """What the columns mean."""


@dataclass(frozen=True)
class Chart:
    """A figure that shows its values under the pointer."""

    title: str
    figure: "Figure"
    caption: str = ""
    """What is drawn, in whole sentences."""


@dataclass(frozen=True)
class Page:
    """What a report says, in the order in which it is read."""

    title: str
    summary: Sequence[str]
    """The answer, in sentences."""
    findings: Sequence[tuple[str, str]]
    """(what it is about, message) of everything that may be wrong."""
    charts: Sequence[Chart]
    tables: Sequence[ReportTable]
    methods: Sequence[tuple[str, str]]
    """(name of an estimator or quantity, what it is)."""
    provenance: Sequence[tuple[str, str]]
    """(name, value) of what the numbers were made from and with."""


def check_installed() -> None:
    """Raise InputError unless the packages of the extra are installed."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f"a report needs {', '.join(missing)}: pip install 'lidjax[report]'")


def write_page(page: Page, path: Path | str) -> Path:
    """Write a page as one HTML file. The file is complete or not there: it is written under another name first."""
    path = Path(path)
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(
            f"{path}: {'a folder' if path.is_dir() else 'its folder does not exist'}; name a file"
        )
    text = render(page)
    handle, partial = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(partial, 0o644)
        os.replace(partial, path)
    except BaseException:
        os.unlink(partial)
        raise
    return path


def render(page: Page) -> str:
    """The page as HTML, with everything that it needs inside."""
    check_installed()
    import jinja2  # pyright: ignore[reportMissingImports]
    from markupsafe import Markup  # pyright: ignore[reportMissingImports]
    from plotly.offline import get_plotlyjs  # pyright: ignore[reportMissingImports]

    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(
        resources.files("lidjax.report").joinpath("page.html.j2").read_text("utf-8")
    )
    return template.render(
        page=page,
        charts=[(chart, Markup(chart_html(chart, f"chart-{i}"))) for i, chart in enumerate(page.charts)],
        tables=[(table, Markup(table_html(table, f"table-{i}"))) for i, table in enumerate(page.tables)],
        cut={table.title: len(table.records) for table in page.tables if len(table.records) > MOST_ROWS},
        most_rows=MOST_ROWS,
        plotly_js=Markup(get_plotlyjs()),
        tables_js=Markup(tables_javascript()),
    )


def chart_html(chart: Chart, name: str) -> str:
    """The element of a figure, without the library."""
    from plotly.io import to_html  # pyright: ignore[reportMissingImports]

    return to_html(
        chart.figure,
        full_html=False,
        include_plotlyjs=False,
        div_id=name,
        config=CONFIG,
        default_width="100%",
        default_height="100%",
    )


def table_html(table: ReportTable, name: str) -> str:
    """The element of a table, without the library."""
    import pandas as pd
    from itables import to_html_datatable  # pyright: ignore[reportMissingImports]

    rows = table.records[:MOST_ROWS]
    frame = pd.DataFrame(
        {heading: numbers_as_floats([row.get(key) for row in rows]) for key, heading in table.columns.items()}
    )
    with pd.option_context("display.float_format", format_number):
        element = to_html_datatable(
            frame,
            connected=False,
            table_id=name,
            allow_html=False,
            showIndex=False,
            classes="display compact",
            style="width:100%",
            order=[],
            text_in_header_can_be_selected=False,  # so that a click on the heading sorts
            pageLength=15,
            lengthMenu=[15, 50, 250],
            maxBytes=0,
            maxRows=0,
            maxColumns=0,
        )
    return element.replace(*MISSING)


def numbers_as_floats(values: Sequence[Any]) -> list[Any]:
    """Numbers as floats, so that all are formatted alike; None as NaN among them. Other values as they are."""
    if not all(
        value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values
    ):
        return list(values)
    return [float("nan") if value is None else float(value) for value in values]


def format_number(value: float) -> str:
    """A number with four significant digits; a whole one with all of them."""
    return f"{value:,.0f}" if value == round(value) and abs(value) < 1e15 else f"{value:.4g}"


@cache
def tables_javascript() -> str:
    """The element that holds the library of the tables."""
    from itables import options  # pyright: ignore[reportMissingImports]
    from itables.javascript import generate_init_offline_itables_html  # pyright: ignore[reportMissingImports]

    return generate_init_offline_itables_html(options.dt_bundle)
