"""Real features: feature files, CIFAR-10H, a frozen backbone, diagnostics of instances (Sec. 5)."""

from lidjax.features.split import feature_split as feature_split
