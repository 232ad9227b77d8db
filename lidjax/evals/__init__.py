"""Evaluation logs: read and checked, the population of success rates fitted, pass@K forecast, forecasts back-tested.

Counts of attempts and correct answers go in; forecasts with intervals and tail indices come out.
"""

from lidjax.evals.attempt_details import AnswerCounts as AnswerCounts
from lidjax.evals.attempt_details import GroupDetails as GroupDetails
from lidjax.evals.attempt_details import TokenUse as TokenUse
from lidjax.evals.attempt_details import VerifierCounts as VerifierCounts
from lidjax.evals.backtest import BacktestForecast as BacktestForecast
from lidjax.evals.backtest import BacktestResult as BacktestResult
from lidjax.evals.backtest import BacktestScore as BacktestScore
from lidjax.evals.backtest import backtest as backtest
from lidjax.evals.backtest import summarise_backtest as summarise_backtest
from lidjax.evals.checks import BatchDispersion as BatchDispersion
from lidjax.evals.checks import batch_dispersion as batch_dispersion
from lidjax.evals.checks import check_evals as check_evals
from lidjax.evals.comparison.bands import Band as Band
from lidjax.evals.comparison.crossings import Crossings as Crossings
from lidjax.evals.comparison.paired import Difference as Difference
from lidjax.evals.comparison.paired import PairedComparison as PairedComparison
from lidjax.evals.comparison.paired import compare_groups as compare_groups
from lidjax.evals.comparison.pairing import choose_pair as choose_pair
from lidjax.evals.counts_file import write_counts as write_counts
from lidjax.evals.density_models import ModelFit as ModelFit
from lidjax.evals.density_models import compare_models as compare_models
from lidjax.evals.finding import Finding as Finding
from lidjax.evals.fit import fit_evals as fit_evals
from lidjax.evals.forecasts.answer import Answer as Answer
from lidjax.evals.forecasts.answer import format_interval as format_interval
from lidjax.evals.forecasts.forecast import PassAtKForecast as PassAtKForecast
from lidjax.evals.forecasts.forecast import forecast_pass_at_k as forecast_pass_at_k
from lidjax.evals.forecasts.forecast_curve import ForecastCurve as ForecastCurve
from lidjax.evals.forecasts.forecast_curve import forecast_curve as forecast_curve
from lidjax.evals.forecasts.new_problems import NewProblemsForecast as NewProblemsForecast
from lidjax.evals.forecasts.new_problems import forecast_new_problems as forecast_new_problems
from lidjax.evals.forecasts.problems import ProblemMeans as ProblemMeans
from lidjax.evals.json_schema import fit_schema as fit_schema
from lidjax.evals.metrics import METRICS as METRICS
from lidjax.evals.metrics import GroupMetrics as GroupMetrics
from lidjax.evals.metrics import MetricCurve as MetricCurve
from lidjax.evals.metrics import forecast_metrics as forecast_metrics
from lidjax.evals.placement.advice import Advice as Advice
from lidjax.evals.placement.inspect_stopping import PassAtKStopping as PassAtKStopping
from lidjax.evals.placement.next_attempts import NextAttempts as NextAttempts
from lidjax.evals.placement.next_attempts import next_attempts as next_attempts
from lidjax.evals.read.files import read_evals as read_evals
from lidjax.evals.report import EvalFits as EvalFits
from lidjax.evals.report import GroupFit as GroupFit
from lidjax.evals.table import EvalData as EvalData
from lidjax.evals.table import Group as Group
from lidjax.evals.table import LeftAside as LeftAside
from lidjax.evals.table import PublishedPassAtK as PublishedPassAtK
from lidjax.evals.tail_index import TailIndexEstimate as TailIndexEstimate
from lidjax.evals.tail_index import estimate_tail_indices as estimate_tail_indices
from lidjax.evals.training import TrainingSeries as TrainingSeries
from lidjax.evals.training import group_by_training_size as group_by_training_size
