"""The vocabulary: segments, segmentations, labels, time, errors. Imports nothing else of keyseg."""

from keyseg.timeline.errors import BundleError as BundleError
from keyseg.timeline.errors import ConfigError as ConfigError
from keyseg.timeline.errors import DataError as DataError
from keyseg.timeline.errors import InternalError as InternalError
from keyseg.timeline.errors import KeysegError as KeysegError
from keyseg.timeline.errors import OutputExistsError as OutputExistsError
from keyseg.timeline.errors import TimelineError as TimelineError
from keyseg.timeline.errors import TrainingError as TrainingError
from keyseg.timeline.errors import nearest as nearest
from keyseg.timeline.intervals import Annotation as Annotation
from keyseg.timeline.intervals import Interval as Interval
from keyseg.timeline.intervals import Overlap as Overlap
from keyseg.timeline.intervals import class_name as class_name
from keyseg.timeline.labels import LabelMap as LabelMap
from keyseg.timeline.segmentation import FloatArray as FloatArray
from keyseg.timeline.segmentation import IntArray as IntArray
from keyseg.timeline.segmentation import Segment as Segment
from keyseg.timeline.segmentation import Segmentation as Segmentation
from keyseg.timeline.timebase import TimeBase as TimeBase
