"""Fits of the laws to curves: every estimate with its uncertainty, and a word when the data cannot tell."""

from lidjax.fit.exponent import EffectiveExponent as EffectiveExponent
from lidjax.fit.exponent import effective_exponent as effective_exponent
from lidjax.fit.saturation import SaturationFit as SaturationFit
from lidjax.fit.saturation import fit_saturation as fit_saturation
from lidjax.fit.seeds import SeedSummary as SeedSummary
from lidjax.fit.seeds import summarise_seeds as summarise_seeds
from lidjax.fit.status import FitStatus as FitStatus
from lidjax.fit.status import describe_status as describe_status
from lidjax.fit.two_tail import StretchedTwoTailFit as StretchedTwoTailFit
from lidjax.fit.two_tail import TwoTailFit as TwoTailFit
from lidjax.fit.two_tail import fit_stretched_two_tail as fit_stretched_two_tail
from lidjax.fit.two_tail import fit_two_tail as fit_two_tail
