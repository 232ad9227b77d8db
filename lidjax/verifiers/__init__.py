"""Verifiers that err: false and missed acceptance, and judges that rank answers by a reward."""

from lidjax.verifiers.acceptance import Acceptance as Acceptance
from lidjax.verifiers.acceptance import acceptance_ceiling as acceptance_ceiling
from lidjax.verifiers.acceptance import first_accepted as first_accepted
