"""What every long job needs: where results lie, locks, a checked store, progress, interruption, provenance.

`__init__.pyi` lists the names; each is imported when it is first used, so that progress can be shown without Zarr.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
