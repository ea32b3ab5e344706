// What the pages use of OpenLayers; bundled into ../static/vendor by `make web`.
import "ol/ol.css";

export { default as Feature } from "ol/Feature.js";
export { default as OlMap } from "ol/Map.js";
export { default as View } from "ol/View.js";
export { default as GeoJSON } from "ol/format/GeoJSON.js";
export { default as Point } from "ol/geom/Point.js";
export { default as Polygon } from "ol/geom/Polygon.js";
export { default as MultiPolygon } from "ol/geom/MultiPolygon.js";
export { default as Draw } from "ol/interaction/Draw.js";
export { default as Modify } from "ol/interaction/Modify.js";
export { default as Select } from "ol/interaction/Select.js";
export { default as Snap } from "ol/interaction/Snap.js";
export { defaults as usualInteractions } from "ol/interaction/defaults.js";
export { default as ImageLayer } from "ol/layer/Image.js";
export { default as TileLayer } from "ol/layer/Tile.js";
export { default as VectorLayer } from "ol/layer/Vector.js";
export { default as ScaleLine } from "ol/control/ScaleLine.js";
export { default as Projection } from "ol/proj/Projection.js";
export { getRenderPixel } from "ol/render.js";
export { default as ImageStatic } from "ol/source/ImageStatic.js";
export { default as TileImage } from "ol/source/TileImage.js";
export { default as VectorSource } from "ol/source/Vector.js";
export { Circle, Fill, Stroke, Style, Text } from "ol/style.js";
export { default as TileGrid } from "ol/tilegrid/TileGrid.js";
export { containsExtent, getCenter } from "ol/extent.js";
