"""Figure 4 (and the lower row of Figure 3): what is drawn is what people said."""

import numpy as np
import pytest

from lidjax.features import HumanLabels
from lidjax.features.cifar10h import CLASSES
from lidjax.figures import examples_figure
from lidjax.figures.human_labels import EXAMPLE_QUANTILES, at_quantile

SCALE, FLOOR = 4.0, 1e-4


@pytest.fixture(scope="module")
def labels():
    """Forty images; in image i, people are divided between class 0 and class i mod 10, evenly from i = 10 on."""
    probabilities = np.zeros((40, 10))
    probabilities[:, 0] = 1
    for index in range(10, 40):
        probabilities[index] = 0
        probabilities[index, 0] += 0.5
        probabilities[index, index % 10] += 0.5
    return HumanLabels(
        images=np.arange(40, dtype=np.uint8)[:, None, None, None] * np.ones((1, 32, 32, 3), np.uint8),
        probabilities=probabilities,
        label=np.arange(40) % 10,
        ids=np.array([f"test_{i:05d}" for i in range(40)]),
        version="1.0.0",
    )


def test_quantiles_of_v_and_their_ties(labels):
    assert at_quantile(labels.variance, 0.0) == 0
    assert labels.variance[at_quantile(labels.variance, 1.0)] == labels.variance.max() == 81 / 4
    middle = at_quantile(labels.variance, 0.6)
    assert labels.variance[middle] == np.sort(labels.variance)[round(0.6 * 39)]


def test_each_row_shows_the_image_its_labels_and_its_gaussian(labels):
    figure = examples_figure(labels, scale=SCALE, floor=FLOOR)
    rows = figure.subfigs
    assert len(rows) == len(EXAMPLE_QUANTILES)
    for row, quantile in zip(rows, EXAMPLE_QUANTILES, strict=True):
        index = at_quantile(labels.variance, quantile)
        picture, histogram, density = row.axes
        np.testing.assert_array_equal(picture.images[0].get_array(), labels.images[index])
        assert picture.get_title().endswith(CLASSES[labels.label[index]])
        heights = [bar.get_height() for bar in histogram.patches]
        np.testing.assert_array_equal(heights, labels.probabilities[index])
        y, bell = map(np.asarray, density.lines[0].get_data())
        total = np.trapezoid(bell, y)
        mean = np.trapezoid(bell * y, y) / total
        assert total == pytest.approx(1, abs=1e-3)
        assert mean == pytest.approx(labels.mean[index] / SCALE, abs=1e-6)
        variance = np.trapezoid(bell * (y - mean) ** 2, y) / total
        assert variance == pytest.approx(labels.variance[index] + FLOOR, rel=3e-3)  # cut at four deviations
