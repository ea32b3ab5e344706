// The queue: the next item is on the screen before the last decision has reached the ledger, and no decision is lost.
import { Editor } from "./edit.js";
import { banner, el, get, post, remembered, state, words } from "./page.js";
import { details, fillMoves, place, verdictCard } from "./panel.js";
import { Viewer, prefetch } from "./viewer.js";

// Each person has their own: what somebody decided before they were logged out is never sent as somebody else's.
const OUTBOX = `cvpipe-outbox ${state.who}`;
const RETRY_MS = 3000;
// What the server takes at most; a page may lie open over a weekend.
const LONGEST_S = 86_400;
const $ = (id) => document.getElementById(id);

const viewer = new Viewer();
const editor = new Editor(viewer);
let items = [];
let instead = 0;
let shownAt = 0;
let busy = false;
// Decisions that the server has not acknowledged; kept by the browser, so that a crash of either loses none.
const outbox = JSON.parse(remembered.get(OUTBOX) ?? "[]");

const wanted = () => Object.fromEntries(new FormData($("wanted")));
const keyOf = (item) => item?.key && `${item.key.assessment_key}/${item.key.question}`;
const bare = (item) => (item ? { assessment_key: item.key.assessment_key, question: item.key.question } : null);

function tellQueue(queue) {
  const parts = [el("b", {}, String(queue.waiting)), ` ${words.waiting}`, el("i", {}, "·"), el("b", {}, String(queue.today)), ` ${words.done_today}`];
  if (queue.median_s !== null) {
    const minutes = Math.max(1, Math.round((queue.median_s * queue.waiting) / 60));
    parts.push(el("i", {}, "·"), el("b", {}, queue.median_s.toFixed(1)), ` ${words.seconds_each}`);
    if (queue.waiting) parts.push(el("i", {}, "·"), words.time_left.replace("{minutes}", minutes));
  }
  $("pace").replaceChildren(...parts);
  $("pace").title = queue.by_why.map(([why, count]) => `${why}: ${count}`).join("\n");
}

function show() {
  const item = items[0];
  $("item").hidden = !item;
  $("empty").hidden = Boolean(item);
  editor.end();
  if (!item) {
    viewer.show(null);
    document.documentElement.dataset.shown = "";
    return;
  }
  const { site, verdict } = item;
  const opinion = item.opinion === 2 ? words.second_review : item.opinion > 2 ? words.third_review : null;
  $("tags").replaceChildren(el("span", { class: `why ${item.why_code}` }, item.why), ...(opinion ? [el("span", { class: "why blind" }, opinion)] : []));
  $("site-title").replaceChildren(el("a", { href: `/site?code=${encodeURIComponent(site.code)}` }, site.code), " ", el("span", {}, site.name));
  $("site-place").replaceChildren(...place(site));
  $("verdict").replaceChildren(...verdictCard(verdict), ...(item.handed_on ? [el("p", { class: "handed" }, item.handed_on)] : []));
  $("confirm-word").textContent = `${words.confirm}: ${verdict.outcome_word}`;
  $("reasons").replaceChildren(...item.reasons.map((reason, i) => el("button", { type: "button", "data-reason": reason.reason }, el("kbd", {}, String(i + 1)), reason.word)));
  instead = 0;
  tellInstead();
  $("note").value = "";
  $("more").replaceChildren(...details(item, verdict));
  $("history").open = false;
  $("moves").open = false;
  fillMoves(item, () => load());
  $("panel").scrollTop = 0;
  const shown = keyOf(item);
  shownAt = performance.now();
  viewer.show(item.pictures).then(() => {
    if (keyOf(items[0]) !== shown) return;
    document.documentElement.dataset.shown = shown;
    prefetch(items[1]?.pictures);
  });
}

function tellInstead() {
  const answers = items[0].answers;
  $("instead").replaceChildren(el("span", { class: "lead" }, words.instead), ...answers.map((answer, i) =>
    el("button", { type: "button", "data-instead": String(i), "aria-pressed": String(i === instead) }, answer.word)),
    ...(answers.length > 1 ? [el("kbd", {}, "I")] : []));
}

/** Take over what the server says comes next; the item on the screen stays where it is the same. */
function take(answer) {
  tellQueue(answer.queue);
  const known = new Map(items.map((item) => [keyOf(item), item]));
  const was = keyOf(items[0]);
  const pending = new Set(outbox.map(keyOf));
  items = answer.items.map((item) => (item.same ? known.get(keyOf(item)) : item)).filter((item) => item && !pending.has(keyOf(item)));
  if (keyOf(items[0]) !== was || !items.length) show();
  else prefetch(items[1]?.pictures);
}

async function load(address = "/api/next", more = {}) {
  try {
    take(await post(address, { wanted: wanted(), ...more }));
  } catch (refusal) {
    refused(refusal);
  }
}

function refused(refusal) {
  if (refusal.status === 401) {
    banner(refusal.message, { lasting: true, action: el("a", { href: "/login" }, words.log_in) });
  } else if (refusal.status === 403) {
    banner(refusal.message, { lasting: true, action: el("a", { href: "/review" }, words.look_again) });
  } else {
    banner(refusal.message, { lasting: refusal.status === 0 });
  }
}

function decide(verdict, reason = "") {
  const item = items[0];
  if (!item) return;
  const seconds = Math.min(Math.round((performance.now() - shownAt) / 100) / 10, LONGEST_S);
  outbox.push({ key: bare(item), verdict, reason, note: $("note").value, seconds });
  remembered.set(OUTBOX, JSON.stringify(outbox));
  advance();
  send();
}

function advance() {
  items.shift();
  $("save-state").textContent = words.saving;
  if (items.length) show();
}

async function send() {
  if (busy) return;
  busy = true;
  while (outbox.length) {
    const next = outbox[0];
    try {
      const answer = await post("/api/decisions", { ...next, wanted: wanted(), showing: bare(items[0]) });
      sent(answer.settled ? words.saved_settled : words.still_waits_for_others);
      document.documentElement.dataset.decision = String(answer.decision);
      take(answer);
    } catch (refusal) {
      // 401 and 403: logged out, or logged in anew elsewhere; the decision waits until the page is loaded again.
      if ([0, 401, 403].includes(refusal.status) || refusal.status >= 500) {
        refused(refusal);
        setTimeout(send, RETRY_MS);
        break;
      }
      sent(`${words.not_saved}: ${refusal.message}`);
      banner(`${words.not_saved}: ${refusal.message}`);
      await load("/api/next", { showing: null });
    }
  }
  busy = false;
}

function sent(said) {
  outbox.shift();
  remembered.set(OUTBOX, JSON.stringify(outbox));
  $("save-state").textContent = said;
  if (!$("banner").hidden) banner("");
}

async function putOff(kind) {
  const item = items[0];
  if (!item) return;
  const note = $("note").value;
  advance();
  await load("/api/put-off", { key: bare(item), state: kind, note, showing: bare(items[0]) });
  $("save-state").textContent = "";
}

async function undo() {
  if (outbox.length) return;
  try {
    const answer = await post("/api/undo", { wanted: wanted() });
    if (answer.undone === null) {
      banner(words.nothing_to_undo);
      return;
    }
    items = [];
    take(answer);
    $("save-state").textContent = words.undone;
    document.documentElement.dataset.undone = String(answer.undone);
  } catch (refusal) {
    refused(refusal);
  }
}

const acts = {
  confirm: () => decide(items[0].verdict.outcome),
  cannot: () => decide("not_assessable"),
  visit: () => decide("not_assessable", "site_visit"),
  later: () => putOff("skipped"),
  others: () => putOff("sent_back"),
  undo,
  reject: (i) => {
    const reason = items[0].reasons[i];
    if (reason) decide(items[0].answers[instead].outcome, reason.reason);
  },
  instead: () => {
    instead = (instead + 1) % items[0].answers.length;
    tellInstead();
  },
};

const keys = {
  Enter: acts.confirm, c: acts.confirm, x: acts.cannot, g: acts.visit, l: acts.later, b: acts.others, u: acts.undo, i: acts.instead,
  v: () => viewer.nextView(), o: () => viewer.toggleOutlines(), s: () => viewer.toggleSurfaces(), f: () => viewer.fit(),
  ArrowLeft: () => viewer.step(-1), ArrowRight: () => viewer.step(1),
  e: () => beginEdit(), m: () => $("note").focus(), "?": () => ($("keys").open = !$("keys").open),
};

function beginEdit() {
  if (items[0]) editor.begin(items[0].site.code, items[0].key.assessment_key);
}

const isTyping = (target) => target.matches("input:not([type=checkbox]), select, textarea");
const needsItem = new Set(["Enter", "c", "x", "g", "l", "b", "i"]);

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    if (editor.isOn) editor.end();
    document.activeElement?.blur();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || !$("keys-on").checked) {
    // Enter in the note confirms nothing: it only leaves the field.
    if (event.key === "Enter" && event.target === $("note")) $("note").blur();
    return;
  }
  if (event.key === " ") {
    if (event.target.matches("[type=checkbox]")) return;
    if (event.target.closest("button, summary, a")) event.target.blur();
    event.preventDefault();
    viewer.flicker(true);
    return;
  }
  if (event.repeat || editor.isOn) return;
  if (event.key === "Enter" && event.target.closest("button, summary, a")) return;
  if (/^[1-7]$/.test(event.key) && items[0]) {
    acts.reject(Number(event.key) - 1);
    return;
  }
  const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (!(name in keys) || (needsItem.has(name) && !items[0])) return;
  event.preventDefault();
  keys[name]();
});
document.addEventListener("keyup", (event) => event.key === " " && viewer.flicker(false));
window.addEventListener("blur", () => viewer.flicker(false));

$("decide").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  button.blur();
  if (button.dataset.decide) acts[button.dataset.decide]();
  else if (button.dataset.reason) acts.reject(items[0].reasons.findIndex((reason) => reason.reason === button.dataset.reason));
  else if (button.dataset.instead) {
    instead = Number(button.dataset.instead);
    tellInstead();
  }
});

$("history").addEventListener("toggle", async () => {
  if (!$("history").open || !items[0]) return;
  const answer = await get(`/api/history?code=${encodeURIComponent(items[0].site.code)}`).catch(() => null);
  const { history = [] } = (await answer?.json()) ?? {};
  document.querySelector("#history .life").replaceChildren(...history.map((one) => el("li", {}, el("time", {}, one.at), one.sentence)));
});

$("wanted").addEventListener("change", () => {
  const count = Object.values(wanted()).filter(Boolean).length;
  $("filter-count").textContent = count ? ` ${count}` : "";
  items = [];
  load();
});
$("again").addEventListener("click", () => load());
$("bring-back").addEventListener("click", () => load("/api/bring-back"));
$("undo-last").addEventListener("click", undo);
$("edit").addEventListener("click", beginEdit);
$("keys-on").addEventListener("change", () => remembered.set("keys", $("keys-on").checked ? "on" : "off"));
$("keys-on").checked = remembered.get("keys") !== "off";
window.addEventListener("beforeunload", (event) => outbox.length && event.preventDefault());

// The page brought the first items along, for all filters; a browser may have kept what was chosen before.
const isNarrowed = Object.values(wanted()).some(Boolean);
if (outbox.length || isNarrowed) {
  tellQueue(state.first.queue);
  send().then(() => items.length || load());
} else {
  take(state.first);
}
