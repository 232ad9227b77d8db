"""lidjax: how training shapes what repeated sampling can buy.

The Latent Instance Difficulty model as pure JAX kernels, sweeps over whole (N, k, β, seed) grids, the laws fitted to
them, and the same analysis for evaluation logs. `__init__.pyi` lists everything public; each name is imported when it
is first used, so that `import lidjax` takes no time.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

__version__ = "0.1.0"
