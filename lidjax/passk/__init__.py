"""pass@k under the LID model: single-trial success and the population failure curve."""

from lidjax.passk.success import success_probability as success_probability
