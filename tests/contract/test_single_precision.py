"""Every public function that takes numbers, as most people call it: JAX without x64, and whole numbers as they come.

NumPy's 64-bit integers and Python's own do not fit the 32 bits that JAX would give them. A function must answer as it
does in float64, to float32's precision, or NaN; never with the answer for another number.
"""

import inspect

import jax
import numpy as np
import pytest

import lidjax

FUNCTIONS = [name for name in lidjax.__all__ if inspect.isfunction(inspect.unwrap(getattr(lidjax, name)))]
MODEL = {"beta": 2, "delta": 0.5, "sigma_eta": 1}
LARGE = np.array([10**10, 3 * 10**12])
HUGE = 10**18  # a Python integer
COUNTS = (3 * 10**9, np.array([5, 2 * 10**9]), 1000)
SIZES = 10 ** np.arange(2, 12)
CURVE = 4 * SIZES**-0.5


def on_model(function, *arguments, **more):
    return lambda: function(*arguments, **MODEL, **more)


def fit_fields(fit, *names):
    return [getattr(fit, name) for name in names]


CASES = {
    "power_law_spectrum": lambda: lidjax.power_law_spectrum(5, 1),
    "power_law_teacher": lambda: lidjax.power_law_teacher(5, 1),
    "mean_inverse_precision": lambda: lidjax.mean_inverse_precision(np.array([3, 3 * 10**9])),
    "correlated_lgen_factor": lambda: lidjax.correlated_lgen_factor(
        0, beta=4, dim=10**9, dependence="direction"
    ),
    "deterministic_lgen": lambda: lidjax.deterministic_lgen(
        LARGE, eigenvalues=np.array([4.0, 2.0, 1.0]), theta=np.ones(3), noise_variance=1, ridge=0
    ),
    "sgd_mean_lgen": lambda: lidjax.sgd_mean_lgen(
        LARGE,
        eigenvalues=np.array([4.0, 2.0, 1.0]),
        theta=np.ones(3),
        noise_variance=1,
        learning_rate=0.1,
        batch=2,
    ),
    "sgd_noise_floor": lambda: lidjax.sgd_noise_floor(
        eigenvalues=np.array([4, 2, 1]), noise_variance=1, learning_rate=0.1, batch=LARGE
    ),
    "sgd_stability_edge": lambda: lidjax.sgd_stability_edge(eigenvalues=np.array([4, 2, 1]), batch=LARGE),
    "ridge_fit": lambda: lidjax.ridge_fit(np.eye(3), np.array([1.0, 2.0, 3.0]), 0.5),
    "failure_from_counts": lambda: lidjax.failure_from_counts(*COUNTS, log=True),
    "pass_at_k_from_counts": lambda: lidjax.pass_at_k_from_counts(*COUNTS),
    "variance_from_counts": lambda: lidjax.variance_from_counts(*COUNTS),
    "pass_hat_k_from_counts": lambda: lidjax.pass_hat_k_from_counts(COUNTS[0], COUNTS[1], 3, log=True),
    "g_pass_at_k_from_counts": lambda: lidjax.g_pass_at_k_from_counts(*COUNTS, 0.5),
    "attempts_from_counts": lambda: lidjax.attempts_from_counts(*COUNTS),
    "verified_from_counts": lambda: lidjax.verified_from_counts(COUNTS[0], COUNTS[1], 1, COUNTS[2]),
    "majority_from_answers": lambda: lidjax.majority_from_answers(np.array([LARGE[0], 5]), [True, False], 7),
    "majority_probability": lambda: lidjax.majority_probability([0.5, 0.25], [True, False], [3, 7]),
    "instance_failure": lambda: lidjax.instance_failure(LARGE, np.array([1e-11, 1e-12]))[:3],
    "log_miss_probability": lambda: lidjax.log_miss_probability(10**5, 10**10, delta=10**5, sigma_eta=10**10),
    "success_probability": lambda: lidjax.success_probability(3 * 10**9, 2, delta=LARGE, sigma_eta=10**10),
    "model_draw_success": lambda: lidjax.model_draw_success(LARGE, delta=10**10, scale=10**10),
    "pass_at_k_failure": lambda: [
        lidjax.pass_at_k_failure(k, 1, **MODEL, log=True) for k in (LARGE, np.array([HUGE, 3 * 10**9]))
    ],
    "acceptance_ceiling": lambda: lidjax.acceptance_ceiling(1, sensitivity=np.array([0, 1]), false_accept=1),
    "first_accepted": lambda: lidjax.first_accepted(1e-11, LARGE, sensitivity=1, false_accept=1e-12),
    "best_of_k_error": lambda: lidjax.best_of_k_error(LARGE, bias=1, scale=3 * 10**9, log=True),
    "judged_amplitude": lambda: lidjax.judged_amplitude(1, scale=LARGE),
    "judged_exponent": lambda: lidjax.judged_exponent(LARGE, scale=10**5),
    "penalised_attempts": lambda: lidjax.penalised_attempts(LARGE, false_accept=1e-9, cost=3 * 10**9),
    "judged_turns": lambda: lidjax.judged_turns(LARGE, scale=10**6, reward_variance=1).astype(float),
    "asymptotic_failure": on_model(lidjax.asymptotic_failure, LARGE, 1, log=True),
    "finite_n_failure": on_model(lidjax.finite_n_failure, LARGE, 1, log=True),
    "threshold_failure": on_model(lidjax.threshold_failure, LARGE, 1, log=True),
    "finite_n_exponent": lambda: lidjax.finite_n_exponent(LARGE, 10**6, 3 * 10**9),
    "intrinsic_amplitude": lambda: lidjax.intrinsic_amplitude(2, delta=10**10, sigma_eta=3 * 10**9),
    "intrinsic_failure": lambda: lidjax.intrinsic_failure(LARGE, **MODEL),
    "intrinsic_prefactor": lambda: lidjax.intrinsic_prefactor(2, delta=10**10, sigma_eta=3 * 10**9),
    "limiting_exponent": lambda: lidjax.limiting_exponent(LARGE, HUGE),
    "log_crossover_k": on_model(lidjax.log_crossover_k, np.array([1, 2]) / 10),
    "log_finite_n_tail": on_model(lidjax.log_finite_n_tail, -(10**2), np.array([1, 2])),
    "saturating_exponent": lambda: lidjax.saturating_exponent(LARGE, 3, 2, 1e-10, 1),
    "small_window_success": lambda: lidjax.small_window_success(10**9, 2, delta=3, sigma_eta=3 * 10**9),
    "stretched_tail": lambda: lidjax.stretched_tail(1e-6, np.array([1, 2]), sigma_eta=1, log=True),
    "tauberian_amplitude": lambda: lidjax.tauberian_amplitude(LARGE, 2),
    "two_tail_failure": lambda: lidjax.two_tail_failure(LARGE, 1, 0.5, HUGE, 3 * 10**9),
    "window_constant": lambda: lidjax.window_constant(LARGE, 3 * 10**9),
    "window_exponent": lambda: lidjax.window_exponent(
        2, 0, delta=0.5, sigma_eta=1, window=(10, 10**10), num_k=2
    ),
    "effective_exponent": lambda: fit_fields(
        lidjax.effective_exponent(SIZES, CURVE, window=(100, 10**12)), "beta_eff", "log_intercept"
    ),
    "fit_power_law": lambda: fit_fields(
        lidjax.fit_power_law(SIZES, CURVE, window=(100, 10**12)), "beta", "c"
    ),
    "fit_stretched": lambda: fit_fields(lidjax.fit_stretched(SIZES, CURVE, window=(100, 10**12)), "v", "c"),
    "gamma_scaling": lambda: fit_fields(lidjax.gamma_scaling(SIZES, 10**12 // SIZES), "slope", "intercept"),
    "summarise_seeds": lambda: lidjax.summarise_seeds(LARGE.astype(float))[:3],
    "balance_exponent": lambda: lidjax.balance_exponent(2, kappa=1, rate_exponent=3 * 10**9),
    "bottleneck_loss": lambda: lidjax.bottleneck_loss(LARGE, HUGE),
    "capacity_asymptote": lambda: lidjax.capacity_asymptote(LARGE, 2, kappa=0.5),
    "capacity_loss": lambda: lidjax.capacity_loss(LARGE, 2, kappa=0.5),
    "compute_optimum": lambda: lidjax.compute_optimum(HUGE, 1.5, kappa=0.5)[:3],
    "coverage_asymptote": lambda: lidjax.coverage_asymptote(LARGE, 2),
    "coverage_loss": lambda: lidjax.coverage_loss(LARGE, 2),
    "optimisation_asymptote": lambda: lidjax.optimisation_asymptote(LARGE, 2),
    "optimisation_loss": lambda: lidjax.optimisation_loss(LARGE, 2),
}
TOLERANCE = 1e-5  # relative: sums of hundreds of terms, and logarithms of up to 60
LOOSER = {
    "log_crossover_k": 1e-3,  # a root where both sides differ by rounding
}

ELSEWHERE = {
    "draws, which differ in float32 and float64": """
        sample_features sample_training_set sample_label_noise sample_precision lgen_cell sample_lgen
        sgd_against_ridge sgd_lgen sgd_width_lgen draw_failure realised_gap sample_instances sample_success""",
    "expensive to compile, and converted as window_exponent and pass_at_k_failure are": """
        build_curve eval_curve success_distribution tail_index_from_window best_of_k_lid_loss best_of_k_loss
        softmax_error softmax_loss verified_pass_at_k expected_attempts""",
    "fits that read a curve as fit_power_law does; tests/fitting has their float32": """
        compare_laws fit_saturation fit_stretched_two_tail fit_two_tail fit_two_tail_shared preferred_law""",
    "computed in float64 whatever the session's setting": """
        allocate allocate_sweep phase_map surface_exact surface_sweep sweep_model backtest check_evals
        compare_models estimate_tail_indices fit_evals forecast_new_problems forecast_pass_at_k next_attempts
        read_evals summarise_backtest three_way_map compare_groups forecast_metrics""",
    "no numbers to convert": """
        best_attempts resolve_method describe_status cell_failures check_fit comparison_figure complete_part
        load_spec measure_sweep open_results plan_sweep run_sweep select_cells spec_from_dict split_cells
        summarise summary_overview fit_schema summary_tables write_fit_report write_sweep_report sweep_figures
        write_counts diagnostics_report feature_split make_cifar10h_features read_features
        distill_spec_from_dict load_distill_spec open_distillation run_distillation summarise_distillation
        run_status show_progress stop_on_signals save_figure""",
}


def test_every_public_function_is_here():
    others = [name for names in ELSEWHERE.values() for name in names.split()]
    assert sorted([*CASES, *others]) == sorted(FUNCTIONS)


@pytest.mark.parametrize("name", CASES)
def test_whole_numbers_are_themselves_without_x64(name):
    exact = [np.asarray(leaf, float) for leaf in jax.tree.leaves(CASES[name]())]
    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"):
        single = [np.asarray(leaf, float) for leaf in jax.tree.leaves(CASES[name]())]
    assert len(exact) == len(single) > 0
    for right, found in zip(exact, single, strict=True):
        assert np.isfinite(right).any()
        allowed = LOOSER.get(name, TOLERANCE) * np.abs(right) + 1e-30
        assert np.all(np.isnan(found) | (np.abs(found - right) <= allowed)), (found, right)
    assert any(np.isfinite(found).any() for found in single), "NaN everywhere is no answer"
