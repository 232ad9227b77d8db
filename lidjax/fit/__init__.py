"""Fits of the laws to curves: every estimate with its uncertainty, and a word when the data cannot tell."""

from lidjax.fit.compare import LAWS as LAWS
from lidjax.fit.compare import LawComparison as LawComparison
from lidjax.fit.compare import compare_laws as compare_laws
from lidjax.fit.exponent import EffectiveExponent as EffectiveExponent
from lidjax.fit.exponent import effective_exponent as effective_exponent
from lidjax.fit.gamma_scaling import GammaScaling as GammaScaling
from lidjax.fit.gamma_scaling import gamma_scaling as gamma_scaling
from lidjax.fit.saturation import SaturationFit as SaturationFit
from lidjax.fit.saturation import fit_saturation as fit_saturation
from lidjax.fit.seeds import SeedSummary as SeedSummary
from lidjax.fit.seeds import summarise_seeds as summarise_seeds
from lidjax.fit.shared_beta import SharedTwoTailFit as SharedTwoTailFit
from lidjax.fit.shared_beta import fit_two_tail_shared as fit_two_tail_shared
from lidjax.fit.single_tail import PowerFit as PowerFit
from lidjax.fit.single_tail import StretchedFit as StretchedFit
from lidjax.fit.single_tail import fit_power_law as fit_power_law
from lidjax.fit.single_tail import fit_stretched as fit_stretched
from lidjax.fit.status import FitStatus as FitStatus
from lidjax.fit.status import describe_status as describe_status
from lidjax.fit.two_tail import StretchedTwoTailFit as StretchedTwoTailFit
from lidjax.fit.two_tail import TwoTailFit as TwoTailFit
from lidjax.fit.two_tail import fit_stretched_two_tail as fit_stretched_two_tail
from lidjax.fit.two_tail import fit_two_tail as fit_two_tail
