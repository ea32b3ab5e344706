// One site's own page: the same pictures, with its photos and its life.
import { Editor } from "./edit.js";
import { banner, post, state, words } from "./page.js";
import { details, fillMoves, place } from "./panel.js";
import { Viewer } from "./viewer.js";

const view = state.view;
const viewer = new Viewer();
const editor = new Editor(viewer);
const code = document.getElementById("work").dataset.code;

document.getElementById("site-place").replaceChildren(...place(view.site));
document.getElementById("more").replaceChildren(...details(view));
fillMoves(view, () => location.reload());
viewer.show(view.pictures).then(() => (document.documentElement.dataset.shown = code));

document.getElementById("edit")?.addEventListener("click", () => view.pictures && editor.begin(code, view.pictures.assessment_key));

const keys = {
  v: () => viewer.nextView(), o: () => viewer.toggleOutlines(), s: () => viewer.toggleSurfaces(), f: () => viewer.fit(),
  ArrowLeft: () => viewer.step(-1), ArrowRight: () => viewer.step(1),
};
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") editor.end();
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
  if (event.key === " ") {
    if (event.target.closest("button, summary, a")) return;
    event.preventDefault();
    viewer.flicker(true);
  } else keys[event.key.length === 1 ? event.key.toLowerCase() : event.key]?.();
});
document.addEventListener("keyup", (event) => event.key === " " && viewer.flicker(false));

document.getElementById("photo")?.addEventListener("change", async (event) => {
  const sent = new FormData();
  sent.append("code", code);
  sent.append("photo", event.target.files[0]);
  const said = document.getElementById("photo-state");
  said.textContent = words.saving;
  try {
    const answer = await post("/api/attachments", sent);
    said.textContent = `${words.photo_added}. ${answer.said}`;
    setTimeout(() => location.reload(), 1500);
  } catch (refusal) {
    said.textContent = "";
    banner(refusal.message);
  }
});
