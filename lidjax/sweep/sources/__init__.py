"""The shipped kinds of cell, one file or folder each."""

from lidjax.sweep.sources.correlated import KIND as CORRELATED
from lidjax.sweep.sources.features import KIND as FEATURES
from lidjax.sweep.sources.frontier import KIND as FRONTIER
from lidjax.sweep.sources.random_features import KIND as RANDOM_FEATURES
from lidjax.sweep.sources.sgd import KIND as SGD
from lidjax.sweep.sources.synthetic import KIND as SYNTHETIC
from lidjax.sweep.sources.verifiers import KIND as VERIFIERS

SHIPPED = (SYNTHETIC, FEATURES, FRONTIER, RANDOM_FEATURES, SGD, VERIFIERS, CORRELATED)
