"""The laws of pass@k as functions of the model's parameters.

Each says whether it is exact or asymptotic, where it holds, and with which constants. Fits of the laws to curves are in
`lidjax.fitting`.
"""

from lidjax.laws.crossover import log_crossover_k as log_crossover_k
from lidjax.laws.failure import asymptotic_failure as asymptotic_failure
from lidjax.laws.failure import finite_n_failure as finite_n_failure
from lidjax.laws.failure import threshold_failure as threshold_failure
from lidjax.laws.finite_n import FiniteNTail as FiniteNTail
from lidjax.laws.finite_n import log_finite_n_tail as log_finite_n_tail
from lidjax.laws.finite_n import stretched_tail as stretched_tail
from lidjax.laws.intrinsic import intrinsic_amplitude as intrinsic_amplitude
from lidjax.laws.intrinsic import intrinsic_failure as intrinsic_failure
from lidjax.laws.intrinsic import intrinsic_prefactor as intrinsic_prefactor
from lidjax.laws.intrinsic import small_window_success as small_window_success
from lidjax.laws.intrinsic import tauberian_amplitude as tauberian_amplitude
from lidjax.laws.intrinsic import window_constant as window_constant
from lidjax.laws.saturation import saturating_exponent as saturating_exponent
from lidjax.laws.two_tail import finite_n_exponent as finite_n_exponent
from lidjax.laws.two_tail import limiting_exponent as limiting_exponent
from lidjax.laws.two_tail import two_tail_failure as two_tail_failure
from lidjax.laws.window_bias import TailIndices as TailIndices
from lidjax.laws.window_bias import tail_index_from_window as tail_index_from_window
from lidjax.laws.window_bias import window_exponent as window_exponent
