"""1000 two-tail fits, batched, against scipy's least_squares on the same curves: time, and whose minimum is lower.

Each of ours is eight descents, standard errors and eight profile ends; scipy gets the fit alone, from two starts with
the default (finite-difference) Jacobian, on the first 50 curves.

    python benchmarks/fit_speed.py
"""

import time

import jax

jax.config.update("jax_enable_x64", True)

import numpy as np  # noqa: E402
import scipy  # noqa: E402
from scipy.optimize import least_squares  # noqa: E402

from lidjax.fitting import fit_two_tail  # noqa: E402

COUNT, NOISE, SCIPY_COUNT = 1000, 0.03, 50
K = np.geomspace(10, 1e5, 33)
CASES = {"both tails clear": 3 * K**-2 + 0.01 * K**-0.5, "one power (the slow case)": K**-1.5}
STARTS = np.log([[2.5, 0.3, 1, 0.1], [1.5, 0.7, 10, 0.001]])


def scipy_cost(log_curve, weight):
    def residual(q):
        first, second = q[2] - np.exp(q[0]) * np.log(K), q[3] - np.exp(q[1]) * np.log(K)
        return weight * (np.logaddexp(first, second) - log_curve)

    return min(2 * least_squares(residual, start, xtol=1e-12, ftol=1e-12).cost for start in STARTS)


def seconds(call):
    wall, cpu = time.perf_counter(), time.process_time()
    result = jax.block_until_ready(call())
    return result, time.perf_counter() - wall, time.process_time() - cpu


def main():
    print(
        f"jax {jax.__version__}, scipy {scipy.__version__}, {jax.devices()[0].device_kind}, float64, {COUNT} curves"
    )
    for name, law in CASES.items():
        curves = law * np.exp(NOISE * np.random.default_rng(0).normal(size=(COUNT, K.size)))
        error = NOISE * law

        def batch(curves=curves, error=error):
            return fit_two_tail(K, curves, standard_error=error)

        _, first, _ = seconds(batch)
        fit, wall, cpu = seconds(batch)
        weights = curves / error

        def one_by_one(curves=curves[:SCIPY_COUNT], weights=weights):
            return [scipy_cost(np.log(curve), weight) for curve, weight in zip(curves, weights, strict=False)]

        costs, scipy_wall, _ = seconds(one_by_one)
        scipy_wall *= COUNT / SCIPY_COUNT
        excess = np.asarray(fit.cost)[:SCIPY_COUNT] / np.array(costs) - 1
        print(
            f"{name}: first call {first:.1f} s, then {wall:.2f} s wall ({cpu:.2f} s CPU); scipy {scipy_wall:.1f} s"
        )
        print(
            f"  ratio {scipy_wall / wall:.0f}; objective over scipy's - 1: {excess.min():+.1e} to {excess.max():+.1e}"
        )


if __name__ == "__main__":
    main()
