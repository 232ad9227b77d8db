"""Training sets of a random-feature model, drawn and fitted as they are defined, in NumPy."""

import numpy as np


def simulate_lgen(
    rng, n, width, *, eigenvalues, theta, beta, sigma_eta, ridge, num_samples, difficulty="gamma"
):
    """L_gen = (θ̂-θ*)ᵀ Σ (θ̂-θ*) of θ̂ = F v̂, with (ΦᵀΦ + NρI) v̂ = Φᵀy, Φ = X F; ridge 0 is the fit of least norm.

    Without a width F is the identity.
    """
    eigenvalues, theta = np.asarray(eigenvalues), np.asarray(theta)
    found = np.empty(num_samples)
    for i in range(num_samples):
        weights = (
            np.eye(len(theta)) if width is None else rng.normal(size=(len(theta), width)) / np.sqrt(width)
        )
        x = rng.normal(size=(n, len(theta))) * np.sqrt(eigenvalues)
        tau = rng.gamma(beta / 2, size=n) if difficulty == "gamma" else rng.random(n) ** (2 / beta)
        labels = x @ theta + sigma_eta / np.sqrt(tau) * rng.normal(size=n)
        left, values, right = np.linalg.svd(x @ weights, full_matrices=False)
        kept = values > values[0] * 1e-11
        gain = np.where(kept, values / np.where(kept, values**2 + n * ridge, 1.0), 0.0)
        error = weights @ (right.T @ (gain * (left.T @ labels))) - theta
        found[i] = np.sum(eigenvalues * error**2)
    return found
