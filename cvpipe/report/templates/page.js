"use strict";
const sites = [...document.querySelectorAll("article.site")];
const field = (id) => document.getElementById(id);
const wanted = () => ({
  words: field("find").value.toLowerCase().split(/\s+/).filter(Boolean),
  owner: field("owner").value,
  district: field("district").value,
  result: field("result").value,
});

function matches(site, want) {
  const { owner, district, results, text } = site.dataset;
  return (!want.owner || owner === want.owner)
    && (!want.district || district === want.district)
    && (!want.result || results.split(" ").includes(want.result))
    && want.words.every((word) => text.toLowerCase().includes(word));
}

function filter() {
  const want = wanted();
  let shown = 0;
  for (const site of sites) {
    site.hidden = !matches(site, want);
    shown += site.hidden ? 0 : 1;
  }
  field("shown").textContent = field("shown").dataset.words.replace("{shown}", shown).replace("{sites}", sites.length);
  field("nothing").hidden = shown > 0 || sites.length === 0;
}

function reveal() {
  const target = location.hash && document.querySelector(location.hash);
  if (target && target.hidden) {
    document.querySelector("form.filter").reset();
    filter();
    target.scrollIntoView();
  }
}

document.querySelector("form.filter").addEventListener("submit", (event) => event.preventDefault());
for (const id of ["find", "owner", "district", "result"]) field(id).addEventListener("input", filter);
field("outlines").addEventListener("change", (event) => document.body.classList.toggle("plain", !event.target.checked));
addEventListener("hashchange", reveal);
// On paper nothing can be unfolded, and pictures further down must have been loaded.
addEventListener("beforeprint", () => {
  document.querySelectorAll("details").forEach((details) => { details.open = true; });
  document.querySelectorAll("img").forEach((image) => { image.loading = "eager"; });
});
