"""Names and units of what a store holds."""

from typing import Any

DESCRIPTIONS = {
    "beta": ("β, near-zero index of the difficulty prior", "1"),
    "alpha": ("α, spectral exponent", "1"),
    "dim": ("d, number of features", "1"),
    "ridge": ("ρ, ridge of Eq. 6", "squared units of x"),
    "sigma_eta": ("σ_η, noise scale", "units of y"),
    "delta": ("δ, verifier tolerance", "units of y"),
    "scale": ("s, rescaling of Eq. 26", "1"),
    "n": ("N, training instances", "1"),
    "exponent": ("a, exponent of the Zipf law", "1"),
    "samples": ("D, draws from the Zipf law", "1"),
    "seed": ("training set", "1"),
    "split": ("train/validation split of a seed", "1"),
    "label": ("label draw of a seed within its split", "1"),
    "k": ("k, attempts", "1"),
    "lgen": ("L_gen, generalisation loss", "squared units of y"),
    "failure": ("L_inf(k), pass@k failure probability", "1"),
    "status": ("status code of the cell", "1"),
}


def labels_of(name: str) -> dict[str, Any]:
    """Attributes of an array, as CF conventions have them."""
    long_name, units = DESCRIPTIONS[name]
    return {"long_name": long_name, "units": units}
