"""pass@k under the LID model: single-trial success, population and instance-level failure, counts."""

from lidjax.passk.counts import failure_from_counts as failure_from_counts
from lidjax.passk.counts import pass_at_k_from_counts as pass_at_k_from_counts
from lidjax.passk.draws import draw_failure as draw_failure
from lidjax.passk.instances import InstanceFailure as InstanceFailure
from lidjax.passk.instances import instance_failure as instance_failure
from lidjax.passk.instances import log_miss_probability as log_miss_probability
from lidjax.passk.instances import sample_instances as sample_instances
from lidjax.passk.instances import sample_success as sample_success
from lidjax.passk.model_draw import model_draw_success as model_draw_success
from lidjax.passk.population import FailureEstimate as FailureEstimate
from lidjax.passk.population import pass_at_k_failure as pass_at_k_failure
from lidjax.passk.success import success_probability as success_probability
