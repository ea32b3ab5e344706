// The map of all sites, coloured by verdict or by status.
import { Circle, Feature, Fill, ImageLayer, ImageStatic, OlMap, Point, Projection, ScaleLine, Stroke, Style, VectorLayer, VectorSource, View, usualInteractions } from "./vendor/map.js";
import { el, get, words } from "./page.js";

const TONES = { good: "#2fa36b", part: "#e0a33f", bad: "#e5484d", na: "#9aa5ad", none: "#c8cdd0" };
const STATUSES = { registered: "#c8cdd0", in_progress: "#e0a33f", demolished: "#d98324", cleared: "#5fb6c2", closed: "#2fa36b", rebound: "#e5484d", exempt: "#a78bda" };
const target = document.getElementById("map");
const by = document.getElementById("colour-by");
const said = document.getElementById("map-said");

const dots = new Map();
function dot(colour) {
  if (!dots.has(colour)) dots.set(colour, new Style({ image: new Circle({ radius: 6.5, fill: new Fill({ color: colour }), stroke: new Stroke({ color: "#fff", width: 1.6 }) }) }));
  return dots.get(colour);
}
const colourOf = (feature) => (by.value === "status" ? STATUSES[feature.get("status")] : TONES[feature.get("tone")]);

const plain = await (await get("/api/map")).json();
const side = plain.side_m;
const projection = new Projection({ code: "frame", units: "m", extent: [0, 0, side, side], metersPerUnit: 1 });
const source = new VectorSource({ features: plain.sites.map((site) => new Feature({ geometry: new Point([site.x, site.y]), ...site })) });
const layers = [new VectorLayer({ source, style: (feature) => dot(colourOf(feature)) })];
if (plain.picture) {
  layers.unshift(new ImageLayer({ className: "backdrop", source: new ImageStatic({ url: plain.picture, imageExtent: [0, 0, side, side], projection }) }));
}
const map = new OlMap({ target, layers, controls: [new ScaleLine()], interactions: usualInteractions({ altShiftDragRotate: false, pinchRotate: false, onFocusOnly: false }),
  view: new View({ projection, center: [side / 2, side / 2], resolution: side / 400, extent: [-side, -side, 2 * side, 2 * side], showFullExtent: true }) });
map.getView().fit([0, 0, side, side]);

function legend() {
  const counts = new Map();
  for (const site of plain.sites) {
    const label = by.value === "status" ? site.status_word : site.tone;
    const colour = by.value === "status" ? STATUSES[site.status] : TONES[site.tone];
    counts.set(label, { colour, count: (counts.get(label)?.count ?? 0) + 1 });
  }
  document.getElementById("map-legend").replaceChildren(...[...counts].map(([label, { colour, count }]) => {
    const swatch = el("i", {});
    swatch.style.background = colour;
    return el("span", {}, swatch, `${by.value === "status" ? label : words[`tone_${label}`]} ${count}`);
  }));
}
by.addEventListener("change", () => {
  source.changed();
  legend();
});
legend();
map.on("pointermove", (event) => {
  const found = map.forEachFeatureAtPixel(event.pixel, (feature) => feature, { hitTolerance: 4 });
  target.classList.toggle("over", Boolean(found));
  said.textContent = found ? `${found.get("code")} ${found.get("name")} · ${found.get("status_word")}` : "";
});
map.on("click", (event) => {
  const found = map.forEachFeatureAtPixel(event.pixel, (feature) => feature, { hitTolerance: 4 });
  if (found) location.href = `/site?code=${encodeURIComponent(found.get("code"))}`;
});
map.once("rendercomplete", () => (document.documentElement.dataset.shown = "map"));
