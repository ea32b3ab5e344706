// Candidates and visits: a row is settled where it stands; what came back from visits is told row by row.
import { banner, el, post, words } from "./page.js";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-settle]");
  if (!button) return;
  const row = button.closest("[data-candidate]");
  const code = row.querySelector("input").value.trim();
  const sent = { id: Number(row.dataset.candidate), state: button.dataset.settle, site_code: button.dataset.settle === "adopted" ? code : null };
  try {
    row.querySelector("[data-state]").textContent = (await post("/api/candidates", sent)).state;
  } catch (refusal) {
    banner(refusal.message);
  }
});

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form.inspect");
  if (!form) return;
  event.preventDefault();
  try {
    const answer = await post("/api/inspections", { code: form.dataset.code, ...Object.fromEntries(new FormData(form)) });
    form.replaceWith(answer.result);
  } catch (refusal) {
    banner(refusal.message);
  }
});

function tell({ where, code, state, state_word: word, result = "", why = "" }) {
  const site = code ? el("a", { href: `/site?code=${encodeURIComponent(code)}` }, code) : "";
  const cells = [el("td", {}, where), el("td", {}, site), el("td", { class: state === "refused" ? "late" : "" }, word), el("td", {}, result), el("td", {}, why)];
  document.querySelector("#returned tbody").append(el("tr", {}, ...cells));
  document.getElementById("returned").hidden = false;
}

/** Sends the sheet; answers which site each photo that it names belongs to. */
async function sendSheet(sheet) {
  const body = new FormData();
  body.append("sheet", sheet);
  const answer = await post("/api/visits/results", body);
  answer.rows.forEach(tell);
  document.getElementById("results-state").textContent = answer.said;
  return new Map(answer.rows.flatMap((row) => row.photos.map((name) => [name, row.code])));
}

async function sendPhoto(photo, code) {
  const body = new FormData();
  body.append("photo", photo);
  if (code) body.append("code", code);
  try {
    const answer = await post("/api/attachments", body);
    tell({ where: photo.name, code: answer.code, state: "entered", state_word: words.photo_added, why: answer.said });
  } catch (refusal) {
    tell({ where: photo.name, code, state: "refused", state_word: words.row_refused, why: refusal.message });
  }
}

document.getElementById("results")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { sheet, photos } = event.target.elements;
  const button = event.target.querySelector("button");
  document.querySelector("#returned tbody").replaceChildren();
  document.getElementById("results-state").textContent = words.saving;
  button.disabled = true;
  try {
    const sites = sheet.files[0] ? await sendSheet(sheet.files[0]) : new Map();
    for (const photo of photos.files) await sendPhoto(photo, sites.get(photo.name));
    if (!sheet.files[0]) document.getElementById("results-state").textContent = "";
    document.documentElement.dataset.returned = "done";
  } catch (refusal) {
    document.getElementById("results-state").textContent = "";
    banner(refusal.message, { lasting: true });
  }
  button.disabled = false;
});
