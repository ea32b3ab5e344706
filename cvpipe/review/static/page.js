// What every page has: words, look, language, log-out, and the way things are sent.

const read = document.getElementById("state");
export const state = read ? JSON.parse(read.textContent) : {};
export const words = state.words ?? {};
const csrf = document.querySelector("meta[name=csrf]")?.content ?? "";

/** An answer of the server that is no success; `status` 0 where there was none. */
export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function answered(request) {
  let answer;
  try {
    answer = await request;
  } catch {
    throw new Refusal(0, words.connection_lost);
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  throw new Refusal(answer.status, told.error ?? told.detail ?? answer.statusText);
}

export async function get(address) {
  return answered(fetch(address, { headers: { Accept: "application/json" } }));
}

export async function post(address, body) {
  const isForm = body instanceof FormData;
  const headers = { "X-CSRF-Token": csrf, Accept: "application/json" };
  if (!isForm) headers["Content-Type"] = "application/json";
  const answer = await answered(fetch(address, { method: "POST", headers, body: isForm ? body : JSON.stringify(body ?? {}) }));
  return answer.status === 204 ? null : answer.json();
}

/** An element with attributes and children; text is always text. */
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

let bannerTimer;
export function banner(message, { action = null, lasting = false } = {}) {
  const shown = document.getElementById("banner");
  clearTimeout(bannerTimer);
  if (!shown) return;
  shown.hidden = !message;
  shown.replaceChildren(message ?? "", ...(action ? [" ", action] : []));
  if (message && !lasting) bannerTimer = setTimeout(() => (shown.hidden = true), 6000);
}

export const remembered = {
  get(key) {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  },
  set(key, value) {
    try {
      localStorage.setItem(key, value);
    } catch { /* storage is off */ }
  },
};

const acts = {
  theme() {
    const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
    const now = document.documentElement.dataset.theme ?? (isDark ? "dark" : "light");
    const next = now === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    remembered.set("theme", next);
  },
  language() {
    const next = state.lang === "zh" ? "en" : "zh";
    document.cookie = `cvpipe_lang=${next}; path=/; max-age=31536000; samesite=lax`;
    location.reload();
  },
  async "log-out"() {
    await post("/logout").catch(() => {});
    location.href = "/login";
  },
  print() {
    window.print();
  },
};

document.addEventListener("click", (event) => {
  const act = event.target.closest("[data-act]")?.dataset.act;
  if (act) acts[act]();
});
