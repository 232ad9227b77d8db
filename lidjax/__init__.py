"""lidjax: how training shapes what repeated sampling can buy.

The Latent Instance Difficulty model as pure JAX kernels, sweeps over whole (N, k, β, seed) grids, and
the laws fitted to them. Everything public is named here.
"""

from lidjax.allocation import allocate as allocate
from lidjax.allocation import allocate_sweep as allocate_sweep
from lidjax.difficulty import mean_inverse_precision as mean_inverse_precision
from lidjax.difficulty import sample_label_noise as sample_label_noise
from lidjax.difficulty import sample_precision as sample_precision
from lidjax.distill import run_distillation as run_distillation
from lidjax.errors import InputError as InputError
from lidjax.features.split import feature_split as feature_split
from lidjax.fitting import compare_laws as compare_laws
from lidjax.fitting import effective_exponent as effective_exponent
from lidjax.fitting import fit_power_law as fit_power_law
from lidjax.fitting import fit_saturation as fit_saturation
from lidjax.fitting import fit_stretched as fit_stretched
from lidjax.fitting import fit_stretched_two_tail as fit_stretched_two_tail
from lidjax.fitting import fit_two_tail as fit_two_tail
from lidjax.fitting import fit_two_tail_shared as fit_two_tail_shared
from lidjax.fitting import gamma_scaling as gamma_scaling
from lidjax.fitting import preferred_law as preferred_law
from lidjax.fitting import summarise_seeds as summarise_seeds
from lidjax.frontier import bottleneck_loss as bottleneck_loss
from lidjax.frontier import capacity_loss as capacity_loss
from lidjax.frontier import compute_optimum as compute_optimum
from lidjax.frontier import coverage_loss as coverage_loss
from lidjax.frontier import optimisation_loss as optimisation_loss
from lidjax.generalization import deterministic_lgen as deterministic_lgen
from lidjax.generalization import sample_lgen as sample_lgen
from lidjax.model import power_law_spectrum as power_law_spectrum
from lidjax.model import power_law_teacher as power_law_teacher
from lidjax.model import sample_features as sample_features
from lidjax.model import sample_training_set as sample_training_set
from lidjax.passk import draw_failure as draw_failure
from lidjax.passk import failure_from_counts as failure_from_counts
from lidjax.passk import instance_failure as instance_failure
from lidjax.passk import model_draw_success as model_draw_success
from lidjax.passk import pass_at_k_failure as pass_at_k_failure
from lidjax.passk import pass_at_k_from_counts as pass_at_k_from_counts
from lidjax.passk import realised_gap as realised_gap
from lidjax.passk import sample_instances as sample_instances
from lidjax.passk import sample_success as sample_success
from lidjax.passk import success_distribution as success_distribution
from lidjax.passk import success_probability as success_probability
from lidjax.ridge import ridge_fit as ridge_fit
from lidjax.sweep import plan_sweep as plan_sweep
from lidjax.sweep import run_sweep as run_sweep

__version__ = "0.1.0"
