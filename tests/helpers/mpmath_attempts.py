"""Slow, independent values of A(k) for the tests: nested quadrature in mpmath, straight from its definition.

    A(k) = ∫ f(τ) [ 2∫₀^∞ φ(z) (1 - (1 - s(√v z, τ))^k)/s(√v z, τ) dz ] dlog τ,   s by the plain difference of erfc

Nothing is shared with the library: no integration by parts, no special coordinate, no logarithm of s; 60 digits, and
one Gauss-Legendre rule on every one of many equal pieces. σ = 1.

    python tests/helpers/mpmath_attempts.py          adds what is missing to reference_attempts.json (a minute a value)
"""

import json
from pathlib import Path

import mpmath as mp
import numpy as np

TABLE = Path(__file__).with_name("reference_attempts.json")
NODES = 12


def rule(count):
    """Gauss-Legendre nodes and weights on [-1, 1] to the working precision, by Newton from NumPy's."""
    pairs = []
    for start in np.polynomial.legendre.leggauss(count)[0].tolist():
        x, slope = mp.mpf(start), mp.mpf(1)
        for _ in range(5):
            p = mp.legendre(count, x)
            slope = count * (x * p - mp.legendre(count - 1, x)) / (x * x - 1)
            x -= p / slope
        pairs.append((x, 2 / ((1 - x * x) * slope**2)))
    return pairs


def over_pieces(f, low, high, width, pairs):
    """∫ f from low to high over equal pieces of about `width`."""
    pieces = max(1, round((high - low) / width))
    half = (high - low) / pieces / 2
    centres = [low + half * (2 * i + 1) for i in range(pieces)]
    return mp.fsum(half * w * f(c + half * x) for c in centres for x, w in pairs)


def attempts(k, v, beta, eps, difficulty):
    """A(k); k may be infinite."""
    with mp.workdps(60):
        v, beta, eps = mp.mpf(v), mp.mpf(beta), mp.mpf(eps)
        pairs = rule(NODES)
        reach = 0 if mp.isinf(k) else max(mp.log(k * eps), 0)
        low = -2 * (2 * min(reach, 60 / (beta + 1)) + 62) / beta if beta <= 1 else -mp.mpf(64) / (beta - 1)
        high = mp.mpf(0) if difficulty == "power" else mp.log(90)
        constant = mp.log(beta / 2) if difficulty == "power" else -mp.loggamma(beta / 2)

        def inner(log_tau):
            tau = mp.exp(log_tau)
            h, scale = eps * mp.sqrt(tau), mp.sqrt(v * tau)

            def mean(a):
                s = (mp.erfc((a - h) / mp.sqrt(2)) - mp.erfc((a + h) / mp.sqrt(2))) / 2
                return 1 / s if mp.isinf(k) else -mp.expm1(k * mp.log1p(-s)) / s

            log_prior = beta / 2 * log_tau + constant - (tau if difficulty == "gamma" else 0)
            if v == 0:
                return mp.exp(log_prior) * mean(mp.mpf(0))
            decay = 1 - v * tau
            end = mp.sqrt(60 / decay) if mp.isinf(k) else mp.sqrt(60 + 2 * mp.log(k))
            width = min(mp.mpf(1), 1 / (5 * scale))
            value = over_pieces(lambda z: mp.npdf(z) * mean(scale * z), mp.mpf(0), end, width, pairs)
            return mp.exp(log_prior) * 2 * value

        width = mp.mpf(2) if difficulty == "gamma" else mp.mpf(1)
        bulk = over_pieces(inner, mp.mpf(-4), high, mp.mpf(1) / 2, pairs)
        return bulk + over_pieces(inner, low, mp.mpf(-4), width, pairs)


CASES = [
    (2.0, 0.1, 2.5, 0.5, "gamma"),
    (1e3, 0.1, 2.5, 0.5, "gamma"),
    (1e6, 0.8, 1.5, 0.2, "gamma"),
    (1e12, 0.02, 2.5, 0.5, "gamma"),
    (1e12, 0.8, 4.0, 1.0, "gamma"),
    (1e12, 3.0, 2.5, 0.5, "power"),
    (1e4, 0.3, 3.0, 0.1, "power"),
    (float("inf"), 0.5, 3.0, 0.2, "power"),
    (float("inf"), 0.0, 2.5, 0.5, "gamma"),
]

if __name__ == "__main__":
    table = json.loads(TABLE.read_text()) if TABLE.exists() else {}
    for case in CASES:
        key = repr(case)
        if key not in table:
            table[key] = mp.nstr(attempts(*case), 20)
            print(key, table[key], flush=True)
            TABLE.write_text(json.dumps(table, indent=0) + "\n")
