// What stands beside the pictures: figures, criteria, other verdicts, moves.
import { banner, el, post, words } from "./page.js";

export function place(site) {
  const due = site.due ? el("span", { class: site.overdue ? "late" : "" }, `${words.due} ${site.due}${site.overdue ? ` · ${words.overdue}` : ""}`) : null;
  const parts = [site.place, site.owner_system, site.batch ? `${words.batch} ${site.batch}` : "", due].filter(Boolean);
  return parts.flatMap((part, i) => (i ? [" · ", part] : [part]));
}

const mark = (passed) => (passed === null ? el("span", { class: "sr" }, words.decides_nothing)
  : el("span", { class: passed ? "yes" : "no" }, passed ? "✓" : "✗", el("span", { class: "sr" }, ` ${passed ? words.passed : words.failed}`)));

function criteria(list) {
  if (!list.length) return null;
  const head = el("tr", {}, el("th", { scope: "col" }, words.criterion), el("th", { scope: "col" }, words.measured), el("th", { scope: "col" }, words.limit), el("th", {}, ""));
  const rows = list.map((c) => el("tr", {}, el("th", { scope: "row" }, c.label), el("td", {}, c.value), el("td", {}, c.limit), el("td", {}, mark(c.passed))));
  return el("table", { class: "criteria" }, el("thead", {}, head), el("tbody", {}, ...rows));
}

export function verdictCard(verdict) {
  return [
    el("p", { class: "asked" }, verdict.question_word, el("span", { class: `chip ${verdict.tone}` }, verdict.outcome_word)),
    el("p", { class: "told" }, verdict.explanation),
  ];
}

/** Figures of an item or a site; `verdict` is the one that is asked about, if there is one. */
export function details(view, verdict = null) {
  const facts = [...view.facts, ...view.site.areas, [words.status, view.site.status], [words.observed, view.site.observed]];
  if (view.pictures) {
    const [before, after] = ["before", "after"].map((role) => view.pictures.epochs.find((epoch) => epoch.role === role));
    facts.unshift([words.gsd, before && after ? [...new Set([before.gsd, after.gsd])].join(" | ") : ""]);
  }
  const list = el("dl", { class: "facts" }, ...facts.filter(([, value]) => value).map(([label, value]) => el("div", {}, el("dt", {}, label), el("dd", {}, value))));
  const others = view.others.filter((other) => other.question !== verdict?.question);
  const more = others.map((other) => el("details", { class: "other" }, el("summary", {}, other.question_word, el("span", { class: `chip ${other.tone}` }, other.outcome_word)),
    el("p", { class: "told" }, other.explanation), criteria(other.criteria)));
  return [verdict ? criteria(verdict.criteria) : null, list, ...more].filter(Boolean);
}

export function fillMoves(view, done) {
  const form = document.querySelector("#moves form");
  if (!form) return;
  const choice = el("select", { name: "becomes", "aria-label": words.move_site }, ...view.moves.map((move) => el("option", { value: move.status }, move.word)));
  const reason = el("input", { name: "reason", maxlength: "2000", placeholder: words.reason_title, "aria-label": words.reason_title });
  form.replaceChildren(choice, reason, el("button", {}, words.do_it));
  form.onsubmit = async (event) => {
    event.preventDefault();
    const chosen = view.moves.find((move) => move.status === choice.value);
    if (chosen.needs_reason && !reason.value.trim()) {
      banner(words.reason_needed);
      reason.focus();
      return;
    }
    try {
      const { status } = await post("/api/moves", { code: view.site.code, becomes: choice.value, reason: reason.value });
      banner(`${words.moved}: ${status}`);
      done(status);
    } catch (refusal) {
      banner(refusal.message, { lasting: true });
    }
  };
}
