"""Scrambled Sobol' points, the same as those of SciPy, without importing scipy.stats, which takes half a second.

Direction numbers of Joe and Kuo (2008), a random lower triangular matrix and a random shift for each dimension
(Matousek 1998), points in the order of the Gray code. `tests/evals/rates/test_sobol.py` compares every bit with
`scipy.stats.qmc.Sobol`.
"""

import numpy as np
from jaxtyping import Float, Int

BITS = 30
POLYNOMIALS = (3, 7, 11, 13, 19, 25, 37)  # primitive, of the dimensions from the second on
INITIAL = ((1,), (1, 3), (1, 3, 1), (1, 1, 1), (1, 1, 3, 3), (1, 3, 5, 13), (1, 1, 5, 5, 17))
MOST_DIMENSIONS = 1 + len(POLYNOMIALS)


def sobol_points(count: int, dim: int, seed: int) -> Float[np.ndarray, "m d"]:
    """The first `count` points of a scrambled sequence of at most MOST_DIMENSIONS dimensions."""
    rng = np.random.default_rng(seed)
    shift = rng.integers(2, size=(dim, BITS), dtype=np.uint32).astype(np.int64) @ (1 << np.arange(BITS))
    matrix = np.tril(rng.integers(2, size=(dim, BITS, BITS), dtype=np.uint32)).astype(np.int64)
    matrix[:, np.arange(BITS), np.arange(BITS)] = 1
    places = np.arange(BITS - 1, -1, -1)
    bits = (direction_numbers(dim)[:, :, None] >> places) & 1  # (d, numbers, bits), the highest first
    scrambled = (np.einsum("dpi,dji->djp", matrix, bits) & 1) @ (1 << places)
    index = np.arange(count)
    gray = index ^ (index >> 1)
    points = np.broadcast_to(shift, (count, dim)).copy()
    for bit in range(max(count - 1, 1).bit_length()):
        points ^= np.where((gray >> bit & 1)[:, None] == 1, scrambled[:, bit], 0)
    return points / float(1 << BITS)


def direction_numbers(dim: int) -> Int[np.ndarray, "d b"]:
    """Direction numbers of each dimension, as whole numbers of BITS bits."""
    numbers = np.ones((dim, BITS), dtype=np.int64)
    for d in range(1, dim):
        polynomial, initial = POLYNOMIALS[d - 1], INITIAL[d - 1]
        degree = len(initial)
        numbers[d, :degree] = initial
        for j in range(degree, BITS):
            value = numbers[d, j - degree]
            for k in range(degree):
                if polynomial >> (degree - 1 - k) & 1:
                    value ^= numbers[d, j - k - 1] << (k + 1)
            numbers[d, j] = value
    return numbers << np.arange(BITS - 1, -1, -1)
