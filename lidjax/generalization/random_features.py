"""L_gen of a model that is linear in P random features, exact in distribution, whatever N and P are.

The features are φ = Fᵀx, F (d, P) with independent N(0, 1/P) entries. Given F they are Gaussian, and the mean label is
xᵀθ* = φᵀv* + e with e Gaussian and independent of φ: a regression on P features with label noise η + e. With
r = min(P, d), write φᵀv = zᵀ A q for z ~ N(0, I_r), where A is square and |q| the norm of v, which the ridge penalises:

    P < d    Λ^½ F = Q A (QR decomposition); the target in z is t = Qᵀ Λ^½ θ*, and Var e = |Λ^½ θ*|² - |t|²
    P ≥ d    F = U Q, U upper triangular with U_ii ~ χ_{P-d+i}/√P (Bartlett): A = Λ^½ U, t = Λ^½ θ*, and e = 0

In place of X Λ^½ of `whitened` there is Z A. By Bartlett's decomposition, as in `design`, Z = Q' R; with R̃ = R/√N,
s = ‖η + e‖/√N, B = R̃ A and u a part of a point of the sphere, the error of the estimate of t is

    Δ = A Bᵀ (B Bᵀ + ρ I)⁻¹ (s u + R̃ t) - t,      L_gen = ‖Δ‖² + Var e.

R̃ and A are upper triangular, and so is B. For N ≥ r the part without noise is -ρ R̃⁻¹ (B Bᵀ + ρ I)⁻¹ R̃ t, without
cancellation. All arrays have `most` ≥ r rows, a static number, and what is past P and N is masked: one program serves
every N, and every P on a side of d. Row i of the arrays has variates of its own key. So what is drawn does not depend
on `most`, and F with P features is the first P columns of a wider one, scaled.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Float

from lidjax.difficulty import Difficulty
from lidjax.generalization.blocked import gram_solve
from lidjax.generalization.chi_square import draw_chi_square
from lidjax.generalization.design import tall_design
from lidjax.generalization.noise_norm import add_gaussian_part, noise_norm_squared
from lidjax.generalization.whitened import NoiseQuadratic, noise_quadratic


class FeatureMap(NamedTuple):
    """What the law of L_gen needs of F."""

    root: Float[Array, "m m"]
    """A, upper triangular; zero past the first `rank` rows and columns."""
    target: Float[Array, " m"]
    """t, zero past `rank`."""
    missed: Float[Array, ""]
    """Var e: the part of the mean label that no linear function of the features gives."""
    rank: Float[Array, ""]
    """r = min(P, d)."""


def most_features(width: int, dim: int) -> int:
    """Rows of the arrays for up to `width` features: the next power of two, so that programs are few; at most d."""
    return min(dim, 1 << (width - 1).bit_length())


def narrow_map(
    key: jax.Array,
    width: Float[Array, ""],
    *,
    eigenvalues: Float[Array, " d"],
    theta: Float[Array, " d"],
    most: int,
) -> FeatureMap:
    """A draw for P < d, P ≤ `most`. Only masks depend on P: under `vmap` over it one QR decomposition serves all."""
    dim, dtype = eigenvalues.shape[0], eigenvalues.dtype
    scale = jnp.sqrt(eigenvalues)
    rows = jax.vmap(lambda i: jax.random.normal(jax.random.fold_in(key, i), (dim,), dtype))(jnp.arange(most))
    q, r = jnp.linalg.qr((rows * scale[None, :]).T)
    whole = scale * theta
    target = jnp.matmul(whole, q, precision="highest")
    rest = jnp.sum(
        jnp.square(whole - jnp.matmul(q, target, precision="highest"))
    )  # 0 to rounding for most = d
    present = jnp.arange(most, dtype=dtype) < width
    root = jnp.where(present[None, :] & present[:, None], r, 0.0) / jnp.sqrt(width)
    missed = jnp.sum(jnp.where(present, 0.0, jnp.square(target))) + (rest if most < dim else 0.0)
    return FeatureMap(root, jnp.where(present, target, 0.0), missed, width)


def wide_map(
    key: jax.Array, width: Float[Array, ""], *, eigenvalues: Float[Array, " d"], theta: Float[Array, " d"]
) -> FeatureMap:
    """A draw for P ≥ d; P may be as large as N may."""
    scale = jnp.sqrt(eigenvalues)
    dim = scale.shape[0]
    triangle = tall_design(key, width, dim).triangle[::-1, ::-1]  # upper triangular
    zero = jnp.zeros((), scale.dtype)
    return FeatureMap(scale[:, None] * triangle, scale * theta, zero, jnp.full((), dim, scale.dtype))


def random_features_quadratic(
    key: jax.Array, n: Float[Array, ""], features: FeatureMap, ridge: Float[Array, ""], dim: int
) -> NoiseQuadratic:
    """‖Δ‖² as a quadratic in s = ‖η + e‖/√N, for any N, which may be traced."""
    root, target, _, rank = features
    most, dtype = root.shape[0], root.dtype
    index = jnp.arange(most, dtype=dtype)
    rows = jnp.minimum(n, rank)
    present = index < rows
    triangle, direction = _design(key, n, rank, most, dim)

    # in reverse order triangles are lower, as `gram_solve` wants them
    product = jnp.matmul(triangle, root, precision="highest")
    shift = jnp.where(present, ridge, 1.0)
    rhs = jnp.stack([direction, jnp.matmul(triangle, target, precision="highest")])
    weights = gram_solve(product[::-1, ::-1], shift[::-1], rhs[:, ::-1])[:, ::-1]
    fitted = jnp.matmul(jnp.matmul(weights, product, precision="highest"), root.T, precision="highest")
    tall = n >= rank
    square = triangle + jnp.diag(jnp.where(tall & present, 0.0, 1.0))  # invertible in either case
    shrunk = ridge * solve_triangular(jnp.where(tall, square, jnp.eye(most, dtype=dtype)), weights[1])
    return noise_quadratic(fitted[0], jnp.where(tall, shrunk, target - fitted[1]))


def _design(
    key: jax.Array, n: Float[Array, ""], rank: Float[Array, ""], most: int, dim: int
) -> tuple[Float[Array, "m m"], Float[Array, " m"]]:
    """R̃ of min(N, r) rows and r columns, and u: as many coordinates of a uniform point of the sphere in R^N."""
    normal_key, square_key, length_key = jax.random.split(key, 3)
    row = jnp.arange(most)
    index = row.astype(n.dtype)
    rows = jnp.minimum(n, rank)
    normals = jax.vmap(lambda i: jax.random.normal(jax.random.fold_in(normal_key, i), (dim + 1,), n.dtype))(
        row
    )
    dof = jnp.maximum(n - index, 1.0)
    squares = jax.vmap(lambda i, k: draw_chi_square(jax.random.fold_in(square_key, i), k[None])[0])(row, dof)
    above = (index[:, None] < index[None, :]) & (index[None, :] < rank)
    triangle = jnp.where(above, normals[:, 1 : most + 1], 0.0) + jnp.diag(jnp.sqrt(squares))
    triangle = jnp.where((index < rows)[:, None], triangle, 0.0) / jnp.sqrt(n)

    outside = n - rows
    rest = draw_chi_square(length_key, jnp.maximum(outside, 1.0)[None])[0]
    g = jnp.where(index < rows, normals[:, 0], 0.0)
    return triangle, g / jnp.sqrt(jnp.sum(jnp.square(g)) + jnp.where(outside > 0, rest, 0.0))


def noise_rms(
    key: jax.Array,
    n: Float[Array, ""],
    missed: Float[Array, ""],
    *,
    beta: Float[Array, ""],
    sigma_eta: Float[Array, ""],
    difficulty: Difficulty,
) -> Float[Array, ""]:
    """s = ‖η + e‖/√N for label noise η and a Gaussian part of variance `missed`."""
    label_key, gaussian_key = jax.random.split(key)
    noise = noise_norm_squared(label_key, n, beta=beta, sigma_eta=sigma_eta, difficulty=difficulty)
    return jnp.sqrt(add_gaussian_part(gaussian_key, noise, n, missed) / n)


def draw_random_features_lgen(
    key: jax.Array,
    n: Float[Array, ""],
    width: Float[Array, ""],
    *,
    eigenvalues: Float[Array, " d"],
    theta: Float[Array, " d"],
    beta: Float[Array, ""],
    sigma_eta: Float[Array, ""],
    ridge: Float[Array, ""],
    difficulty: Difficulty,
    most: int,
    narrow: bool,
) -> Float[Array, ""]:
    """One draw of L_gen, over F too. `narrow` says whether P < d; then P ≤ `most`, and otherwise `most` is d."""
    map_key, design_key, noise_key = jax.random.split(key, 3)
    if narrow:
        features = narrow_map(map_key, width, eigenvalues=eigenvalues, theta=theta, most=most)
    else:
        features = wide_map(map_key, width, eigenvalues=eigenvalues, theta=theta)
    quadratic = random_features_quadratic(design_key, n, features, ridge, eigenvalues.shape[0])
    rms = noise_rms(noise_key, n, features.missed, beta=beta, sigma_eta=sigma_eta, difficulty=difficulty)
    return quadratic.lgen(rms) + features.missed
