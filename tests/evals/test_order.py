"""Natural order of names."""

import random

from lidjax.evals.order import natural_order

SORTED = (
    "a9",
    "a10",
    "gpt-4o",
    "gpt-4o-mini",
    "m tokens=3.2e+08",
    "m tokens=1e+09",
    "Pythia_70M_2B",
    "Pythia_70M_20B",
    "Pythia_160M",
    "Pythia_1B",
    "Pythia_1.4B",
    "pythia_12b",
    "qwen2.5-7b-instruct",
    "qwen2.5-72b",
)


def test_numbers_and_their_suffixes_count():
    names = list(SORTED)
    random.Random(0).shuffle(names)
    assert [names[i] for i in natural_order(names)] == list(SORTED)
    assert sorted(SORTED) != list(SORTED)  # the order of characters is another


def test_equal_names_keep_their_order():
    assert natural_order(["b", "a", "B"]) == [1, 0, 2]
