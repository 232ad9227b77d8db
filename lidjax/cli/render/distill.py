"""What `lidjax distill` prints: students by N and target, Eq. 20, the LID readings, teachers side by side."""

from typing import TYPE_CHECKING, Any

from lidjax.cli.render.output import table_console, to_json

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

    from lidjax.distill import TeacherReport
    from lidjax.evals import TrainingSeries

ROW = ("greedy_loss", "beta_eff")
LOSSES = ("train_loss", "heldout_loss", "lgen")
TARGETS = {
    "truth": "attempts against the ground truth",
    "teacher": "attempts against one answer of the teacher",
    "fresh": "the greedy answer against fresh answers of the teacher",
}


def print_results(
    data: "xr.Dataset",
    summary: "xr.Dataset",
    others: "dict[str, np.ndarray]",
    as_json: bool,
    figures: list[str],
    extra: dict[str, Any],
) -> None:
    """Everything measured, as tables or as JSON."""
    from lidjax.distill import report_teacher, training_of

    teachers = [report_teacher("this teacher", data["teacher_answer"].values, data["truth"].values)]
    teachers += [report_teacher(name, answers) for name, answers in others.items()]
    main = data.attrs["spec"]["fit"]["target"]
    training = training_of(data, main)
    blocks = {target: block(summary.sel(target=target)) for target in summary["target"].values.tolist()}
    if as_json:
        found = {
            "figures": figures,
            "window": summary.attrs["window"],
            "targets": blocks,
            "default_model": [_training_dict(line) for line in training],
            "teachers": [_teacher_dict(teacher) for teacher in teachers],
        }
        print(to_json(extra | found))
        return
    console = table_console()
    order = [main, *(target for target in blocks if target != main)]
    for target in order:
        _print_block(target, blocks[target], summary, console)
    for line in training:
        index = ", ".join(f"{x:.2f} ± {se:.2f}" for x, se in zip(line.index, line.se, strict=True))
        console.print(
            f"`lidjax fit` on these counts ({main}): tail index {index}; {line.verdict}", highlight=False
        )
    _print_teachers(teachers, console)
    for path in figures:
        console.print(path, highlight=False)


def block(part: "xr.Dataset") -> dict[str, Any]:
    """One target as plain numbers."""
    chosen = part["at_k"].values.tolist()
    rows = []
    for n in part["n"].values.tolist():
        own = part.sel(n=n)
        row: dict[str, Any] = {"n": n}
        for name in (*ROW, *LOSSES):
            row |= {f"{name}{end}": own[f"{name}{end}"].item() for end in ("", "_low", "_high")}
        row["beta_eff_seed"] = own["beta_eff_seed"].values.tolist()
        row["pass_at_k"] = {f"{k:g}": 1 - own["failure"].sel(k=k).item() for k in chosen}
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
        "passk_slope": {f"{k:g}": part["passk_slope"].sel(at_k=k).values.tolist() for k in chosen},
    }


def _print_block(target: str, found: dict[str, Any], summary: "xr.Dataset", console: Any) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from lidjax.fitting import describe_status

    low, high = summary.attrs["window"]
    title = f"{summary.attrs['spec']['name']}, {target}: {TARGETS[target]}; window k = {low:g} to {high:g}"
    table = Table(title=title, box=SIMPLE_HEAD)
    passed = list(found["rows"][0]["pass_at_k"])[1:]
    for column in ("N", "L_gen", "greedy loss (95 %)", *(f"pass@{k}" for k in passed), "β_eff (95 %)"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in found["rows"]:
        bands = [
            f"{row[name]:.2f} ({row[f'{name}_low']:.2f}, {row[f'{name}_high']:.2f})"
            for name in ("greedy_loss", "beta_eff")
        ]
        passes = (f"{row['pass_at_k'][k]:.3f}" for k in passed)
        table.add_row(f"{row['n']:,}", f"{row['lgen']:.2f}", bands[0], *passes, bands[1])
    console.print(table)
    fit = ", ".join(
        f"{symbol} = {found['saturation'][name]['value']:.3g} ± {found['saturation'][name]['se']:.2g}"
        + ("" if found["saturation"][name]["identifiable"] else " (not determined)")
        for name, symbol in (("beta", "β"), ("delta", "Δ"), ("c", "c"), ("nu", "ν"))
    )
    console.print(f"Eq. 20, β_eff = β - Δ/(1 + c N^ν): {fit}", highlight=False)
    console.print(f"  status: {describe_status(found['fit_status'])}", highlight=False)
    reading = {name: interval(values) for name, values in found["reading"].items()}
    console.print(
        f"  β_eff rises by {reading['rise']} from the smallest to the largest N; a decade of N adds "
        f"{reading['early']} in the lower half and {reading['late']} in the upper, a difference of {reading['bend']}; "
        f"the last step is {reading['last']}",
        highlight=False,
    )
    if found["teacher_beta_eff"][1] == found["teacher_beta_eff"][1]:
        console.print(
            f"  a student that had become its teacher would have β_eff = {interval(found['teacher_beta_eff'])}",
            highlight=False,
        )
    slopes = ", ".join(f"{interval(values)} at k = {k}" for k, values in found["passk_slope"].items())
    console.print(
        f"  against L_gen: log β_eff has slope {reading['gamma_slope']}, log(-log L_inf) {slopes}; -1 in Eq. 18",
        highlight=False,
    )


def interval(values: list[float]) -> str:
    low, middle, high = values
    return f"{middle:.3f} ({low:.3f}, {high:.3f})"


def _print_teachers(teachers: "list[TeacherReport]", console: Any) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title="teachers against themselves", box=SIMPLE_HEAD)
    columns = [("questions x draws", lambda t: f"{t.questions} x {t.draws}")]
    columns += [("right", lambda t: f"{t.right:.2f}" if t.right == t.right else "")]
    columns += [("no number", lambda t: f"{t.no_number:.2f}"), ("unanimous", lambda t: f"{t.unanimous:.2f}")]
    columns += [
        ("two draws differ: 10, 25, 50, 75, 90 %", lambda t: " ".join(f"{x:.2f}" for x in t.disagreement))
    ]
    rows: dict[str, list[str]] = {name: [value(t) for t in teachers] for name, value in columns}
    for i, teacher in enumerate(teachers):
        for tail in teacher.spread_tail:
            cells = rows.setdefault(f"spread: Hill, top {tail.share:.0%}", [""] * len(teachers))
            cells[i] = interval([tail.lower, tail.value, tail.upper])
        for tail in teacher.agreement_tail:
            cells = rows.setdefault(f"agreement: {tail.estimator}", [""] * len(teachers))
            cells[i] = interval([tail.lower, tail.value, tail.upper])
    table.add_column("")
    for teacher in teachers:
        table.add_column(teacher.name, justify="right")
    for name, cells in rows.items():
        table.add_row(name, *cells)
    console.print(table)


def _teacher_dict(teacher: "TeacherReport") -> dict[str, Any]:
    tails = {
        name: [tail._asdict() for tail in getattr(teacher, name)]
        for name in ("spread_tail", "agreement_tail")
    }
    return teacher._asdict() | tails


def _training_dict(line: "TrainingSeries") -> dict[str, Any]:
    return {
        "training_size": line.sizes.tolist(),
        "tail_index": line.index.tolist(),
        "se": line.se.tolist(),
        "p_falls": line.p_falls,
        "p_flat": line.p_flat,
        "verdict": line.verdict,
    }
