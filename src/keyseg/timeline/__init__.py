"""The vocabulary: segments, segmentations, labels, time, errors. Imports nothing else of keyseg.

The names are listed in `__init__.pyi` and loaded when they are first used: NumPy by the first of labels or segments.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
