"use strict";
const list = document.querySelector("[data-at-rest]");
const rows = [...list.children];
const texts = rows.map((row) => row.textContent.toLowerCase());
const find = document.getElementById("find"), shown = document.getElementById("shown");

function filter() {
  const asked = find.value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  rows.forEach((row, index) => {
    const fits = asked.length ? asked.every((word) => texts[index].includes(word)) : list.dataset.atRest === "all";
    found += fits ? 1 : 0;
    row.hidden = !fits || found > Number(list.dataset.most);
  });
  shown.textContent = shown.dataset.words.replace("{shown}", found).replace("{sites}", rows.length);
}

find.form.addEventListener("submit", (event) => event.preventDefault());
find.addEventListener("input", filter);
filter();
