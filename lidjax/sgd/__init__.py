"""One-pass SGD on the LID model: training along the number of steps t, the batch size B and the step size."""

from lidjax.sgd.edge import sgd_noise_floor as sgd_noise_floor
from lidjax.sgd.edge import sgd_stability_edge as sgd_stability_edge
from lidjax.sgd.mean import sgd_mean_lgen as sgd_mean_lgen
from lidjax.sgd.passes import AgainstRidge as AgainstRidge
from lidjax.sgd.passes import sgd_against_ridge as sgd_against_ridge
from lidjax.sgd.runs import sgd_lgen as sgd_lgen
from lidjax.sgd.width import sgd_width_lgen as sgd_width_lgen
