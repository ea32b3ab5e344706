// Correcting outlines: draw, move corners, split, delete; what is saved is the whole of what changed on the site.
import { Draw, Feature, GeoJSON, Modify, Select, Snap, VectorLayer, VectorSource } from "./vendor/map.js";
import { banner, el, post, words } from "./page.js";
import { changeStyle, cornerStyle } from "./viewer.js";

const format = new GeoJSON({ dataProjection: "frame", featureProjection: "frame" });
const SNAP_PX = 10;

export class Editor {
  constructor(viewer) {
    this.viewer = viewer;
    this.bar = document.getElementById("edit-bar");
    this.kind = document.getElementById("edit-kind");
    this.bar.addEventListener("click", (event) => {
      const act = event.target.closest("[data-edit]")?.dataset.edit;
      if (act) this.act(act);
    });
  }

  get isOn() {
    return !this.bar.hidden;
  }

  begin(code, assessmentKey) {
    const pictures = this.viewer.pictures;
    if (this.isOn || !pictures) return;
    this.of = { code, assessment_key: assessmentKey };
    this.kind.replaceChildren(...pictures.kinds.map(([kind, word]) => el("option", { value: kind }, word)));
    if (this.viewer.stage.dataset.view === "side") this.viewer.setView("single");
    this.source = new VectorSource();
    for (const change of pictures.changes) this.#add(change.kind, format.readGeometry(change.geometry));
    this.layer = new VectorLayer({ source: this.source, style: (feature) => changeStyle(feature.get("kind"), { filled: true }) });
    this.map = this.viewer.maps.after;
    this.viewer.vectorLayers.after.setVisible(false);
    this.map.addLayer(this.layer);
    this.select = new Select({ layers: [this.layer], style: (feature) => [...changeStyle(feature.get("kind"), { filled: true }), cornerStyle] });
    this.bar.hidden = false;
    this.act("modify");
  }

  #add(kind, geometry) {
    const parts = geometry.getType() === "MultiPolygon" ? geometry.getPolygons() : [geometry];
    for (const part of parts) this.source.addFeature(new Feature({ geometry: part, kind }));
  }

  act(act) {
    if (act === "cancel") this.end();
    else if (act === "save") this.save();
    else if (act === "delete") this.delete();
    else this.#mode(act);
  }

  #mode(mode) {
    this.#clear();
    for (const button of this.bar.querySelectorAll("[data-edit]")) button.setAttribute("aria-pressed", String(button.dataset.edit === mode));
    if (mode === "modify") this.#use(this.select, new Modify({ source: this.source, style: cornerStyle }));
    if (mode === "draw") this.#drawing();
    if (mode === "split") this.#splitting();
    this.#use(new Snap({ source: this.source, pixelTolerance: SNAP_PX }));
  }

  #drawing() {
    const draw = new Draw({ source: this.source, type: "Polygon", style: () => changeStyle(this.kind.value, { filled: true }) });
    draw.on("drawend", (event) => event.feature.set("kind", this.kind.value));
    this.#use(draw);
  }

  #splitting() {
    const draw = new Draw({ type: "LineString", style: () => changeStyle(this.kind.value) });
    draw.on("drawend", async (event) => {
      const line = JSON.parse(format.writeGeometry(event.feature.getGeometry()));
      for (const feature of this.source.getFeatures()) {
        const polygon = JSON.parse(format.writeGeometry(feature.getGeometry()));
        const { parts } = await post("/api/split", { polygon, line }).catch(() => ({ parts: [] }));
        if (parts.length < 2) continue;
        this.source.removeFeature(feature);
        for (const part of parts) this.#add(feature.get("kind"), format.readGeometry(part));
      }
    });
    this.#use(draw);
  }

  #use(...interactions) {
    for (const interaction of interactions) {
      this.map.addInteraction(interaction);
      this.used.push(interaction);
    }
  }

  #clear() {
    for (const interaction of this.used ?? []) this.map.removeInteraction(interaction);
    this.used = [];
  }

  delete() {
    const chosen = this.select.getFeatures();
    for (const feature of chosen.getArray().slice()) this.source.removeFeature(feature);
    chosen.clear();
  }

  async save() {
    const changes = this.source.getFeatures().map((feature) => ({
      kind: feature.get("kind"),
      geometry: JSON.parse(format.writeGeometry(feature.getGeometry())),
    }));
    try {
      await post("/api/labels", { ...this.of, changes });
    } catch (refusal) {
      banner(`${words.not_saved}: ${refusal.message}`);
      return;
    }
    const word = Object.fromEntries(this.viewer.pictures.kinds);
    this.viewer.pictures.changes = changes.map((change) => ({ ...change, word: word[change.kind], area: "" }));
    this.viewer.pictures.by_hand = true;
    this.end();
    this.viewer.show(this.viewer.pictures);
    document.documentElement.dataset.labelled = String(Date.now());
    banner(words.label_saved);
  }

  end() {
    if (!this.isOn) return;
    this.#clear();
    this.map.removeLayer(this.layer);
    this.viewer.vectorLayers.after.setVisible(this.viewer.outlinesOn);
    this.bar.hidden = true;
  }
}
