"""Summary of sweeps with τ and x correlated: that of the LID model, and the leading order of L_gen."""

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from lidjax.correlated import correlated_lgen_factor
from lidjax.difficulty import mean_inverse_precision
from lidjax.sweep.sources.lid_summary import summarise_lid


def summarise_correlated(
    data: xr.Dataset, window: tuple[float, float] | None = None, from_n: float | None = None
) -> xr.Dataset:
    """`summarise_lid`, with the law of L_gen to leading order in 1/N beside it, for the least squares without ridge.

    `factor`, over (correlation, beta, dim), is the mean of L_gen at large N over that with independent τ
    (`correlated_lgen_factor`), and `leading`, also over sigma_eta, the mean itself times N: factor · d σ_η² E[1/τ].
    Both are NaN where the factor is not resolved: for β outside of 2.2 to 100, and for |ρ| above 0.95.
    """
    summary = summarise_lid(data, window, from_n)
    model = summary.attrs["spec"]["correlated"]
    with jax.enable_x64(True):
        rho, beta = (jnp.asarray(summary[name].values, float) for name in ("correlation", "beta"))

        def at(dim: int) -> np.ndarray:
            def one(rho: jax.Array, beta: jax.Array) -> jax.Array:
                return correlated_lgen_factor(
                    rho, beta=beta, dim=dim, dependence=model["form"], difficulty=model["difficulty"]
                )

            over_beta = jax.vmap(one, (None, 0))
            return np.asarray(jax.jit(jax.vmap(over_beta, (0, None)))(rho, beta))

        factors = np.stack([at(int(dim)) for dim in summary["dim"].values.tolist()], axis=-1)
        inverse = np.asarray(mean_inverse_precision(beta, model["difficulty"]))
    factor = xr.DataArray(factors, dims=("correlation", "beta", "dim"))
    summary["factor"] = factor.assign_attrs(long_name="mean of L_gen at large N over that of independent τ")
    noise = summary["sigma_eta"] ** 2 * xr.DataArray(inverse, dims=("beta",))
    leading = (factor * noise * summary["dim"]).transpose("correlation", "beta", "dim", "sigma_eta")
    summary["leading"] = leading.assign_attrs(long_name="N times the mean of L_gen at large N")
    return summary
