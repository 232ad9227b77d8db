"""The best number of attempts against all of them."""

import numpy as np
import pytest

import lidjax
from lidjax.errors import InputError


@pytest.mark.parametrize("best", [1, 2, 3, 17, 4321, 99_999])
def test_the_minimum_is_that_of_all_k(best):
    def loss(k):
        return (np.log(k) - np.log(best)) ** 2 + 1

    found = lidjax.best_attempts(loss, most=1e6)
    assert (found.k, found.finite) == (best, True)
    every = np.arange(1, 200_000)
    assert found.k == every[np.argmin(loss(every))]


def test_a_loss_that_only_falls_has_no_finite_minimum():
    found = lidjax.best_attempts(lambda k: 1 + 1 / k, most=1e6)
    assert (found.k, found.finite) == (10**6, False)
    flat = lidjax.best_attempts(lambda k: 1 + 1e-20 / k, most=1e6)
    assert not flat.finite


def test_bad_input_is_named():
    with pytest.raises(InputError, match="most = 1: must be at least 2"):
        lidjax.best_attempts(lambda k: k, most=1)
    with pytest.raises(InputError, match="must be 15 finite numbers"):
        lidjax.best_attempts(lambda k: np.where(k == 1, np.nan, k), most=100)
