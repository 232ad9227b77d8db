"""lidjax: the same grid as a sweep spec."""

import jax
import numpy as np

import lidjax
from lidjax.sweep import Model, Run, SyntheticGrid, SyntheticSpec

DTYPE = "float64"


def versions():
    return {"lidjax": lidjax.__version__, "jax": jax.__version__, "device": jax.devices()[0].device_kind}


def run(work, dtype=DTYPE):
    from lidjax.sweep.sources.failure_curves import curves_for

    curves_for.cache_clear()  # a second run does all the work again, compilation excepted
    spec = SyntheticSpec(
        model=Model(difficulty="gamma", failure="quadrature", method="auto", teacher_decay=0.0),
        grid=SyntheticGrid(
            beta=work.betas,
            alpha=(work.alpha,),
            dim=(work.dim,),
            ridge=(work.ridge,),
            sigma_eta=(work.sigma_eta,),
            delta=(work.delta,),
            n=work.sizes,
            seed=tuple(range(work.seeds)),
            k=tuple(work.k.tolist()),
        ),
        run=Run(dtype=dtype),
    )
    results = lidjax.run_sweep(spec).transpose("beta", "n", "seed", "k", ...)
    results = results.squeeze(["alpha", "dim", "ridge", "sigma_eta", "delta"])
    return np.asarray(results.lgen), np.asarray(results.failure)
