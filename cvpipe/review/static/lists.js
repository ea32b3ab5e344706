// Candidates and visits: a row is settled where it stands.
import { banner, post } from "./page.js";

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
