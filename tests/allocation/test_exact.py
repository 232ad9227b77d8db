"""The optimum against every split there is."""

import numpy as np
import pytest
from allocation_twin import SPECTRA, Setting, all_whole_splits, fine_grid, random_settings

from lidjax.allocation import allocate


def allocate_all(settings: list[Setting], **options):
    """(loss, n, k) of each setting, one call a spectrum."""
    out = np.full((len(settings), 3), np.nan)
    for spectrum in range(len(SPECTRA)):
        mine = [i for i, x in enumerate(settings) if x.spectrum == spectrum]
        if not mine:
            continue
        eigenvalues, theta = settings[mine[0]].modes
        columns = {name: np.array([getattr(settings[i], name) for i in mine]) for name in Setting._fields[1:]}
        found = allocate(**columns, eigenvalues=eigenvalues, theta=theta, rules=(), **options)
        out[mine] = np.stack([found.loss, found.n, found.k], axis=1)
    return out


def check_few(settings):
    for setting, (loss, n, k) in zip(settings, allocate_all(settings), strict=True):
        least, best_n, best_k = all_whole_splits(setting)
        assert loss == pytest.approx(least, rel=2e-6), (setting, (n, k), (best_n, best_k))


def check_many(settings):
    """Never worse than the grid by more than whole counts cost, and the grid not better than its own resolution."""
    excess = []
    for setting, (loss, n, k) in zip(settings, allocate_all(settings), strict=True):
        least, best_n, best_k = fine_grid(setting)
        assert loss < least * (1 + 1e-5 + 1 / min(n, k) ** 2), (
            setting,
            (n, k),
            (best_n, best_k),
            loss / least - 1,
        )
        excess.append(least / loss - 1)
    assert np.median(np.abs(excess)) < 1e-4
    return np.array(excess)


@pytest.mark.slow
def test_few_counts_against_every_whole_split_500():
    check_few(random_settings(1, 500, few=True))


@pytest.mark.slow
def test_many_counts_against_a_fine_grid_500():
    check_many(random_settings(2, 500, few=False))
