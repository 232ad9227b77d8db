"""Figures a paper could print, from results alone: one function a figure.

`__init__.pyi` lists the names; each is imported when it is first used, so that one figure does not load all others.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
