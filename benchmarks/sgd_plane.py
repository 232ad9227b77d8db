"""The plane of compute of one-pass SGD: at C = 6 t B P, the best number of features P, with and without attempts.

    python benchmarks/sgd_plane.py          # a minute on two cores

The model is that of sweeps/compute_plane.toml. For each projection F the mean of L_gen over training data is exact
(`sgd_width_lgen`); the losses are its mean over projections, and the mean over projections of L_inf(k) at it. Every
loss takes its best learning rate at each (P, t). Minima are those of a parabola in log P, intervals come from a
bootstrap over the projections.
"""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.interpolate import CubicSpline

jax.config.update("jax_enable_x64", True)

import lidjax  # noqa: E402 - after the precision is set

DIM, BETA, SIGMA, DELTA, BATCH, KEYS = 256, 2.5, 0.2, 0.1, 1, 32
WIDTHS = np.unique(np.round(np.geomspace(4, 256, 13)).astype(int))
COMPUTE = np.geomspace(1e4, 1e7, 7)
RATES = np.geomspace(5e-4, 0.2, 22)
ATTEMPTS = (1.0, 1e2, 1e4, 1e6)
HALF_WIDTH = 3  # points on each side of the least one that the parabola goes through
REPLICATES = 1000


def mean_losses() -> np.ndarray:
    """Mean of L_gen over training data, over (key, rate, width, compute)."""
    eigenvalues, theta = lidjax.power_law_spectrum(DIM, 1.0), lidjax.power_law_teacher(DIM, 1.0)
    noise = SIGMA**2 * lidjax.mean_inverse_precision(BETA, "gamma")
    keys = jax.random.split(jax.random.key(0), KEYS)
    found = np.empty((KEYS, len(RATES), len(WIDTHS), len(COMPUTE)))
    for i, width in enumerate(WIDTHS.tolist()):
        steps = np.round(COMPUTE / (6 * BATCH * width))

        def one(key: jax.Array, width: int = width, steps: np.ndarray = steps) -> jax.Array:
            return lidjax.sgd_width_lgen(
                key,
                steps,
                width=width,
                eigenvalues=eigenvalues,
                theta=theta,
                noise_variance=noise,
                learning_rate=jnp.asarray(RATES),
                batch=BATCH,
                method="powers",
            )

        found[:, :, i] = jax.jit(lambda keys, one=one: jax.lax.map(one, keys))(keys)
    return found


def failures(lgen: np.ndarray, k: float) -> np.ndarray:
    """L_inf(k) at many L_gen: a spline of its logarithm through 200 exact values."""
    nodes = np.geomspace(min(lgen.min(), 1e-6), min(lgen.max(), 1e6), 200)
    law = {"beta": BETA, "delta": DELTA, "sigma_eta": SIGMA}
    exact = lidjax.pass_at_k_failure(k, nodes, **law, log=True)
    return np.exp(CubicSpline(np.log(nodes), np.asarray(exact))(np.log(np.minimum(lgen, nodes[-1]))))


def minima(loss: np.ndarray) -> np.ndarray:
    """log P* of losses over (..., width, compute), NaN where the least one lies at an edge of the widths."""
    x = np.log(WIDTHS)
    flat = np.log(loss).reshape(-1, *loss.shape[-2:])
    best = np.full((len(flat), loss.shape[-1]), np.nan)
    for i, c in np.ndindex(best.shape):
        at = int(np.argmin(flat[i, :, c]))
        if not HALF_WIDTH <= at < len(x) - HALF_WIDTH:
            continue
        part = slice(at - HALF_WIDTH, at + HALF_WIDTH + 1)
        second, first, _ = np.polyfit(x[part], flat[i, part, c], 2)
        if second > 0:
            best[i, c] = -first / (2 * second)
    return best.reshape(*loss.shape[:-2], loss.shape[-1])


def exponent(log_width: np.ndarray) -> np.ndarray:
    """Slope of log P* on log C over the C with a minimum inside."""
    x = np.log(COMPUTE)
    known = np.isfinite(log_width)
    count = known.sum(-1)
    mean_x = np.where(known, x, 0).sum(-1, keepdims=True) / count[..., None]
    mean_y = np.where(known, log_width, 0).sum(-1, keepdims=True) / count[..., None]
    dx = np.where(known, x - mean_x, 0)
    return (dx * np.where(known, log_width - mean_y, 0)).sum(-1) / (dx**2).sum(-1)


def main() -> None:
    """Print the table."""
    lgen = mean_losses()
    failure = np.stack([failures(lgen, k) for k in ATTEMPTS], axis=-1)
    losses = {"mean L_gen": lgen} | {f"mean L_inf({k:g})": failure[..., i] for i, k in enumerate(ATTEMPTS)}
    draws = np.random.default_rng(0).integers(0, KEYS, (REPLICATES, KEYS))
    print(
        f"{'loss':18}{'P* exponent':>13}{'(95 %)':>18}   P* at C = " + " ".join(f"{c:.0e}" for c in COMPUTE)
    )
    for name, values in losses.items():
        own = minima(values.mean(0).min(0))
        again = minima(np.stack([values[pick].mean(0).min(0) for pick in draws]))
        low, high = np.nanquantile(exponent(again), (0.025, 0.975))
        shown = " ".join(f"{np.exp(p):5.1f}" if np.isfinite(p) else "    -" for p in own)
        print(f"{name:18}{exponent(own):13.3f}{f'({low:.3f}, {high:.3f})':>18}   {shown}")
    rates = RATES[np.argmin(lgen.mean(0), axis=0)]
    print("best learning rate at the P nearest to P*:")
    for c, at in enumerate(np.argmin(lgen.mean(0).min(0), axis=0)):
        print(
            f"  C = {COMPUTE[c]:.0e}: P = {WIDTHS[at]}, rate {rates[at, c]:.3g}, L_gen {lgen.mean(0).min(0)[at, c]:.3g}"
        )


if __name__ == "__main__":
    main()
