"""Status codes in words, and that every result of a fit says its own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lidjax import fitting
from lidjax.fitting import FitStatus, describe_status, effective_exponent

RESULTS = [
    result
    for result in vars(fitting).values()
    if isinstance(result, type) and "status" in getattr(result, "_fields", ())
]


def test_every_code_has_its_own_message():
    messages = describe_status(np.array(list(FitStatus)))
    assert len(set(messages)) == len(FitStatus)
    assert describe_status(FitStatus.OK) == "ok"
    assert describe_status(jnp.asarray(0)) == "ok"


def test_arrays_of_codes_give_a_flat_list():
    codes = np.array([[0, 4], [5, 0]])
    assert describe_status(codes) == [describe_status(code) for code in (0, 4, 5, 0)]


def test_a_code_that_is_none_is_refused():
    with pytest.raises(ValueError, match="99"):
        describe_status(99)


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: result.__name__)
def test_every_result_has_its_status_as_a_message(result):
    empty = dict.fromkeys(result._fields)
    assert result(**{**empty, "status": jnp.asarray(FitStatus.TOO_FEW_POINTS)}).message.startswith("fewer")
    both = result(**{**empty, "status": jnp.asarray([0, 0])})
    assert both.message == ["ok", "ok"]
    assert "status={'ok': 2}" in repr(both)


def test_eight_fits_and_a_comparison_are_among_the_results():
    assert len(RESULTS) == 9


def test_a_message_belongs_to_a_real_fit():
    k = np.geomspace(1, 1e4, 9)
    fit = effective_exponent(k, np.stack([1 / k, 0 * k]), window=(1, 1e4))
    assert fit.message == ["ok", describe_status(FitStatus.NOT_POSITIVE)]
    assert jax.tree.structure(fit).num_leaves == 5  # a message is no field
    assert f"status={{'ok': 1, {describe_status(FitStatus.NOT_POSITIVE)!r}: 1}}" in repr(fit)
    alone = repr(effective_exponent(k, 1 / k, window=(1, 1e4)))
    assert alone.startswith("EffectiveExponent(beta_eff=1, standard_error=nan,")
    assert alone.endswith("num_points=9, status='ok')")
    jax.jit(lambda failure: print(effective_exponent(k, failure, window=(1, 1e4))))(
        1 / k
    )  # traced: no numbers
