"""As a researcher writes it: a loop over cells, NumPy arrays, scipy's Cholesky."""

import itertools

import numpy as np
import scipy
from scipy.linalg import cho_factor, cho_solve
from scipy.special import ndtr


def versions():
    return {"numpy": np.__version__, "scipy": scipy.__version__}


def run(work):
    return run_cells(work, solve)


def solve(x, y, ridge):
    gram = x.T @ x / len(x)
    gram[np.diag_indices_from(gram)] += ridge
    return cho_solve(cho_factor(gram), x.T @ y / len(x))


def run_cells(work, solve):
    shape = (len(work.betas), len(work.sizes), work.seeds)
    lgen, failure = np.empty(shape), np.empty((*shape, work.num_k))
    root, theta, k = np.sqrt(work.eigenvalues), work.theta, work.k
    for i, j, seed in itertools.product(*map(range, shape)):
        beta, n = work.betas[i], work.sizes[j]
        rng = np.random.default_rng([seed, i, j])
        x = rng.standard_normal((n, work.dim)) * root
        tau = rng.gamma(beta / 2, size=n)
        y = x @ theta + work.sigma_eta / np.sqrt(tau) * rng.standard_normal(n)
        difference = solve(x, y, work.ridge) - theta
        lgen[i, j, seed] = np.sum(work.eigenvalues * difference**2)
        # B = xᵀ(θ̂ - θ*) of a Gaussian x is Gaussian: no test features are needed
        bias = np.sqrt(lgen[i, j, seed]) * rng.standard_normal(work.instances)
        width = np.sqrt(rng.gamma(beta / 2, size=work.instances)) / work.sigma_eta
        success = ndtr((work.delta - bias) * width) - ndtr((-work.delta - bias) * width)
        log_miss = np.log1p(-np.minimum(success, 1 - 1e-16))
        failure[i, j, seed] = np.exp(k[:, None] * log_miss).mean(axis=1)
    return lgen, failure
