"""Figures and the HTML report: timelines, comparisons, predictions, re-assembly, curves.

The public names are listed in `__init__.pyi` and loaded when they are first used: matplotlib by the first figure, PyAV
by the first video.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
