"""Pixels → changes: tiles, prediction, stitching, polygons.

prediction   a raster of any size through the network, tile by tile
blending     overlapping tiles → seamless cells
maps         probabilities → surfaces and changes; `compare` for two patches in memory
polygons     changed pixels → polygons on the ground
alignment    two open scenes on one grid, the later moved onto the earlier
scenes       `detect_pair`: two files of any size → a folder of outputs, in bounded memory
passes       its passes over the scene, file to file
outputs      the files of that folder; preview: the picture in it
"""

from cvpipe.detect.maps import PairMaps, compare
from cvpipe.detect.polygons import polygons
from cvpipe.detect.prediction import Network
from cvpipe.detect.scenes import DetectSummary, detect_pair

__all__ = ["DetectSummary", "Network", "PairMaps", "compare", "detect_pair", "polygons"]
