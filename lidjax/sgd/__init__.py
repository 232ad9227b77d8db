"""One-pass SGD on the LID model: training along the number of steps t, the batch size B and the step size."""

from lidjax.sgd.edge import sgd_noise_floor as sgd_noise_floor
from lidjax.sgd.edge import sgd_stability_edge as sgd_stability_edge
from lidjax.sgd.mean import sgd_mean_lgen as sgd_mean_lgen
