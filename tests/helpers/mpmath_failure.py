"""Slow, independent values of L_inf(k) for the tests: nested quadrature in mpmath, straight from Eq. 13.

    L_inf(k) = ∫ f(τ) [ 2∫₀^∞ φ(z) (1 - s(√v z, τ))^k dz ] dlog τ,   s by the plain difference of erfc

Nothing is shared with the library: no integration by parts, no special coordinate, no logarithm of s; 40
digits. A float64 scan finds where the integrand lives and cuts that region into pieces over which it, and
what sets in double-exponentially behind it, change by a bounded factor; each gets one Gauss-Legendre rule.

    python tests/passk/mpmath_failure.py          adds what is missing to reference_values.json (a minute a value)
"""

import itertools
import json
from pathlib import Path

import mpmath as mp
import numpy as np
from scipy.special import erfc, gammaln, log_ndtr, logsumexp

TABLE = Path(__file__).with_name("reference_values.json")
DIGITS = 40
DROP = 38.0  # parts below e^-38 of the peak are left out


def scan_rate(a, h):
    """Y = -log(1 - s) in float64 to a per cent or so: enough to place nodes."""
    product = np.clip(a * h, 1e-8, 30)
    narrow = 2 * h * np.exp(-0.5 * a**2) / np.sqrt(2 * np.pi) * np.sinh(product) / product
    wide = np.exp(log_ndtr(h - a)) - np.exp(log_ndtr(-h - a))
    s = np.where((h < 0.1) & (a * h < 20), narrow, wide)
    miss = 0.5 * (erfc((h - a) / 2**0.5) + erfc((h + a) / 2**0.5))
    return np.where(s < 0.5, -np.log1p(-np.minimum(s, 0.6)), -np.log(np.maximum(miss, 1e-300)))


def cut(x, log_value, extra, step):
    """Break points in the grid x: the part above e^-DROP of the peak, in pieces of equal travel."""
    keep = np.flatnonzero(log_value >= log_value.max() - DROP)
    part = slice(max(keep[0] - 1, 0), min(keep[-1] + 2, len(x)))
    x, extra = x[part], extra[part]
    log_value = np.maximum(log_value[part], log_value.max() - DROP - 4)
    travel = np.abs(np.diff(log_value)) + np.abs(np.diff(extra))
    travel = np.concatenate([[0], np.cumsum(travel + 1e-6)])
    pieces = max(3, int(np.ceil(travel[-1] / step)))
    return np.interp(np.linspace(0, travel[-1], pieces + 1), travel, x)


def legendre(n):
    """Gauss-Legendre nodes and weights on [-1, 1] to the working precision, by Newton from NumPy's."""
    pairs = []
    for x in np.polynomial.legendre.leggauss(n)[0].tolist():
        x, slope = mp.mpf(x), mp.mpf(1)
        for _ in range(5):
            p = mp.legendre(n, x)
            slope = n * (x * p - mp.legendre(n - 1, x)) / (x * x - 1)
            x -= p / slope
        pairs.append((x, 2 / ((1 - x * x) * slope**2)))
    return pairs


class Problem:
    """One value of L_inf(k); σ = 1. `step` and `nodes` set the accuracy ."""

    def __init__(self, k, v, beta, eps, difficulty, step=4.5, nodes=14):
        self.float = (float(k), float(v), float(beta), float(eps))
        self.k, self.v, self.beta, self.eps = map(mp.mpf, self.float)
        self.difficulty, self.step, self.nodes = difficulty, step, nodes

    def value(self):
        with mp.workdps(DIGITS):
            self.rule = legendre(self.nodes)
            self.constant = (
                mp.log(self.beta / 2) if self.difficulty == "power" else -mp.loggamma(self.beta / 2)
            )
            # Left of the region e^(βx/2) is left out, for β = 0.1 too: its share is e^-DROP · 20.
            return self.integrate(self.outer, self.outer_edges())

    def outer(self, log_tau):
        tau = mp.exp(log_tau)
        log_prior = self.beta / 2 * log_tau + self.constant - (tau if self.difficulty == "gamma" else 0)
        return mp.exp(log_prior) * self.mean_over_bias(tau)

    def mean_over_bias(self, tau):
        h, scale = self.eps * mp.sqrt(tau), mp.sqrt(self.v * tau)
        nothing = mp.mpf(10) ** (8 - DIGITS)

        def fail(a):
            s = (mp.erfc((a - h) / mp.sqrt(2)) - mp.erfc((a + h) / mp.sqrt(2))) / 2
            return mp.exp(self.k * mp.log1p(-s)) if s * self.k > nothing else mp.mpf(1)

        if scale == 0:
            return fail(scale)
        if self.k * h < mp.mpf(10) ** -19:
            return mp.mpf(1)
        edges = cut(*self.scan_inner(float(tau)), self.step)
        density = mp.sqrt(2 / mp.pi)
        return self.integrate(
            lambda t: density * mp.exp(t - mp.exp(2 * t) / 2) * fail(scale * mp.exp(t)), edges
        )

    def scan_inner(self, tau):
        """Grid in t = log z, log of the inner integrand, and what sets in double-exponentially: kY and z²."""
        k, v, _, eps = self.float
        t = np.linspace(-50, np.log(60), 6000)
        z = np.exp(t)
        m = k * scan_rate(np.sqrt(v * tau) * z, eps * np.sqrt(tau))
        onset = np.log(np.clip(m, 1e-16, 1e2)) - np.log(np.clip(z, 1e-4, 1e2))
        return t, t - 0.5 * z**2 - m, onset

    def outer_edges(self):
        k, v, beta, eps = self.float
        power = self.difficulty == "power"
        log_tau = np.linspace(
            min(-2 * np.log(k * eps), 0) - 2 * DROP / beta - 8, 0 if power else np.log(2000), 2500
        )
        log_value = np.empty_like(log_tau)
        for i, tau in enumerate(np.exp(log_tau)):
            if v == 0:
                log_value[i] = -k * scan_rate(np.zeros(1), eps * np.sqrt(tau))[0]
            else:
                t, inner, _ = self.scan_inner(tau)
                log_value[i] = logsumexp(inner) + np.log(t[1] - t[0])
        tau = np.exp(log_tau)
        prior = np.log(beta / 2) if power else -tau - gammaln(beta / 2)
        log_value = np.maximum(log_value, -1e5) + beta / 2 * log_tau + prior
        onset = np.clip(log_tau, -2 * np.log(k * eps) - 70, None)  # kY sets in over this stretch
        return cut(log_tau, log_value, 0.5 * onset, self.step)

    def integrate(self, f, edges):
        total = mp.mpf(0)
        for low, high in itertools.pairwise(mp.mpf(float(x)) for x in edges):
            middle, half = (low + high) / 2, (high - low) / 2
            total += half * mp.fsum(w * f(middle + half * x) for x, w in self.rule)
        return total


def cases():
    """Corners of the stated box, and points inside it."""
    rng = np.random.default_rng(4)
    corners = itertools.product((1.0, 1e30), (1e-8, 1e4), (0.1, 20.0), (1e-6, 10.0))
    inside = [
        tuple(float(f"{10**x:.2g}") for x in rng.uniform((0, -5, -1, -3), (12, 3, 1.3, 1))) for _ in range(12)
    ]
    free = [(k, 0.0, beta, eps) for k in (1e4, 1e30) for beta in (0.1, 20.0) for eps in (1e-6, 10.0)]
    both = [(*c, d) for c in corners for d in ("gamma", "power")]
    return both + [(*c, d) for c, d in zip(inside + free, itertools.cycle(("gamma", "power")))]


if __name__ == "__main__":
    table = json.loads(TABLE.read_text()) if TABLE.exists() else {}
    for case in cases():
        key = repr(case)
        if key not in table:
            table[key] = mp.nstr(Problem(*case).value(), 20)
            print(key, table[key], flush=True)
            TABLE.write_text(json.dumps(table, indent=0))
