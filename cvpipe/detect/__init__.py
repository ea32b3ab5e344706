"""Pixels → changes: tiles, prediction, stitching, polygons.

prediction   a raster of any size through the network, tile by tile
blending     overlapping tiles → seamless cells
maps         probabilities → surfaces and changes; `compare` for two patches in memory
runs         changed pixels as pieces of rows, joined over windows; collecting: those of a scene, cell by cell
outlines     runs → outlines along the edges of pixels
polygons     changed pixels → polygons on the ground
alignment    two open scenes on one grid, the later moved onto the earlier
scenes       `detect_pair`: two files of any size → a folder of outputs, in bounded memory
passes       its passes over the scene, file to file
outputs      the files of that folder; preview: the picture in it; overviews: codes seen from further off
"""

from cvpipe.detect.maps import PairMaps, compare
from cvpipe.detect.polygons import polygons
from cvpipe.detect.prediction import Network
from cvpipe.detect.scenes import DetectSummary, detect_pair

__all__ = ["DetectSummary", "Network", "PairMaps", "compare", "detect_pair", "polygons"]
