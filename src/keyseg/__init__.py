"""keyseg: temporal action segmentation with refined temporal keypoints.

    predictor = keyseg.load("runs/gtea/split1/seed0/bundle")
    prediction = predictor.predict("features/VIDEO.npy")
    prediction.segmentation, prediction.frame_labels

The public names are listed in `__init__.pyi` and loaded when they are first used, so `import keyseg` costs nothing.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
