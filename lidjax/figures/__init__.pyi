"""The names of `lidjax.figures`, each from its own file."""

from .allocation import allocation_figure as allocation_figure
from .allocation import phase_figure as phase_figure
from .allocation import regret_figure as regret_figure
from .compute_plane import compute_plane_figure as compute_plane_figure
from .distill import distill_figure as distill_figure
from .evaluations import backtest_figure as backtest_figure
from .evaluations import evaluation_figure as evaluation_figure
from .evaluations import training_figure as training_figure
from .frontier import frontier_figure as frontier_figure
from .human_labels import cifar10h_figure as cifar10h_figure
from .human_labels import examples_figure as examples_figure
from .metrics import metrics_figure as metrics_figure
from .paired import paired_figure as paired_figure
from .scaling import scaling_figure as scaling_figure
from .scaling_facets import scaling_facets as scaling_facets
from .sgd import sgd_figure as sgd_figure
from .style import save_figure as save_figure
from .tails import exponents_figure as exponents_figure
from .tails import plane_figure as plane_figure
from .tails import protocols_figure as protocols_figure
from .tails import success_figure as success_figure
from .three_ways import three_way_figure as three_way_figure
from .verifiers import verifiers_figure as verifiers_figure
from .width import width_figure as width_figure
