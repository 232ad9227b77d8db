"""The loop of `numpy_scipy` with scikit-learn's `Ridge`."""

import numpy as np
import sklearn
from sklearn.linear_model import Ridge

from peers.numpy_scipy import run_cells


def versions():
    return {"numpy": np.__version__, "scikit-learn": sklearn.__version__}


def run(work):
    return run_cells(work, solve)


def solve(x, y, ridge):
    return Ridge(alpha=ridge * len(x), fit_intercept=False).fit(x, y).coef_
