"""Which law does a pass@k curve follow at finite training size, and is Eq. 18 right?

Compared: exact curves L_inf(k) at fixed v = L_gen/σ² (no sampling noise) under the Gamma prior of the paper and under a
bounded one of the same index; four laws fitted over a window of k and judged beyond it. `holdout` is the root mean
square of log(curve/law) over a window that the fit has not seen, the only honest judge of a deterministic curve:
AIC differences are shown too, but grow in proportion to the number of points. Then Eq. 18, γ ∝ 1/L_gen: the
regression of log γ on log L_gen, for γ fitted with β free and with β given, for the local exponent at the window's
end, and for σ²/L_gen itself (slope -1 by construction) as a control.

    python benchmarks/laws_evidence.py [--json] [--beta 2.5] [--delta 0.05]
"""

import argparse
import json

import jax

jax.config.update("jax_enable_x64", True)

import numpy as np  # noqa: E402

from lidjax.fitting import (  # noqa: E402
    LAWS,
    FitStatus,
    compare_laws,
    effective_exponent,
    fit_two_tail,
    gamma_scaling,
    preferred_law,
)
from lidjax.laws import finite_n_exponent, limiting_exponent, log_crossover_k  # noqa: E402
from lidjax.passk import pass_at_k_failure  # noqa: E402

WINDOWS = (((1e2, 1e6), (1e6, 1e8)), ((1e8, 1e12), (1e12, 1e14)))  # fitted, and held out
K = np.geomspace(1, 1e14, 113)  # eight a decade
V = np.geomspace(0.05, 4, 10)  # L_gen/σ², σ = 1


def slope(gamma, error, keep):
    """The regression of log γ on log v over the curves in `keep`, as plain numbers."""
    fit = gamma_scaling(V, np.where(keep, gamma, np.nan), error)
    fields = ("slope", "lower", "upper", "num_points", "birge", "admits_inverse", "admits_inverse_root")
    return {name: np.asarray(getattr(fit, name)).item() for name in fields}


def evidence(difficulty, window, holdout, beta, delta):
    """Every number of one prior and one window."""
    model = {"beta": beta, "delta": delta, "sigma_eta": 1.0, "difficulty": difficulty}
    failure = pass_at_k_failure(K[None, :], V[:, None], log=True, **model)
    compared = compare_laws(K, failure, window=window, holdout=holdout, log=True)
    free = fit_two_tail(K, failure, window=window, log=True)
    given = fit_two_tail(K, failure, window=window, log=True, beta=beta)
    end = effective_exponent(K, failure, window=(window[1] / 10, window[1]), log=True)
    separated = np.asarray(free.status) <= FitStatus.NOT_IDENTIFIABLE
    apart = (np.asarray(given.status) == FitStatus.OK) & (np.asarray(given.gamma) < 0.95 * beta)
    claim = np.asarray(finite_n_exponent(V, 1.0))
    aic = np.asarray(compared.aic)
    curves = {
        "v": V,
        "log10_k_c": np.asarray(log_crossover_k(V, **model)) / np.log(10),
        "end_exponent": end.beta_eff,
        "eq_19": limiting_exponent(beta, claim),
        "beta_free": free.beta,
        "gamma_free": free.gamma,
        "gamma_free_se": free.gamma_se,
        "status_free": [FitStatus(int(code)).name for code in np.asarray(free.status)],
        "gamma_given": given.gamma,
        "gamma_given_se": given.gamma_se,
        "status_given": [FitStatus(int(code)).name for code in np.asarray(given.status)],
        "rms": compared.rms,
        "holdout": compared.holdout_rms,
        "delta_aic": aic - np.nanmin(aic, axis=1, keepdims=True),
        "preferred": preferred_law(compared, "holdout_rms"),
    }
    scaling = {
        "gamma, beta free": slope(free.gamma, free.gamma_se, separated),
        "gamma, beta given": slope(given.gamma, given.gamma_se, apart),
        "exponent at the end": slope(end.beta_eff, None, np.asarray(end.beta_eff) < 0.9 * beta),
        "control 1/v": slope(claim, None, claim > 0),
    }
    return {name: np.asarray(value).tolist() for name, value in curves.items()}, scaling


def show(difficulty, window, holdout, curves, scaling):
    print(f"\n{difficulty} prior, window {window[0]:.0e}..{window[1]:.0e}, held out to {holdout[1]:.0e}")
    print(
        "     v  lg k_c  slope  Eq.19 | β free  γ free ± se       | γ given β ± se   | held-out rms: "
        + "  ".join(LAWS)
    )
    for i, v in enumerate(curves["v"]):
        held = "  ".join(f"{value:8.1e}" for value in curves["holdout"][i])
        free = f"{curves['beta_free'][i]:6.2f}  {curves['gamma_free'][i]:6.3f} ± {curves['gamma_free_se'][i]:.1g}"
        given = f"{curves['gamma_given'][i]:6.3f} ± {curves['gamma_given_se'][i]:.1g}"
        print(
            f"{v:6.3f} {curves['log10_k_c'][i]:7.2f} {curves['end_exponent'][i]:6.3f} {curves['eq_19'][i]:6.2f} |"
            f" {free:<23} | {given:<16} | {held}  {curves['preferred'][i]}"
        )
    for name, fit in scaling.items():
        verdict = "admits -1" if fit["admits_inverse"] else "excludes -1"
        print(
            f"  d log γ/d log L_gen, {name}: {fit['slope']:.3f} [{fit['lower']:.3f}, {fit['upper']:.3f}]"
            f" from {fit['num_points']} curves, {verdict}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print every number instead of the tables")
    parser.add_argument("--beta", type=float, default=2.5)
    parser.add_argument("--delta", type=float, default=0.05, help="window δ/σ")
    arguments = parser.parse_args()
    results = []
    for difficulty in ("gamma", "power"):
        for window, holdout in WINDOWS:
            curves, scaling = evidence(difficulty, window, holdout, arguments.beta, arguments.delta)
            where = {"difficulty": difficulty, "window": window, "holdout": holdout}
            results.append({**where, "curves": curves, "scaling": scaling})
            if not arguments.json:
                show(difficulty, window, holdout, curves, scaling)
    if arguments.json:
        settings = {"beta": arguments.beta, "delta": arguments.delta, "laws": LAWS, "jax": jax.__version__}
        print(json.dumps({"settings": settings, "results": results}, indent=1))


if __name__ == "__main__":
    main()
