"""What a check of counts says."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Something that may be wrong with the counts of one group.

    Example:
        >>> from lidjax.evals import Finding
        >>> Finding("one_problem", "small", "one problem").likelihood_only
        False
    """

    kind: str
    """Name of the finding, for programs."""
    group: str
    """Name of the group."""
    message: str
    """What was found and what it means, for people."""
    likelihood_only: bool = False
    """Whether c/n and the unbiased pass@k are biased, so that only methods based on the likelihood are right."""
