"""The shape of what `lidjax fit --json` prints, as types. `docs/fit.schema.json` is made from them.

A number that may be missing is NaN in Python and null in JSON.
"""

from typing import Annotated, Any, NamedTuple, TypedDict


class Says(NamedTuple):
    """The description of a field in the schema."""

    text: str
    """What the field holds."""
    null: str = ""
    """When its value is null; empty if it never is."""


class FindingJson(TypedDict):
    code: Annotated[str, Says('What was found, such as "stopped_sampling"; `check_evals` lists the codes')]
    message: Annotated[str, Says("The finding in words, with its numbers")]
    likelihood_only: Annotated[bool, Says("Whether c/n and the unbiased pass@k are biased by it")]


class AnswerJson(TypedDict):
    sentence: Annotated[str, Says("The answer in words")]
    k: Annotated[int, Says("The first target beyond all attempts made, or else the largest target")]
    pass_at_k: Annotated[float, Says("pass@k of these problems: the median of the posterior")]
    lower: Annotated[float, Says("Lower end of its interval")]
    upper: Annotated[float, Says("Upper end of its interval")]
    unsolved_at: Annotated[int, Says("Number of attempts at each problem that `unsolved` is for")]
    unsolved: Annotated[int, Says("Number of these problems that are expected to be unsolved then")]
    unsolved_lower: Annotated[int, Says("Lower end of its interval")]
    unsolved_upper: Annotated[int, Says("Upper end of its interval")]
    made: Annotated[bool, Says("Whether those attempts have been made, so that `unsolved` is known")]


class PassAtKJson(TypedDict):
    k: Annotated[int, Says("Number of attempts k")]
    unbiased: Annotated[
        float,
        Says(
            "Unbiased pass@k from the attempts made", "where a problem has fewer than k, or they are biased"
        ),
    ]
    latent: Annotated[float, Says("pass@k of these problems: the median of the posterior")]
    latent_lower: Annotated[float, Says("Lower end of its interval")]
    latent_upper: Annotated[float, Says("Upper end of its interval")]
    new_problems: Annotated[float, Says("pass@k of as many new problems of the same kind: the median")]
    new_problems_lower: Annotated[float, Says("Lower end of its interval")]
    new_problems_upper: Annotated[float, Says("Upper end of its interval")]
    prediction: Annotated[
        float,
        Says("What a run of k attempts at these problems reports, the attempts made included: the median"),
    ]
    lower: Annotated[float, Says("Lower end of its interval")]
    upper: Annotated[float, Says("Upper end of its interval")]


class ProblemJson(TypedDict):
    problem: Annotated[str, Says("Name of the problem")]
    n: Annotated[int, Says("Number of attempts")]
    c: Annotated[int, Says("Number of correct answers")]
    rate: Annotated[float, Says("Posterior mean of its success rate")]
    pass_at_k: Annotated[
        list[float], Says("Posterior mean of its pass@k, at each k of the group's `pass_at_k`")
    ]


class TailIndexJson(TypedDict):
    estimator: Annotated[str, Says("Name of the estimator")]
    value: Annotated[float, Says("The estimate", "where the counts allow none")]
    lower: Annotated[float, Says("Lower end of its interval", "where there is none")]
    upper: Annotated[float, Says("Upper end of its interval", "where there is none")]
    interval: Annotated[
        str, Says('"bootstrap over problems", "bootstrap over attempts", "posterior" or "none"')
    ]


class ModelJson(TypedDict):
    model: Annotated[str, Says("Name of the model of the success rates")]
    log_likelihood: Annotated[float, Says("Log-likelihood in nats", "where the fit failed")]
    aic: Annotated[float, Says("Akaike's criterion; smaller is better", "where the fit failed")]
    tail_index: Annotated[float, Says("Tail index", "where some problems are never solved")]
    parameters: Annotated[dict[str, float], Says("Parameters by name")]
    status: Annotated[str, Says('"ok", "not converged", or "at the edge: ..."')]


class NextAttemptsJson(TypedDict):
    k: Annotated[int, Says("The k of the pass@k: that of the answer")]
    total: Annotated[int, Says("Number of further attempts, over all problems")]
    lower: Annotated[float, Says("Lower end of the interval of pass@k now")]
    upper: Annotated[float, Says("Upper end of the interval of pass@k now")]
    uniform_lower: Annotated[float, Says("Lower end that is expected after as many attempts, spread evenly")]
    uniform_upper: Annotated[float, Says("Upper end that is expected then")]
    placed_lower: Annotated[float, Says("Lower end that is expected after they are placed as in `attempts`")]
    placed_upper: Annotated[float, Says("Upper end that is expected then")]
    worthwhile: Annotated[bool, Says("Whether one of the two narrows the interval by a tenth or more")]
    attempts: Annotated[
        dict[str, int], Says("Number of attempts by problem, most first; problems that get none are left out")
    ]


class GroupJson(TypedDict):
    group: Annotated[str, Says("Name of the group")]
    fields: Annotated[dict[str, str | float], Says("Values of the columns that define the group")]
    problems: Annotated[int, Says("Number of problems")]
    attempts: Annotated[int, Says("Number of attempts at all of them")]
    solved: Annotated[int, Says("Number of problems that were solved at least once")]
    findings: Annotated[list[FindingJson], Says("What may be wrong with the counts")]
    method: Annotated[str, Says('"default", or "pooled" where groups share the shape of their densities')]
    effective_sample: Annotated[float, Says("Effective sample size of the posterior")]
    converged: Annotated[bool, Says("Whether it is large enough to trust the posterior")]
    answer: Annotated[AnswerJson, Says("The answer in one sentence, and its numbers")]
    pass_at_k: Annotated[list[PassAtKJson], Says("Forecasts with their intervals, for every target k")]
    per_problem: Annotated[list[ProblemJson], Says("Counts and posterior means of every problem")]
    tail_index: Annotated[list[TailIndexJson], Says("The tail index by each estimator")]
    models: Annotated[list[ModelJson], Says("Maximum-likelihood models, best first; empty if not asked for")]
    next_attempts: Annotated[NextAttemptsJson, Says("What further attempts would tell")]


class MetricValueJson(TypedDict):
    metric: Annotated[
        str,
        Says(
            '"pass^k", "G-pass@k(TAU)", "pass@k", "attempts", "tokens", "maj@k", "verified pass@k" or '
            '"wrong answer accepted"'
        ),
    ]
    k: Annotated[float, Says("Number of attempts", "for the limit of many attempts")]
    unbiased: Annotated[float, Says("Unbiased estimate from the counts", "beyond the attempts made")]
    value: Annotated[float, Says("Median of the posterior, or of the forecast of a run")]
    lower: Annotated[float, Says("Lower end of its interval")]
    upper: Annotated[float, Says("Upper end of its interval")]
    interval_of: Annotated[str, Says('"these problems", or "a run" of k attempts at each of them')]


class FirstSuccessJson(TypedDict):
    share: Annotated[float, Says("Share of the problems")]
    attempts: Annotated[float, Says("Expected attempts to the first success that they stay within")]
    lower: Annotated[float, Says("Lower end of its interval")]
    upper: Annotated[float, Says("Upper end of its interval")]


class MetricsJson(TypedDict):
    group: Annotated[str, Says("Name of the group")]
    level: Annotated[float, Says("Probability that each interval should hold its value")]
    curves: Annotated[list[MetricValueJson], Says("Every metric at every k")]
    first_success: Annotated[
        list[FirstSuccessJson], Says("Of half and of nine tenths of the problems; empty without attempts")
    ]


class LeftAsideJson(TypedDict):
    fields: Annotated[dict[str, str | float], Says("Fields of the group")]
    problem: Annotated[str, Says("Name of the problem")]
    count: Annotated[int, Says("Number of attempts that are not counted")]
    reason: Annotated[str, Says("Why nothing says whether they are correct")]


class FitsJson(TypedDict):
    format: Annotated[str, Says("Format of the logs")]
    notes: Annotated[list[str], Says("What the readers assumed and skipped")]
    level: Annotated[float, Says("Probability that each interval should hold its value")]
    left_aside: Annotated[list[LeftAsideJson], Says("Attempts without a verdict, which are not counted")]
    groups: Annotated[list[GroupJson], Says("The results of each group, in the natural order of their names")]


class TrainingJson(TypedDict):
    series: Annotated[str, Says("Name of the series: groups that differ in training size alone")]
    sizes: Annotated[list[float], Says("Training sizes, ascending")]
    tail_index: Annotated[list[float], Says("Tail index at each of them")]
    se: Annotated[list[float], Says("Its standard error")]
    p_never_falls: Annotated[float, Says('p-value of "the index never falls"')]
    p_flat: Annotated[float, Says('p-value of "the index is the same everywhere" against "it rises"')]
    saturation: Annotated[dict[str, float] | None, Says("Parameters of Eq. 20", "with fewer than five sizes")]
    saturation_se: Annotated[
        dict[str, float] | None, Says("Their standard errors", "with fewer than five sizes")
    ]
    verdict: Annotated[str, Says("What the tests and the fit say, in words")]


class FitCommandJson(FitsJson):
    command: Annotated[str, Says('"fit"')]
    version: Annotated[str, Says("Version of lidjax")]
    metrics: Annotated[list[MetricsJson], Says("Metrics beside pass@k, where `--metrics` asks for them")]
    training: Annotated[list[TrainingJson], Says("The training axis, where `--training` asks for it")]
    figures: Annotated[list[str], Says("Paths of the figures that were written")]


Schema = dict[str, Any]
