"""Tables as files: CSV with every digit for programs, LaTeX as printed for papers."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lidjax.cli.render.output import Table
from lidjax.errors import InputError

MATHS = {
    "β_eff": r"$\beta_{\mathrm{eff}}$",
    "σ_η": r"$\sigma_\eta$",
    "L_gen": r"$\mathcal{L}_{\mathrm{gen}}$",
    "L_inf": r"$\mathcal{L}_{\mathrm{inf}}$",
    "L_tot": r"$\mathcal{L}_{\mathrm{tot}}$",
    "α": r"$\alpha$",
    "β": r"$\beta$",
    "γ": r"$\gamma$",
    "δ": r"$\delta$",
    "Δ": r"$\Delta$",
    "ν": r"$\nu$",
    "ξ": r"$\xi$",
    "ρ": r"$\rho$",
    "σ": r"$\sigma$",
    "τ": r"$\tau$",
    "±": r"$\pm$",
    "→": r"$\to$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "∞": r"$\infty$",
    "²": "$^2$",
    "\N{COMBINING TILDE}": "",
}
SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{c: f"\\{c}" for c in "&%$#_{}"},
}
_TOKENS = re.compile(
    r"(?P<power>(?P<mantissa>\d[\d.]*)e(?P<exponent>[+-]?\d+))|(?P<maths>"
    + "|".join(map(re.escape, MATHS))
    + r")|(?P<special>["
    + re.escape("".join(SPECIAL))
    + "])"
)


def write_tables(tables: Sequence[Table], *, csv_file: Path | None, latex_file: Path | None) -> list[str]:
    """Write tables to the files that were asked for; returns their paths.

    A CSV file holds one table. The first goes to `csv_file`, each further one beside it, its name at the end. A LaTeX
    file holds all that people are shown. A table without rows is for CSV alone, one without records for LaTeX.
    """
    written: list[str] = []
    numbers = [table for table in tables if table.records]
    try:
        if csv_file is not None:
            for i, table in enumerate(numbers):
                path = (
                    csv_file
                    if i == 0
                    else csv_file.with_name(f"{csv_file.stem}-{table.name}{csv_file.suffix}")
                )
                path.write_text(to_csv(table.records), encoding="utf-8", newline="")
                written.append(str(path))
        if latex_file is not None:
            latex_file.write_text(
                "\n".join(to_latex(table) for table in tables if table.rows), encoding="utf-8"
            )
            written.append(str(latex_file))
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be written: {error.strerror}") from None
    return written


def to_csv(records: Sequence[Mapping[str, Any]]) -> str:
    """Records as CSV: a column for each field that any of them has, nested fields joined by dots."""
    flat = [_flatten(record) for record in records]
    fields = list(dict.fromkeys(name for record in flat for name in record))
    text = io.StringIO()
    writer = csv.DictWriter(text, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()


def _flatten(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def to_latex(table: Table) -> str:
    """A table as LaTeX, with booktabs' rules; the title is its caption."""
    align = "".join("l" if name in table.left else "r" for name in table.columns)
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        *([rf"\caption{{{latex(table.title)}}}"] if table.title else []),
        rf"\begin{{tabular}}{{{align}}}",
        r"\toprule",
        _latex_row(table.columns),
        r"\midrule",
        *map(_latex_row, table.rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _latex_row(cells: Sequence[str]) -> str:
    return " & ".join(latex(cell.strip()) for cell in cells) + r" \\"


def latex(text: str) -> str:
    """Text as LaTeX: its special characters escaped, Greek letters and powers of ten as mathematics."""

    def replaced(found: re.Match[str]) -> str:
        if found["power"]:
            return rf"${found['mantissa']}\times10^{{{int(found['exponent'])}}}$"
        return MATHS[found["maths"]] if found["maths"] else SPECIAL[found["special"]]

    return _TOKENS.sub(replaced, text)
