"""The report of `lidjax fit`: forecasts of pass@K from evaluation logs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lidjax.evals import EvalFits, TrainingSeries, forecast_curve
from lidjax.report.charts import MOST_SHOWN, Axes, Series, line_chart
from lidjax.report.page import Chart, Page, ReportTable, check_installed, write_page
from lidjax.report.provenance import describe_process

MOST_SENTENCES = 12
"""Groups whose answers are sentences; those of more groups are in a table."""

MOST_POINTS = 3000
"""Problems that are drawn, over all groups."""

Records = list[dict[str, Any]]


def write_fit_report(
    fits: EvalFits,
    path: Path | str,
    *,
    training: Sequence[TrainingSeries] = (),
    column: str = "",
    about: Mapping[str, str] | None = None,
) -> Path:
    """Write the results of `fit_evals` as one HTML file that opens in any browser and needs no network.

    It has the answers in sentences, the findings, figures that show their values under the pointer, tables that can be
    sorted and searched, what the estimators are, and what the numbers were made from. It needs the extra `report`.

    Args:
        fits: Results of `fit_evals`.
        path: File to write; an existing one is replaced.
        training: `fits.training(column)`, for the tail index against training size.
        column: Name of the column of training size.
        about: Names and values of what the numbers were made from, shown at the end, beside the versions of the
            packages; such as the command, the time and the files.

    Returns:
        The path.

    Raises:
        InputError: If the extra is not installed, the folder does not exist, or the path is a folder.

    Example:
        >>> import numpy as np
        >>> import lidjax
        >>> group = lidjax.Group("small", {}, tuple("abcd"), np.full(4, 50), np.array([0, 2, 9, 50]))
        >>> fits = lidjax.fit_evals(lidjax.EvalData((group,), "by hand"), targets=[10, 1000], models=False)
        >>> try:
        ...     path = lidjax.write_fit_report(fits, "report.html")
        ... except lidjax.InputError as error:  # the extra is not installed
        ...     path = None
        >>> path is None or path.read_text().startswith("<!DOCTYPE html>")
        True
    """
    check_installed()
    return write_page(fit_page(fits, training=training, column=column, about=about or {}), path)


def fit_page(
    fits: EvalFits, *, training: Sequence[TrainingSeries], column: str, about: Mapping[str, str]
) -> Page:
    """What the report of `fits` says."""
    found = fits.to_dict()
    groups: Sequence[Mapping[str, Any]] = found["groups"]
    sentences = [f"{group['group']}: {group['answer']['sentence']}" for group in groups]
    if len(groups) == 1:
        sentences = [str(groups[0]["answer"]["sentence"])]
        if fits[0].advice.worthwhile:
            sentences.append(fits[0].advice.sentence)
    if len(groups) > MOST_SENTENCES:
        sentences = [f"{len(groups)} groups; the table of answers has one row for each."]
    charts = [pass_at_k_chart(fits), problems_chart(groups)]
    if training:
        charts.append(training_chart(training, column))
    findings = [(str(group["group"]), str(one["message"])) for group in groups for one in group["findings"]]
    provenance = {
        **about,
        "format of the logs": str(found["format"]),
        **{f"note {i + 1}": note for i, note in enumerate(found["notes"])},
        **describe_process(),
    }
    problems = sum(int(group["problems"]) for group in groups)
    name = str(groups[0]["group"]) if len(groups) == 1 else f"{len(groups)} groups"
    return Page(
        title=f"pass@k of {name}, {problems:,} problems" + (" in all" if len(groups) > 1 else ""),
        summary=sentences,
        findings=findings,
        charts=charts,
        tables=fit_tables(groups, fits.level, training, column),
        methods=methods(groups, fits.level),
        provenance=list(provenance.items()),
    )


def pass_at_k_chart(fits: EvalFits) -> Chart:
    """pass@k of the problems at hand against k."""
    series: list[Series] = []
    for fit in fits:
        curve = forecast_curve(fit)
        values = (curve.k, curve.value, curve.lower, curve.upper, curve.known_k, curve.unbiased)
        series.append(Series(fit.group.name, *(value.tolist() for value in values)))
    axes = Axes(
        "attempts k",
        "pass@k",
        log_x=True,
        y_range=(0.0, 1.02),
        complement="1 - pass@k",
        symbols={"x": "k", "y": "pass@k", "points": "unbiased pass@k"},
    )
    caption = (
        f"Lines are the forecast for these problems with its {fits.level:.0%} interval, points the unbiased values "
        "from the attempts made."
    )
    if len(fits) > MOST_SHOWN:
        caption += f" {MOST_SHOWN} of {len(fits)} groups are shown at first; a click on a name shows or hides a group."
    return Chart("pass@k against attempts", line_chart(series, axes), caption)


def problems_chart(groups: Sequence[Mapping[str, Any]]) -> Chart:
    """The posterior mean of every problem's success rate, sorted."""
    each = max(1, MOST_POINTS // len(groups))
    series: list[Series] = []
    for group in groups:
        rows = sorted(group["per_problem"], key=lambda row: row["rate"], reverse=True)
        chosen = np.unique(np.linspace(0, len(rows) - 1, min(each, len(rows))).round().astype(int)).tolist()
        series.append(
            Series(
                str(group["group"]),
                [i + 1 for i in chosen],
                [rows[i]["rate"] for i in chosen],
                labels=[
                    f"{rows[i]['problem']}: {rows[i]['c']:,} of {rows[i]['n']:,} correct" for i in chosen
                ],
                lines=False,
            )
        )
    caption = (
        "A point is a problem. Rates are posterior means, so problems that were never solved have one too."
    )
    left_out = sum(len(group["per_problem"]) for group in groups) - sum(len(one.x) for one in series)
    if left_out:
        caption += f" {left_out:,} problems are left out, evenly spaced in rank."
    axes = Axes(
        "rank of the problem",
        "success rate of one attempt",
        log_y=True,
        symbols={"x": "rank", "y": "posterior mean of the rate"},
    )
    return Chart("Success rates of the problems", line_chart(series, axes), caption)


def training_chart(training: Sequence[TrainingSeries], column: str) -> Chart:
    """Tail index against training size."""
    series = [
        Series(
            one.series,
            one.sizes.tolist(),
            one.index.tolist(),
            (one.index - one.se).tolist(),
            (one.index + one.se).tolist(),
            one.sizes.tolist(),
            one.index.tolist(),
        )
        for one in training
    ]
    axes = Axes(
        f"training size: {column}", "tail index", log_x=True, symbols={"x": column, "y": "tail index"}
    )
    caption = "Bands are one standard error. " + " ".join(f"{one.series}: {one.verdict}." for one in training)
    return Chart("Tail index against training size", line_chart(series, axes), caption)


def fit_tables(
    groups: Sequence[Mapping[str, Any]], level: float, training: Sequence[TrainingSeries], column: str
) -> list[ReportTable]:
    """The tables over all groups, from the fields that `lidjax fit --json` prints."""
    interval = f"{level:.0%}"
    answers: Records = []
    forecasts: Records = []
    tails: Records = []
    models: Records = []
    following: Records = []
    problems: Records = []
    for group in groups:
        name = {"group": group["group"]}
        counts = {key: group[key] for key in ("problems", "attempts", "solved")}
        answers.append(name | counts | dict(group["answer"]))
        forecasts += [name | dict(row) for row in group["pass_at_k"]]
        tails += [name | dict(row) for row in group["tail_index"]]
        models += [name | dict(row) | {"parameters": words_of(row["parameters"])} for row in group["models"]]
        advice = group["next_attempts"]
        following.append(name | {key: value for key, value in advice.items() if key != "attempts"})
        further = advice["attempts"]
        k = group["answer"]["k"]
        index = [row["k"] for row in group["pass_at_k"]].index(k)
        problems += [
            name | dict(row) | {"solved": row["pass_at_k"][index], "next": further.get(row["problem"], 0)}
            for row in group["per_problem"]
        ]
    tables = [
        ReportTable(
            "Answers",
            {
                "group": "group",
                "problems": "problems",
                "attempts": "attempts",
                "solved": "solved",
                "k": "k",
                "pass_at_k": "pass@k",
                "lower": "from",
                "upper": "to",
                "unsolved": "expected unsolved",
                "unsolved_at": "at attempts",
            },
            answers,
            f"pass@k of these problems with its {interval} interval, and how many problems are expected to be "
            "unsolved.",
        ),
        ReportTable(
            "Forecasts",
            {
                "group": "group",
                "k": "k",
                "unbiased": "unbiased",
                "latent": "these problems",
                "latent_lower": "from",
                "latent_upper": "to",
                "new_problems": "new problems",
                "new_problems_lower": "from ",
                "new_problems_upper": "to ",
                "prediction": "a run of k",
                "lower": " from",
                "upper": " to",
            },
            forecasts,
            f"Three questions, each with its {interval} interval: pass@k of these problems, of as many new problems of "
            "the same kind, and what a run of k attempts at these problems would report.",
        ),
        ReportTable(
            "Problems",
            {
                "group": "group",
                "problem": "problem",
                "n": "attempts",
                "c": "correct",
                "rate": "success rate",
                "solved": "pass@k",
                "next": "next attempts",
            },
            problems,
            "Rates and pass@k are posterior means, at the k of the answer. Next attempts: where further attempts tell "
            "most about pass@k.",
        ),
        ReportTable(
            "What further attempts tell",
            {
                "group": "group",
                "k": "k",
                "lower": "pass@k now from",
                "upper": "to",
                "total": "further attempts",
                "uniform_lower": "spread evenly from",
                "uniform_upper": "to ",
                "placed_lower": "where they tell most from",
                "placed_upper": " to",
            },
            following,
            "The interval of pass@k of these problems now, and as expected after further attempts.",
        ),
        ReportTable(
            "Tail index by estimator",
            {
                "group": "group",
                "estimator": "estimator",
                "value": "tail index",
                "lower": "from",
                "upper": "to",
                "interval": "interval of",
            },
            tails,
            f"The share of problems that are unsolved after k attempts falls like k to the minus tail index; "
            f"{interval} intervals.",
        ),
        ReportTable(
            "Models of the success rates",
            {
                "group": "group",
                "model": "model",
                "log_likelihood": "log likelihood",
                "aic": "AIC",
                "tail_index": "tail index",
                "parameters": "parameters",
                "status": "status",
            },
            models,
            "By maximum likelihood; a smaller AIC is better.",
        ),
        ReportTable(
            "Training axis",
            {"series": "series", "size": column, "tail_index": "tail index", "se": "standard error"},
            [
                {"series": one.series, "size": size, "tail_index": index, "se": se}
                for one in training
                for size, index, se in zip(
                    one.sizes.tolist(), one.index.tolist(), one.se.tolist(), strict=True
                )
            ],
        ),
    ]
    return [table for table in tables if table.records]


def words_of(parameters: Mapping[str, float]) -> str:
    """Parameters as text."""
    return ", ".join(f"{name} {value:.3g}" for name, value in parameters.items())


ESTIMATORS = {
    "slope-log-failure": "minus the slope of log(1 - pass@k) against log k over k from n/10 to n, by least squares "
    "on the unbiased curve",
    "slope-log-log-pass": "b of -log pass@k = a k^-b, by least squares over k up to n",
    "beta-binomial": "a of the Beta(a, b) distribution of success rates that makes the counts most likely",
    "default": "slope of the density of log p far below its knee, under the posterior of the forecasts' model",
}
"""Estimators of the tail index by name."""


def methods(groups: Sequence[Mapping[str, Any]], level: float) -> list[tuple[str, str]]:
    """What the quantities and estimators are."""
    used = dict.fromkeys(row["estimator"] for group in groups for row in group["tail_index"])
    method = ", ".join(dict.fromkeys(str(group["method"]) for group in groups))
    found = [
        (
            "pass@k",
            "the chance that at least one of k attempts at a problem is correct, averaged over the problems: the mean "
            "of 1 - (1-p)^k over their success rates p",
        ),
        (
            "unbiased",
            "from the n attempts made of which c are correct, the mean of 1 - C(n-c, k)/C(n, k) (Chen et al. 2021); "
            "there is none beyond n, nor where the number of attempts depended on their outcomes",
        ),
        (
            f"forecasts: {method}",
            "from a posterior of the success rates of all problems given their counts: the distribution of rates over "
            "the population of problems is uncertain too. Values are posterior medians, intervals hold "
            f"{level:.0%} of the posterior between equal tails",
        ),
        (
            "next attempts",
            "each further attempt goes where it is expected to lower the posterior variance of pass@k most",
        ),
    ]
    return found + [(f"tail index: {name}", ESTIMATORS[name]) for name in used if name in ESTIMATORS]
