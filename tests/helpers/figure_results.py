"""Made-up results of every kind that a figure draws."""

import dataclasses

import numpy as np
import xarray as xr

from lidjax.allocation import AllocationSurface, PhaseMap, SurfacePanel, ThreeWayMap
from lidjax.evals import (
    BacktestForecast,
    EvalData,
    Group,
    GroupFit,
    GroupMetrics,
    MetricCurve,
    PairedComparison,
    TrainingSeries,
    compare_groups,
    fit_evals,
)
from lidjax.features import HumanLabels
from lidjax.fitting import fit_saturation


def distillation_summary(c: float = 0.01, nu: float = 1.0) -> xr.Dataset:
    """Summary of a teacher-student experiment whose fit of Eq. 20 has these c and ν for every target."""
    n, k, targets = np.array([10.0, 100.0, 1000.0]), np.array([1.0, 10.0]), ["truth", "teacher", "fresh"]
    axes, shape = ("target", "n"), (3, 3)
    values = {
        f"{name}{end}": (axes, np.full(shape, value))
        for name in ("greedy_loss", "beta_eff")
        for end, value in (("", 0.5), ("_low", 0.4), ("_high", 0.6))
    }
    parameters = np.broadcast_to([2.0, 1.0, c, nu], (3, 4))
    return xr.Dataset(
        {
            **values,
            "failure": ((*axes, "k"), np.full((*shape, 2), 0.5)),
            "saturation": (("target", "parameter"), parameters),
            "identifiable": (("target", "parameter"), np.ones((3, 4), bool)),
            "fit_status": ("target", np.zeros(3, int)),
        },
        coords={"n": n, "k": k, "target": targets, "parameter": ["beta", "delta", "c", "nu"]},
        attrs={"spec": {"name": "made up", "fit": {"target": "truth"}}, "window": [2, 8]},
    )


N = np.array([20.0, 50.0, 100.0, 316.0, 1000.0, 3162.0, 10_000.0])
SETTINGS = {"beta": 2.5, "alpha": 1.0, "dim": 64, "ridge": 1e-9, "sigma_eta": 1.0, "delta": 0.5}
MODEL = {"difficulty": "gamma", "failure": "quadrature", "proposal": "matched", "num_instances": 1000}


def sweep_results(name: str = "a_sweep", **model: str) -> xr.Dataset:
    """Results of a sweep of the LID model over N, k and two seeds: two tails that cross."""
    k = np.geomspace(1, 1e6, 13)
    lgen = 60 / N
    failure = 0.5 * k ** -SETTINGS["beta"] + 0.4 * (1 + k) ** -(0.3 + 0.1 / lgen[:, None])
    axes = {**{axis: [value] for axis, value in SETTINGS.items()}, "n": N.astype(int), "seed": [0, 1]}
    shape = tuple(len(values) for values in axes.values())
    both = np.array([0.97, 1.03])
    return xr.Dataset(
        {
            "lgen": (list(axes), (lgen[:, None] * both).reshape(shape)),
            "failure": ([*axes, "k"], (failure[:, None] * both[:, None]).reshape(*shape, len(k))),
            "status": (list(axes), np.zeros(shape, int)),
        },
        coords={**axes, "k": k},
        attrs={"kind": "synthetic", "spec": {"name": name, "model": MODEL | model, "grid": {}, "fit": {}}},
    )


def sweep_summary(*, status: int = 0, features: bool = False, low_ess: bool = False) -> xr.Dataset:
    """Summary of one cell of a sweep of the LID model, or of one on real features."""
    data = sweep_results().isel(seed=0, **dict.fromkeys(SETTINGS, 0))
    beta_eff = np.where((N > 999) & low_ess, np.nan, 2.5 - 2 / (1 + (N / 1000) ** 2))
    values = {f"lgen_{end}": data["lgen"] * factor for end, factor in LGEN_ENDS.items()}
    values |= {f"beta_eff{end}": ("n", beta_eff + shift) for end, shift in BETA_ENDS.items()}
    values |= {
        "failure": data["failure"],
        "low_ess": data["failure"] < (1e-3 if low_ess else 0),
        "beta_eff_low_ess": ("n", (N > 999) & low_ess),
        "in_fit": ("n", (N > 96) & ~((N > 999) & low_ess)),
        "saturation": ("parameter", [2.5, 2.0, 1e-6, 2.0]),
        "identifiable": ("parameter", [status == 0] * 4),
        "fit_status": status,
    }
    summary = xr.Dataset(values, coords={"parameter": ["beta", "delta", "c", "nu"]}, attrs=data.attrs)
    summary.attrs["window"] = [10.0, 1000.0]
    if not features:
        return summary
    spec = {"name": "a_sweep_on_features", "features": {"variance_floor": 1e-6}}
    real = {"feature_dim": 64, "noise_variance": 0.5, "spec": spec, "kind": "features"}
    coords = {"scale": 32.0, "delta": 0.05, "ridge": 1e-3}
    return summary.drop_vars(list(SETTINGS)).assign_coords(coords).assign_attrs(real)


LGEN_ENDS = {"low": 0.8, "median": 1.0, "mean": 1.05, "high": 1.3}
BETA_ENDS = {"": 0.0, "_low": -0.1, "_high": 0.1}


def people() -> HumanLabels:
    """Forty images on which people agree less and less."""
    first = np.linspace(1, 0.4, 40)
    probabilities = np.zeros((40, 10))
    probabilities[:, 0], probabilities[:, 9] = first, 1 - first
    images = np.arange(40, dtype=np.uint8)[:, None, None, None] * np.ones((1, 32, 32, 3), np.uint8)
    names = np.array([f"test_{i:05d}" for i in range(40)])
    return HumanLabels(images, probabilities, np.zeros(40, int), names, "1.0.0")


def allocation_surface() -> AllocationSurface:
    """Two smooth surfaces over weight and training size."""
    weight, n = np.geomspace(0.1, 1e3, 7), np.linspace(1, 100, 40)
    total = np.log10(weight[:, None] / n[None, :] + 1 / (101 - n[None, :]) ** 2)
    best = n[np.argmin(total, axis=1)]
    panels = (SurfacePanel(total, best, best + 3.0), SurfacePanel(total - 1, best - 1.0, best - 2.0))
    return AllocationSurface(
        200.0, 2.0, weight, n, 101 - n, *panels, best / (best - 1), "median of the sweep"
    )


def phase() -> PhaseMap:
    """The three kinds of optimum in a plane of budget and weight."""
    budgets, weights = np.geomspace(10, 1e4, 8), np.geomspace(1e-4, 1e4, 9)
    share = 1 / (1 + np.sqrt(budgets)[:, None] / (30 * weights[None, :] ** 0.5))
    kind = np.where(share > 0.95, "all_training", np.where(share < 0.05, "all_inference", "interior"))
    return PhaseMap(budgets, weights, kind, share)


def three_ways() -> ThreeWayMap:
    """Plans over 8 budgets and 6 numbers of queries, with the kinds of answer that a map may have."""
    budget, queries = np.geomspace(1e3, 1e9, 8), np.geomspace(1, 1e5, 6)
    width = 4 * (budget[:, None] / 1e3) ** 0.25 / queries[None, :] ** 0.05
    share = 0.98 * (1 - queries[None, :] / 2e5) * budget[:, None] ** 0.1 / 8
    n = share * budget[:, None] / width
    buys = np.where(share > 0.6, "data", np.where(width > 30, "model", "attempts"))
    ratio = queries[None, :] ** 0.1
    return ThreeWayMap(
        budget, queries, width, n, n, n, 1 / n, share, buys, n / np.sqrt(ratio), width * np.sqrt(ratio)
    )


def regrets() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Budgets, and what five rules lose at each."""
    budgets = np.geomspace(10, 1e5, 6)
    rules = ("eq24", "eq24_prefactor", "quasi_static", "constant_beta", "saturated")
    return budgets, {rule: np.array([1, 0.3, 0.1, 0.0, 0.01, 0.02]) * 5.0**i for i, rule in enumerate(rules)}


def evaluation_fits(groups: int = 9) -> list[GroupFit]:
    """The fit of one group under several long names, one more than a figure shows."""
    rng = np.random.default_rng(0)
    group = Group("one", {}, tuple("abcdefghij"), np.full(10, 50), rng.binomial(50, rng.beta(0.4, 3, 10)))
    data = EvalData((group,), "by hand")
    (fit,) = fit_evals(data, targets=[10_000])
    names = [f"a-model-{i}B_checkpoint params=1.4e+0{i} tokens=2e+11" for i in range(groups)]
    return [fit._replace(group=dataclasses.replace(group, name=name)) for name in names]


def training_series() -> list[TrainingSeries]:
    """Three series: Eq. 20 fitted and determined, fitted and open, and not fitted."""
    sizes = np.geomspace(1e8, 1e10, 6)
    index = 0.6 - 0.3 / (1 + (sizes / 1e9) ** 2)
    determined = fit_saturation(sizes, index)
    left_open = determined._replace(status=np.int32(1), identifiable=np.zeros(4, bool))
    return [
        TrainingSeries(f"params={i}", sizes, tuple("abcdef"), index + i / 10, index / 20, 0.5, 0.01, fit, "")
        for i, fit in enumerate((determined, left_open, None))
    ]


def backtest_forecasts() -> list[BacktestForecast]:
    """Four methods, of which one has intervals, on three groups and two seeds."""
    return [
        BacktestForecast(f"g{group}", seed, 100, 3000, method, guess, guess - width, guess + width, truth)
        for method, bias, width in (("default", 0.0, 0.1), ("least-squares", -0.1, np.nan),
                                    ("beta-binomial", 0.05, np.nan), ("discretised-beta", 0.1, np.nan))
        for group, truth in enumerate((0.1, 0.5, 0.8))
        for seed in range(2)
        for guess in [truth + bias + 0.05 * seed]
    ]  # fmt: skip


def two_models() -> PairedComparison:
    """Two models on 30 problems; the second is better at small k."""
    names, n = tuple(f"q{i}" for i in range(30)), np.full(30, 40)
    counts = np.full(30, 4), np.where(np.arange(30) < 14, 30, 0)
    groups = [
        Group(name, {}, names, n, c) for name, c in zip(("a_model", "another_model"), counts, strict=True)
    ]
    return compare_groups(*groups, targets=[1000], draws=100, replicates=100)


def group_metrics() -> list[GroupMetrics]:
    """All metrics of two groups, with limits, unbiased values at small k, and tokens."""
    k = np.array([1.0, 10.0, 100.0])

    def curve(metric: str, start: float, slope: float, limit: float | None = None) -> MetricCurve:
        value = start * k**slope
        known = np.where(k < 50, value, np.nan)
        at = k
        if limit is not None:
            at, value, known = (
                np.append(part, end) for part, end in ((k, np.inf), (value, limit), (known, np.nan))
            )
        return MetricCurve(metric, at, known, value, 0.9 * value, 1.1 * value, "these problems")

    return [
        GroupMetrics(
            name,
            0.9,
            [
                curve("pass^k", start, -0.2),
                curve("G-pass@k(0.5)", start, -0.1, start / 2),
                curve("pass@k", start, 0.15),
                curve("attempts", 1.0, 0.5),
                curve("tokens", 300.0, 0.5),
                curve("maj@k", start, 0.1, 0.8),
                curve("verified pass@k", start, 0.1, 0.7),
            ],
            [],
        )
        for name, start in (("a_model", 0.3), ("another_model", 0.4))
    ]
