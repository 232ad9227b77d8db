"""Real instances (Sec. 5): feature files, CIFAR-10H through a ResNet-18, the kernel of a split, and diagnostics.

`split`, with `nested_ridge`: L_gen and L_inf of one train/validation split. `feature_file`: the `.npz` that holds
instances. `cifar10h`, `weights`, `resnet18`, `extract` and `make`: from images and people's labels to such a file.
`diagnostics`: what instances are like. `report`, with `sweep_results`: diagnostics of the results of a sweep.

Importing this package loads no optional package: what the extra `cifar10h` installs is imported when it is used.
"""

from lidjax.features.cifar10h import HumanLabels as HumanLabels
from lidjax.features.cifar10h import read_cifar10h as read_cifar10h
from lidjax.features.diagnostics import IndependenceTest as IndependenceTest
from lidjax.features.diagnostics import LinearTask as LinearTask
from lidjax.features.diagnostics import TailIndex as TailIndex
from lidjax.features.diagnostics import TailShares as TailShares
from lidjax.features.diagnostics import equivalent_lgen as equivalent_lgen
from lidjax.features.diagnostics import independence_test as independence_test
from lidjax.features.diagnostics import is_regularly_varying as is_regularly_varying
from lidjax.features.diagnostics import linear_task as linear_task
from lidjax.features.diagnostics import split_shares as split_shares
from lidjax.features.diagnostics import tail_index as tail_index
from lidjax.features.diagnostics import tail_shares as tail_shares
from lidjax.features.extract import DEFAULT_BATCH as DEFAULT_BATCH
from lidjax.features.extract import extract_features as extract_features
from lidjax.features.feature_file import FeatureSet as FeatureSet
from lidjax.features.feature_file import read_features as read_features
from lidjax.features.feature_file import shuffle_features as shuffle_features
from lidjax.features.feature_file import write_features as write_features
from lidjax.features.make import MadeFeatures as MadeFeatures
from lidjax.features.make import make_cifar10h_features as make_cifar10h_features
from lidjax.features.report import WINDOWS as WINDOWS
from lidjax.features.report import diagnostics_report as diagnostics_report
from lidjax.features.report import difficulty_report as difficulty_report
from lidjax.features.resnet18 import Convolution as Convolution
from lidjax.features.resnet18 import fold_batch_norm as fold_batch_norm
from lidjax.features.split import FeatureCell as FeatureCell
from lidjax.features.split import feature_split as feature_split
from lidjax.features.sweep_results import SETTING_AXES as SETTING_AXES
from lidjax.features.sweep_results import select_setting as select_setting
from lidjax.features.weights import Weights as Weights
from lidjax.features.weights import read_weights as read_weights
