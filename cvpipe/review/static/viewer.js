// The pictures of one site: one at a time with a hard flicker, under a swipe, or side by side; outlines above them.
import {
  Circle, Feature, Fill, GeoJSON, ImageLayer, ImageStatic, OlMap, Projection, ScaleLine, Stroke, Style,
  TileGrid, TileImage, TileLayer, VectorLayer, VectorSource, View, getRenderPixel, usualInteractions,
} from "./vendor/map.js";
import { el, remembered, state, words } from "./page.js";

// Surfaces lie over the picture, which shows through.
const SURFACES_OPACITY = 0.55;
const VIEWS = ["single", "swipe", "side"];
const format = new GeoJSON();
const rim = (width) => new Stroke({ color: "rgba(0,0,0,.65)", width });

const styles = {
  boundary: [
    new Style({ stroke: new Stroke({ color: "rgba(0,0,0,.55)", width: 3.5 }) }),
    new Style({ stroke: new Stroke({ color: "#fff", width: 1.75, lineDash: [9, 6] }) }),
  ],
  retained: [
    new Style({ stroke: rim(3.5) }),
    new Style({ stroke: new Stroke({ color: "#7fe9ff", width: 1.75, lineDash: [3, 4] }) }),
  ],
};

export function changeStyle(kind, { filled = false } = {}) {
  const colour = state.colours[kind];
  const fill = filled ? new Fill({ color: `${colour}33` }) : undefined;
  return [
    new Style({ stroke: rim(4.5) }),
    new Style({ fill, stroke: new Stroke({ color: colour, width: 2.25 }) }),
  ];
}

export const cornerStyle = new Style({
  image: new Circle({ radius: 5, fill: new Fill({ color: "#fff" }), stroke: rim(2) }),
});

function surfaceEntry([word, colour]) {
  const entry = el("span", { class: "kind surface" }, word);
  entry.style.setProperty("--swatch", colour);
  return entry;
}

/** Fetch and decode the pictures of an item before it is on the screen. */
export function prefetch(pictures) {
  for (const epoch of pictures?.epochs ?? []) {
    if (epoch.role === "other") continue;
    for (const address of [epoch.picture, epoch.around]) {
      const image = new Image();
      image.src = address;
      image.decode?.().catch(() => {});
    }
  }
}

export class Viewer {
  constructor() {
    this.stage = document.querySelector(".stage");
    this.share = 0.5;
    this.maps = {
      before: this.#map("pane-before"),
      after: this.#map("pane-after", [new ScaleLine({ minWidth: 70 })]),
    };
    this.vectors = { before: new VectorSource(), after: new VectorSource() };
    this.flickering = false;
    this.outlinesOn = true;
    this.surfacesOn = false;
    this.#wire();
    this.setView(remembered.get("view") ?? "single");
  }

  #map(target, controls = []) {
    return new OlMap({ target, controls, interactions: usualInteractions({ altShiftDragRotate: false, pinchRotate: false }) });
  }

  /** Show the pictures of an item; resolves when both epochs are painted. */
  show(pictures) {
    this.pictures = pictures;
    document.getElementById("no-picture").hidden = Boolean(pictures);
    this.stage.classList.toggle("bare", !pictures);
    for (const map of Object.values(this.maps)) map.setLayers([]);
    document.getElementById("epochs").replaceChildren();
    document.getElementById("legend").replaceChildren();
    if (!pictures) {
      this.#tellSurfaces();
      this.#tag();
      return Promise.resolve();
    }
    const side = pictures.side_m;
    this.projection = new Projection({ code: "frame", units: "m", extent: [0, 0, side, side], metersPerUnit: 1 });
    this.view = new View({ projection: this.projection, center: [side / 2, side / 2], resolution: 1, constrainResolution: false,
      minResolution: 0.02, extent: pictures.around_m, showFullExtent: true, smoothExtentConstraint: false });
    for (const map of Object.values(this.maps)) map.setView(this.view);
    this.chosen = { before: this.#first("before"), after: this.#first("after") };
    this.#timeline();
    this.#legend();
    this.#outlines();
    this.#layers();
    this.fit();
    return new Promise((done) => this.maps.after.once("rendercomplete", done));
  }

  #first(role) {
    return this.pictures.epochs.find((epoch) => epoch.role === role) ?? this.pictures.epochs[0];
  }

  /** Layers of one epoch: the surroundings, the picture, and tiles for a closer look. */
  #epochLayers(epoch) {
    const { side_m: side, around_m: around, tile_pixels_m: sizes, tile_px: tile } = this.pictures;
    const still = (url, extent, interpolate = true) => new ImageLayer({ source: new ImageStatic({ url, imageExtent: extent, projection: this.projection, interpolate }) });
    const layers = [still(epoch.around, around), still(epoch.picture, [0, 0, side, side])];
    if (sizes.length) {
      const grid = new TileGrid({ origin: [0, side], extent: [0, 0, side, side], resolutions: sizes, tileSize: tile });
      const source = new TileImage({ projection: this.projection, tileGrid: grid, transition: 0,
        tileUrlFunction: ([z, x, y]) => `${epoch.tile}&z=${z}&x=${x}&y=${y}` });
      layers.push(new TileLayer({ source, extent: [0, 0, side, side], maxResolution: sizes[0] * 1.7 }));
    }
    if (epoch.surfaces) {
      const layer = still(epoch.surfaces, [0, 0, side, side], false);
      layer.set("surfaces", true);
      layers.push(layer);
    }
    return layers;
  }

  #layers() {
    const { before, after } = this.chosen;
    this.layers = { before: this.#epochLayers(before), after: this.#epochLayers(after), left: this.#epochLayers(before) };
    for (const layer of this.layers.after) {
      layer.on("prerender", (event) => this.#clip(event));
      layer.on("postrender", (event) => this.stage.dataset.view === "swipe" && event.context.restore());
    }
    const vector = (source) => new VectorLayer({ source, style: (feature) => feature.get("style"), updateWhileInteracting: true });
    this.vectorLayers = { before: vector(this.vectors.before), after: vector(this.vectors.after) };
    this.maps.after.setLayers([...this.layers.before, ...this.layers.after, this.vectorLayers.after]);
    this.maps.before.setLayers([...this.layers.left, this.vectorLayers.before]);
    this.#apply();
  }

  #clip(event) {
    if (this.stage.dataset.view !== "swipe") return;
    const [width, height] = this.maps.after.getSize();
    const x = width * this.share;
    const corners = [[x, 0], [width, 0], [width, height], [x, height]].map((pixel) => getRenderPixel(event, pixel));
    const context = event.context;
    context.save();
    context.beginPath();
    corners.forEach(([px, py], i) => (i ? context.lineTo(px, py) : context.moveTo(px, py)));
    context.closePath();
    context.clip();
  }

  #outlines() {
    for (const source of Object.values(this.vectors)) {
      source.clear();
      const add = (geometry, style, extra = {}) => {
        const feature = new Feature({ geometry: format.readGeometry(geometry), style, ...extra });
        source.addFeature(feature);
      };
      for (const change of this.pictures.changes) add(change.geometry, changeStyle(change.kind), { kind: change.kind });
      if (this.pictures.retained) add(this.pictures.retained, styles.retained);
      add(this.pictures.boundary, styles.boundary);
    }
  }

  #legend() {
    const kinds = new Map(this.pictures.changes.map((change) => [change.kind, change.word]));
    const entries = [...kinds].map(([kind, word]) => el("span", { class: `kind ${kind}` }, word));
    entries.push(el("span", { class: "kind boundary" }, words.boundary));
    if (this.pictures.retained) entries.push(el("span", { class: "kind retained" }, words.retained));
    if (this.surfacesOn && this.hasSurfaces) entries.push(...Object.values(state.surfaces).map(surfaceEntry));
    if (this.pictures.by_hand) entries.push(el("em", {}, words.by_hand));
    document.getElementById("legend").replaceChildren(...entries);
  }

  #timeline() {
    const entries = this.pictures.epochs.map((epoch) => {
      const button = el("button", { type: "button", "data-epoch": epoch.name, title: epoch.gsd, onclick: () => this.choose(epoch) }, epoch.date);
      return el("li", {}, button);
    });
    document.getElementById("epochs").replaceChildren(...entries);
  }

  /** Show another epoch in the place of the later one; the earlier one is what it is compared with. */
  choose(epoch) {
    if (epoch.name === this.chosen.after.name) return;
    if (epoch.name === this.chosen.before.name) {
      this.flicker(!this.flickering);
      return;
    }
    this.chosen.after = epoch;
    this.#layers();
  }

  step(by) {
    const others = this.pictures?.epochs.filter((epoch) => epoch.name !== this.chosen.before.name) ?? [];
    const at = others.findIndex((epoch) => epoch.name === this.chosen.after.name);
    const next = others[at + by];
    if (next) this.choose(next);
  }

  setView(view) {
    this.stage.dataset.view = VIEWS.includes(view) ? view : "single";
    remembered.set("view", this.stage.dataset.view);
    for (const button of document.querySelectorAll(".segments [data-view]")) {
      button.setAttribute("aria-pressed", String(button.dataset.view === this.stage.dataset.view));
    }
    for (const map of Object.values(this.maps)) map.updateSize();
    if (this.pictures) {
      this.#apply();
      this.fit();
    }
  }

  nextView() {
    this.setView(VIEWS[(VIEWS.indexOf(this.stage.dataset.view) + 1) % VIEWS.length]);
  }

  /** The other epoch at the same place, as long as it lasts. */
  flicker(on) {
    if (this.flickering === on || !this.pictures) return;
    this.flickering = on;
    this.#apply();
  }

  toggleOutlines() {
    this.outlinesOn = !this.outlinesOn;
    document.getElementById("outlines").setAttribute("aria-pressed", String(this.outlinesOn));
    this.#apply();
  }

  /** What the network took the ground for; the button tells where the run kept none. */
  toggleSurfaces() {
    if (!this.hasSurfaces) return;
    this.surfacesOn = !this.surfacesOn;
    this.#legend();
    this.#apply();
  }

  get hasSurfaces() {
    return Boolean(this.pictures?.epochs.some((epoch) => epoch.surfaces));
  }

  #tellSurfaces() {
    const button = document.getElementById("surfaces");
    button.disabled = !this.hasSurfaces;
    button.title = this.hasSurfaces || !this.pictures ? "" : words.no_surfaces;
    button.setAttribute("aria-pressed", String(this.surfacesOn && this.hasSurfaces));
  }

  /** Opacity, not visibility: a layer that is hidden this way is loaded, so that a flicker never waits. */
  #apply() {
    const view = this.stage.dataset.view;
    const showsAfter = view !== "single" || !this.flickering;
    const full = (layer) => (layer.get("surfaces") ? SURFACES_OPACITY : 1);
    for (const layer of this.layers?.after ?? []) layer.setOpacity(showsAfter ? full(layer) : 0);
    for (const layer of this.layers?.left ?? []) layer.setVisible(view === "side");
    for (const layer of Object.values(this.layers ?? {}).flat().filter((layer) => layer.get("surfaces"))) {
      // Not loaded before somebody asks for it.
      layer.setVisible(this.surfacesOn && (view === "side" || !this.layers.left.includes(layer)));
      if (!this.layers.after.includes(layer)) layer.setOpacity(SURFACES_OPACITY);
    }
    this.#tellSurfaces();
    for (const layer of Object.values(this.vectorLayers ?? {})) layer.setVisible(this.outlinesOn);
    document.getElementById("flicker").classList.toggle("on", this.flickering);
    this.#tag();
    this.maps.after.render();
  }

  #tag() {
    const before = document.getElementById("tag-before");
    const after = document.getElementById("tag-after");
    const view = this.stage.dataset.view;
    if (!this.pictures) {
      before.textContent = after.textContent = "";
      return;
    }
    const told = (epoch) => [el("b", {}, words[epoch.role]), ` ${epoch.date}`];
    const shown = view === "single" && this.flickering ? this.chosen.before : this.chosen.after;
    before.replaceChildren(...told(view === "single" ? shown : this.chosen.before));
    after.replaceChildren(...told(this.chosen.after));
    before.classList.toggle("earlier", shown === this.chosen.before || view !== "single");
    after.hidden = view === "single";
    for (const button of document.querySelectorAll("#epochs button")) {
      const isShown = button.dataset.epoch === shown.name || (view !== "single" && button.dataset.epoch === this.chosen.before.name);
      button.setAttribute("aria-pressed", String(isShown));
    }
  }

  fit() {
    if (!this.pictures) return;
    const side = this.pictures.side_m;
    const size = this.maps.after.getSize() ?? [800, 600];
    this.view.setCenter([side / 2, side / 2]);
    this.view.setResolution(side / Math.min(size[0], size[1]));
  }

  #wire() {
    document.querySelector(".segments").addEventListener("click", (event) => {
      const view = event.target.closest("[data-view]")?.dataset.view;
      if (view) this.setView(view);
    });
    document.getElementById("outlines").addEventListener("click", () => this.toggleOutlines());
    document.getElementById("surfaces").addEventListener("click", () => this.toggleSurfaces());
    document.getElementById("fit").addEventListener("click", () => this.fit());
    const flicker = document.getElementById("flicker");
    flicker.addEventListener("pointerdown", () => this.flicker(true));
    for (const end of ["pointerup", "pointerleave", "pointercancel"]) flicker.addEventListener(end, () => this.flicker(false));
    this.#wireSwipe();
    new ResizeObserver(() => Object.values(this.maps).forEach((map) => map.updateSize())).observe(this.stage);
  }

  #wireSwipe() {
    const handle = document.getElementById("swipe");
    const to = (share) => {
      this.share = Math.min(Math.max(share, 0), 1);
      this.stage.style.setProperty("--swipe", `${this.share * 100}%`);
      handle.setAttribute("aria-valuenow", String(Math.round(this.share * 100)));
      this.maps.after.render();
    };
    to(0.5);
    handle.addEventListener("pointerdown", (event) => {
      handle.setPointerCapture(event.pointerId);
      const move = (moved) => {
        const box = this.stage.getBoundingClientRect();
        to((moved.clientX - box.left) / box.width);
      };
      handle.addEventListener("pointermove", move);
      handle.addEventListener("pointerup", () => handle.removeEventListener("pointermove", move), { once: true });
    });
    handle.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      to(this.share + step);
    });
  }
}
