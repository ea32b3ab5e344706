// The table of sites: what is searched, narrowed, sorted and paged comes as rows from the server.
import { get } from "./page.js";

const form = document.getElementById("narrow");
const rows = document.getElementById("rows");
let asked = 0;
let order = { sort: "code", descending: "0", page: "1" };

async function load() {
  const turn = ++asked;
  const query = new URLSearchParams([...new FormData(form), ...Object.entries(order)].filter(([, value]) => value));
  const answer = await get(`/sites/rows?${query}`).catch(() => null);
  if (!answer || turn !== asked) return;
  const focus = document.activeElement?.dataset;
  rows.innerHTML = await answer.text();
  history.replaceState(null, "", `/sites?${query}`);
  if (focus?.sort) rows.querySelector(`[data-sort="${focus.sort}"]`)?.focus();
}

let wait;
form.addEventListener("input", () => {
  order.page = "1";
  clearTimeout(wait);
  wait = setTimeout(load, 120);
});
form.addEventListener("submit", (event) => event.preventDefault());
rows.addEventListener("click", (event) => {
  const { sort, page } = event.target.closest("button")?.dataset ?? {};
  if (sort) order = { sort, page: "1", descending: order.sort === sort && order.descending === "0" ? "1" : "0" };
  else if (page) order.page = page;
  else return;
  load();
});
