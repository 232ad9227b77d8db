"""What `lidjax distill` prints: students by N and target, the fit of Eq. 20, trends over N, teachers side by side."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from lidjax.cli.render.output import Table, print_json, print_lines, print_paths, print_table

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

    from lidjax.distill import TeacherReport
    from lidjax.evals import TrainingSeries

WITH_INTERVALS = ("greedy_loss", "beta_eff", "train_loss", "heldout_loss", "lgen")
"""Variables of a summary that have the ends `_low` and `_high` of an interval."""
TARGET_TITLES = {
    "truth": "attempts against the ground truth",
    "teacher": "attempts against one answer of the teacher",
    "fresh": "the greedy answer against fresh answers of the teacher",
}
PARAMETERS = (("beta", "β"), ("delta", "Δ"), ("c", "c"), ("nu", "ν"))
"""Parameters of Eq. 20, by name and by symbol."""


def print_results(
    data: "xr.Dataset",
    summary: "xr.Dataset",
    others: "dict[str, np.ndarray]",
    as_json: bool,
    figures: list[str],
    extra: dict[str, Any],
    *,
    command: str = "distill",
) -> list[Table]:
    """Print everything measured, as tables or as JSON; `others` are answers of further teachers, by name.

    Returns the tables for files.
    """
    from lidjax.distill import report_teacher, training_of

    teachers = [report_teacher("this teacher", data["teacher_answer"].values, data["truth"].values)]
    teachers += [report_teacher(name, answers) for name, answers in others.items()]
    main = data.attrs["spec"]["fit"]["target"]
    training = training_of(data, main)
    records = {
        target: target_record(summary.sel(target=target)) for target in summary["target"].values.tolist()
    }
    tables = [
        _target_table(t, records[t], summary.attrs) for t in sorted(records, key=lambda name: name != main)
    ]
    students = Table("students", (), [], [record for table in tables for record in table.records])
    if as_json:
        found = {
            "figures": figures,
            "window": summary.attrs["window"],
            "targets": records,
            "default_model": [_training_record(series) for series in training],
            "teachers": [_teacher_record(teacher) for teacher in teachers],
        }
        print_json(command, extra | found)
        return [*tables, students]
    for table in tables:
        print_table(table)
    for series in training:
        index = ", ".join(f"{x:.3f} ± {se:.3f}" for x, se in zip(series.index, series.se, strict=True))
        print_lines([f"`lidjax fit` on these counts ({main}): tail index {index}; {series.verdict}"])
    print_table(_teachers_table(teachers))
    print_paths(figures)
    return [*tables, students]


def target_record(part: "xr.Dataset") -> dict[str, Any]:
    """The summary of one target as plain numbers."""
    chosen_k = part["at_k"].values.tolist()
    rows: list[dict[str, Any]] = []
    for n in part["n"].values.tolist():
        of_n = part.sel(n=n)
        row: dict[str, Any] = {"n": n}
        for name in WITH_INTERVALS:
            row |= {f"{name}{end}": of_n[f"{name}{end}"].item() for end in ("", "_low", "_high")}
        row["beta_eff_low_ess"] = of_n["beta_eff_low_ess"].item()
        row["beta_eff_seed"] = of_n["beta_eff_seed"].values.tolist()
        row["pass_at_k"] = {f"{k:g}": 1 - of_n["failure"].sel(k=k).item() for k in chosen_k}
        rows.append(row)
    return {
        "rows": rows,
        "saturation": {
            name: {
                "value": part["saturation"].sel(parameter=name).item(),
                "se": part["saturation_se"].sel(parameter=name).item(),
                "identifiable": part["identifiable"].sel(parameter=name).item(),
            }
            for name in part["parameter"].values.tolist()
        },
        "fit_status": part["fit_status"].item(),
        "reading": {
            name: part["reading"].sel(quantity=name).values.tolist()
            for name in part["quantity"].values.tolist()
        },
        "teacher_beta_eff": part["teacher_beta_eff"].values.tolist(),
        "passk_slope": {f"{k:g}": part["passk_slope"].sel(at_k=k).values.tolist() for k in chosen_k},
    }


def _target_table(target: str, record: dict[str, Any], attrs: Mapping[Any, Any]) -> Table:
    """The table of one target, and what is said below it."""
    low, high = attrs["window"]
    title = f"{attrs['spec']['name']}, {target}: {TARGET_TITLES[target]}; window k = {low:,g} to {high:,g}"
    shown_k = list(record["rows"][0]["pass_at_k"])[1:]  # pass@1 is left to the JSON
    rows: list[tuple[str, ...]] = []
    for row in record["rows"]:
        greedy_loss, beta_eff = (
            f"{row[name]:.3f} ({row[f'{name}_low']:.3f}, {row[f'{name}_high']:.3f})"
            for name in ("greedy_loss", "beta_eff")
        )
        passed = (f"{row['pass_at_k'][k]:.3f}" for k in shown_k)
        beta_eff += " †" if row["beta_eff_low_ess"] else ""
        rows.append((f"{row['n']:,}", f"{row['lgen']:.2f}", greedy_loss, *passed, beta_eff))
    return Table(
        target,
        ("N", "L_gen", "greedy loss (95 %)", *(f"pass@{k}" for k in shown_k), "β_eff (95 %)"),
        rows,
        [
            {"target": target, **{k: v for k, v in row.items() if not isinstance(v, list)}}
            for row in record["rows"]
        ],
        title,
        _notes(record),
    )


def _notes(record: dict[str, Any]) -> list[str]:
    """The fit of Eq. 20 and the trends over N of one target, in sentences."""
    from lidjax import describe_status

    fit = ", ".join(
        f"{symbol} = {record['saturation'][name]['value']:.3g} ± {record['saturation'][name]['se']:.2g}"
        + ("" if record["saturation"][name]["identifiable"] else " (not determined)")
        for name, symbol in PARAMETERS
    )
    trend = {name: with_interval(values) for name, values in record["reading"].items()}
    few = any(row["beta_eff_low_ess"] for row in record["rows"])
    notes = ["† rests on fewer than 30 of the questions at some k of the window"] if few else []
    notes += [
        f"Eq. 20, β_eff = β - Δ/(1 + c N^ν): {fit}",
        f"  status: {describe_status(record['fit_status'])}",
        f"  β_eff rises by {trend['rise']} from the smallest to the largest N; a decade of N adds {trend['early']} in "
        f"the lower half and {trend['late']} in the upper, a difference of {trend['bend']}; the last step is "
        f"{trend['last']}",
    ]
    of_teacher = record["teacher_beta_eff"]
    if of_teacher[1] == of_teacher[1]:  # not NaN
        notes.append(
            f"  a student that had become its teacher would have β_eff = {with_interval(of_teacher)}"
        )
    slopes = ", ".join(f"{with_interval(values)} at k = {k}" for k, values in record["passk_slope"].items())
    notes.append(
        f"  against L_gen: log β_eff has slope {trend['gamma_slope']}, log(-log L_inf) {slopes}; -1 in Eq. 18"
    )
    return notes


def with_interval(values: list[float]) -> str:
    """An estimate with its interval; `values` are the lower end, the estimate and the upper end."""
    low, estimate, high = values
    return f"{estimate:.3f} ({low:.3f}, {high:.3f})"


def _teachers_table(teachers: "list[TeacherReport]") -> Table:
    """A table with a column for each teacher."""
    show: dict[str, Callable[[TeacherReport], str]] = {
        "questions x draws": lambda t: f"{t.questions} x {t.draws}",
        "right": lambda t: f"{t.right:.2f}" if t.right == t.right else "",  # NaN where it is not known
        "no number": lambda t: f"{t.no_number:.2f}",
        "unanimous": lambda t: f"{t.unanimous:.2f}",
        "two draws differ: 10, 25, 50, 75, 90 %": lambda t: " ".join(f"{x:.2f}" for x in t.disagreement),
    }
    rows = {name: [value(teacher) for teacher in teachers] for name, value in show.items()}
    for i, teacher in enumerate(teachers):
        tails = [(f"spread: Hill, top {tail.share:.0%}", tail) for tail in teacher.spread_tail]
        tails += [(f"agreement: {tail.estimator}", tail) for tail in teacher.agreement_tail]
        for name, tail in tails:
            rows.setdefault(name, [""] * len(teachers))[i] = with_interval(
                [tail.lower, tail.value, tail.upper]
            )
    return Table(
        "teachers",
        ("", *(teacher.name for teacher in teachers)),
        [(name, *cells) for name, cells in rows.items()],
        [_teacher_record(teacher) for teacher in teachers],
        "teachers against themselves",
        left=("",),
    )


def _teacher_record(teacher: "TeacherReport") -> dict[str, Any]:
    """The report of one teacher as plain numbers."""
    tails = {
        "spread_tail": [tail._asdict() for tail in teacher.spread_tail],
        "agreement_tail": [tail._asdict() for tail in teacher.agreement_tail],
    }
    return teacher._asdict() | tails


def _training_record(series: "TrainingSeries") -> dict[str, Any]:
    """The tail index of the default model against N as plain numbers."""
    return {
        "training_size": series.sizes.tolist(),
        "tail_index": series.index.tolist(),
        "se": series.se.tolist(),
        "p_falls": series.p_falls,
        "p_flat": series.p_flat,
        "verdict": series.verdict,
    }
