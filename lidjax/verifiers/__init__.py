"""Verifiers that err: false and missed acceptance, and judges that rank answers by a reward."""

from lidjax.verifiers.acceptance import Acceptance as Acceptance
from lidjax.verifiers.acceptance import acceptance_ceiling as acceptance_ceiling
from lidjax.verifiers.acceptance import first_accepted as first_accepted
from lidjax.verifiers.acceptance_laws import penalised_attempts as penalised_attempts
from lidjax.verifiers.best import BestAttempts as BestAttempts
from lidjax.verifiers.best import best_attempts as best_attempts
from lidjax.verifiers.judge_laws import judged_amplitude as judged_amplitude
from lidjax.verifiers.judge_laws import judged_exponent as judged_exponent
from lidjax.verifiers.judge_laws import judged_turns as judged_turns
from lidjax.verifiers.judges import best_of_k_error as best_of_k_error
from lidjax.verifiers.judges import best_of_k_lid_loss as best_of_k_lid_loss
from lidjax.verifiers.judges import best_of_k_loss as best_of_k_loss
from lidjax.verifiers.judges import softmax_error as softmax_error
from lidjax.verifiers.judges import softmax_loss as softmax_loss
from lidjax.verifiers.population import verified_pass_at_k as verified_pass_at_k
