"""pass@k under the LID model: success of one trial, failure of k trials by quadrature or from instances, counts."""

from lidjax.passk.counts import failure_from_counts as failure_from_counts
from lidjax.passk.counts import pass_at_k_from_counts as pass_at_k_from_counts
from lidjax.passk.counts import variance_from_counts as variance_from_counts
from lidjax.passk.curve import FailureCurve as FailureCurve
from lidjax.passk.curve import build_curve as build_curve
from lidjax.passk.curve import eval_curve as eval_curve
from lidjax.passk.distribution import SuccessDistribution as SuccessDistribution
from lidjax.passk.distribution import success_distribution as success_distribution
from lidjax.passk.draws import draw_failure as draw_failure
from lidjax.passk.instances import InstanceFailure as InstanceFailure
from lidjax.passk.instances import InstanceSample as InstanceSample
from lidjax.passk.instances import instance_failure as instance_failure
from lidjax.passk.instances import log_miss_probability as log_miss_probability
from lidjax.passk.instances import sample_instances as sample_instances
from lidjax.passk.instances import sample_success as sample_success
from lidjax.passk.majority import majority_from_answers as majority_from_answers
from lidjax.passk.majority import majority_probability as majority_probability
from lidjax.passk.model_draw import model_draw_success as model_draw_success
from lidjax.passk.model_draw import realised_gap as realised_gap
from lidjax.passk.population import FailureEstimate as FailureEstimate
from lidjax.passk.population import pass_at_k_failure as pass_at_k_failure
from lidjax.passk.stopping import attempts_from_counts as attempts_from_counts
from lidjax.passk.success import success_probability as success_probability
from lidjax.passk.successes import g_pass_at_k_from_counts as g_pass_at_k_from_counts
from lidjax.passk.successes import pass_hat_k_from_counts as pass_hat_k_from_counts
from lidjax.passk.verified import verified_from_counts as verified_from_counts
