# ruff: noqa: I001  (grouped by subject, not by module)
"""The public contract: every name that `lidjax` offers, by subject."""

# the model, one cell at a time
from .model import power_law_spectrum as power_law_spectrum
from .model import power_law_teacher as power_law_teacher
from .model import sample_features as sample_features
from .model import sample_training_set as sample_training_set
from .difficulty import mean_inverse_precision as mean_inverse_precision
from .difficulty import sample_label_noise as sample_label_noise
from .difficulty import sample_precision as sample_precision
from .correlated import correlated_lgen_factor as correlated_lgen_factor
from .generalization import deterministic_lgen as deterministic_lgen
from .generalization import lgen_cell as lgen_cell
from .generalization import resolve_method as resolve_method
from .generalization import sample_lgen as sample_lgen
from .ridge import ridge_fit as ridge_fit
from .sgd import sgd_against_ridge as sgd_against_ridge
from .sgd import sgd_lgen as sgd_lgen
from .sgd import sgd_mean_lgen as sgd_mean_lgen
from .sgd import sgd_noise_floor as sgd_noise_floor
from .sgd import sgd_stability_edge as sgd_stability_edge
from .passk import attempts_from_counts as attempts_from_counts
from .sgd import sgd_width_lgen as sgd_width_lgen
from .passk import build_curve as build_curve
from .passk import draw_failure as draw_failure
from .passk import eval_curve as eval_curve
from .passk import expected_attempts as expected_attempts
from .passk import failure_from_counts as failure_from_counts
from .passk import g_pass_at_k_from_counts as g_pass_at_k_from_counts
from .passk import instance_failure as instance_failure
from .passk import log_miss_probability as log_miss_probability
from .passk import majority_from_answers as majority_from_answers
from .passk import majority_probability as majority_probability
from .passk import model_draw_success as model_draw_success
from .passk import pass_at_k_failure as pass_at_k_failure
from .passk import pass_at_k_from_counts as pass_at_k_from_counts
from .passk import pass_hat_k_from_counts as pass_hat_k_from_counts
from .passk import realised_gap as realised_gap
from .passk import sample_instances as sample_instances
from .passk import sample_success as sample_success
from .passk import success_distribution as success_distribution
from .passk import success_probability as success_probability
from .passk import variance_from_counts as variance_from_counts
from .passk import verified_from_counts as verified_from_counts
from .verifiers import Acceptance as Acceptance
from .verifiers import BestAttempts as BestAttempts
from .verifiers import acceptance_ceiling as acceptance_ceiling
from .verifiers import best_attempts as best_attempts
from .verifiers import best_of_k_error as best_of_k_error
from .verifiers import best_of_k_lid_loss as best_of_k_lid_loss
from .verifiers import best_of_k_loss as best_of_k_loss
from .verifiers import first_accepted as first_accepted
from .verifiers import judged_amplitude as judged_amplitude
from .verifiers import judged_exponent as judged_exponent
from .verifiers import judged_turns as judged_turns
from .verifiers import penalised_attempts as penalised_attempts
from .verifiers import softmax_error as softmax_error
from .verifiers import softmax_loss as softmax_loss
from .verifiers import verified_pass_at_k as verified_pass_at_k

# laws, and fits of them to curves
from .laws import asymptotic_failure as asymptotic_failure
from .laws import finite_n_exponent as finite_n_exponent
from .laws import finite_n_failure as finite_n_failure
from .laws import intrinsic_amplitude as intrinsic_amplitude
from .laws import intrinsic_failure as intrinsic_failure
from .laws import intrinsic_prefactor as intrinsic_prefactor
from .laws import limiting_exponent as limiting_exponent
from .laws import log_crossover_k as log_crossover_k
from .laws import log_finite_n_tail as log_finite_n_tail
from .laws import saturating_exponent as saturating_exponent
from .laws import small_window_success as small_window_success
from .laws import stretched_tail as stretched_tail
from .laws import tail_index_from_window as tail_index_from_window
from .laws import tauberian_amplitude as tauberian_amplitude
from .laws import threshold_failure as threshold_failure
from .laws import two_tail_failure as two_tail_failure
from .laws import window_constant as window_constant
from .laws import window_exponent as window_exponent
from .fitting import FitStatus as FitStatus
from .fitting import compare_laws as compare_laws
from .fitting import describe_status as describe_status
from .fitting import effective_exponent as effective_exponent
from .fitting import fit_power_law as fit_power_law
from .fitting import fit_saturation as fit_saturation
from .fitting import fit_stretched as fit_stretched
from .fitting import fit_stretched_two_tail as fit_stretched_two_tail
from .fitting import fit_two_tail as fit_two_tail
from .fitting import fit_two_tail_shared as fit_two_tail_shared
from .fitting import gamma_scaling as gamma_scaling
from .fitting import preferred_law as preferred_law
from .fitting import summarise_seeds as summarise_seeds

# how to divide a budget, and what limits a learner
from .allocation import allocate as allocate
from .allocation import allocate_sweep as allocate_sweep
from .allocation import phase_map as phase_map
from .allocation import surface_exact as surface_exact
from .allocation import surface_sweep as surface_sweep
from .allocation import sweep_model as sweep_model
from .allocation import three_way_map as three_way_map
from .frontier import balance_exponent as balance_exponent
from .frontier import bottleneck_loss as bottleneck_loss
from .frontier import capacity_asymptote as capacity_asymptote
from .frontier import capacity_loss as capacity_loss
from .frontier import compute_optimum as compute_optimum
from .frontier import coverage_asymptote as coverage_asymptote
from .frontier import coverage_loss as coverage_loss
from .frontier import optimisation_asymptote as optimisation_asymptote
from .frontier import optimisation_loss as optimisation_loss

# sweeps
from .sweep import CorrelatedSpec as CorrelatedSpec
from .sweep import FeaturesSpec as FeaturesSpec
from .sweep import FrontierSpec as FrontierSpec
from .sweep import SgdSpec as SgdSpec
from .sweep import RandomFeaturesSpec as RandomFeaturesSpec
from .sweep import SyntheticSpec as SyntheticSpec
from .sweep import VerifierSpec as VerifierSpec
from .sweep import cell_failures as cell_failures
from .sweep import check_fit as check_fit
from .sweep import comparison_figure as comparison_figure
from .sweep import complete_part as complete_part
from .sweep import load_spec as load_spec
from .sweep import measure_sweep as measure_sweep
from .sweep import open_results as open_results
from .sweep import plan_sweep as plan_sweep
from .sweep import run_sweep as run_sweep
from .sweep import select_cells as select_cells
from .sweep import spec_from_dict as spec_from_dict
from .sweep import split_cells as split_cells
from .sweep import summarise as summarise
from .sweep import summary_overview as summary_overview
from .sweep import summary_tables as summary_tables
from .sweep import sweep_figures as sweep_figures

# evaluation logs
from .evals import EvalData as EvalData
from .evals import Group as Group
from .evals import backtest as backtest
from .evals import check_evals as check_evals
from .evals import compare_groups as compare_groups
from .evals import compare_models as compare_models
from .evals import estimate_tail_indices as estimate_tail_indices
from .evals import fit_evals as fit_evals
from .evals import forecast_metrics as forecast_metrics
from .evals import fit_schema as fit_schema
from .evals import forecast_new_problems as forecast_new_problems
from .evals import forecast_pass_at_k as forecast_pass_at_k
from .evals import next_attempts as next_attempts
from .evals import read_evals as read_evals
from .evals import summarise_backtest as summarise_backtest
from .evals import write_counts as write_counts

# reports
from .report import write_fit_report as write_fit_report
from .report import write_sweep_report as write_sweep_report

# real features, and teachers with their students
from .features import diagnostics_report as diagnostics_report
from .features import feature_split as feature_split
from .features import make_cifar10h_features as make_cifar10h_features
from .features import read_features as read_features
from .distill import distill_spec_from_dict as distill_spec_from_dict
from .distill import load_distill_spec as load_distill_spec
from .distill import open_distillation as open_distillation
from .distill import run_distillation as run_distillation
from .distill import summarise_distillation as summarise_distillation

# what all long work shares
from .runs import Shard as Shard
from .runs import StopRequest as StopRequest
from .runs import run_status as run_status
from .runs import show_progress as show_progress
from .runs import stop_on_signals as stop_on_signals
from .figures import save_figure as save_figure
from .status import CellStatus as CellStatus
from .errors import InputError as InputError

__version__: str
