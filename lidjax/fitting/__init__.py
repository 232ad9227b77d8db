"""Fits of the laws to failure curves, exponents and seeds, each estimate with its uncertainty and a status in words.

Evaluation logs are fitted by `lidjax.fit_evals` (the command `lidjax fit`).
"""

from lidjax.fitting.compare import LAWS as LAWS
from lidjax.fitting.compare import LawComparison as LawComparison
from lidjax.fitting.compare import compare_laws as compare_laws
from lidjax.fitting.compare import preferred_law as preferred_law
from lidjax.fitting.exponent import EffectiveExponent as EffectiveExponent
from lidjax.fitting.exponent import effective_exponent as effective_exponent
from lidjax.fitting.gamma_scaling import GammaScaling as GammaScaling
from lidjax.fitting.gamma_scaling import gamma_scaling as gamma_scaling
from lidjax.fitting.saturation import SaturationFit as SaturationFit
from lidjax.fitting.saturation import fit_saturation as fit_saturation
from lidjax.fitting.seeds import SeedSummary as SeedSummary
from lidjax.fitting.seeds import summarise_seeds as summarise_seeds
from lidjax.fitting.shared_beta import SharedTwoTailFit as SharedTwoTailFit
from lidjax.fitting.shared_beta import fit_two_tail_shared as fit_two_tail_shared
from lidjax.fitting.single_tail import PowerFit as PowerFit
from lidjax.fitting.single_tail import StretchedFit as StretchedFit
from lidjax.fitting.single_tail import fit_power_law as fit_power_law
from lidjax.fitting.single_tail import fit_stretched as fit_stretched
from lidjax.fitting.status import FitStatus as FitStatus
from lidjax.fitting.status import describe_status as describe_status
from lidjax.fitting.two_tail import StretchedTwoTailFit as StretchedTwoTailFit
from lidjax.fitting.two_tail import TwoTailFit as TwoTailFit
from lidjax.fitting.two_tail import fit_stretched_two_tail as fit_stretched_two_tail
from lidjax.fitting.two_tail import fit_two_tail as fit_two_tail
