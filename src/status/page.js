// The live page of `websockify_status`: asks for the figures and the list again and again, and ends a session.

const EVERY = 2000;
const KEPT = 60;

const here = location.pathname;
const element = (id) => document.getElementById(id);
const past = { active: [], received: [], sent: [] };
let before;
let sessions = [];
let control = false;
let order = { by: "age", down: true };
let asked;

function units(number, names) {
  let at = 0;
  while (number >= 1000 && at < names.length - 1) {
    number /= 1000;
    at++;
  }
  return `${number < 10 && at > 0 ? number.toFixed(1) : Math.round(number)} ${names[at]}`;
}

const bytes = (number) => units(number, ["B", "kB", "MB", "GB", "TB"]);
const trip = (seconds) => (seconds === null ? "-" : `${Math.round(seconds * 1000)} ms`);

function time(seconds) {
  const whole = Math.floor(seconds);
  const two = (number) => String(number).padStart(2, "0");
  const clock = `${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  return whole < 3600 ? clock : `${Math.floor(whole / 3600)}:${clock}`;
}

async function ask(query) {
  const response = await fetch(here + query, { cache: "no-store" });
  if (response.status === 403 && query === "?sessions") {
    return null;
  }
  if (!response.ok) {
    throw new Error(`the server answers ${response.status}`);
  }
  return response.json();
}

function draw(name, value) {
  const line = past[name];
  line.push(value);
  line.splice(0, line.length - KEPT);
  const most = Math.max(...line, 1);
  const points = line.map((value, at) => `${((at * 120) / (KEPT - 1)).toFixed(1)},${(29 - (28 * value) / most).toFixed(1)}`);
  element(`${name}-line`).firstElementChild.setAttribute("points", points.join(" "));
}

function sum(figures, field) {
  return figures.names.reduce((all, name) => all + name[field], 0);
}

function showFigures(figures) {
  const now = performance.now();
  element("active").textContent = figures.active;
  draw("active", figures.active);
  for (const way of ["received", "sent"]) {
    const total = sum(figures, `bytes_${way}`);
    const rate = before ? Math.max(0, total - before[way]) / ((now - before.now) / 1000) : 0;
    element(way).textContent = `${bytes(rate)}/s`;
    element(way).title = `${bytes(total)} in all`;
    draw(way, rate);
  }
  before = { now, received: sum(figures, "bytes_received"), sent: sum(figures, "bytes_sent") };
  const trips = figures.names.map((name) => name.round_trip);
  const count = trips.reduce((all, it) => all + it.count, 0);
  element("trip").textContent = count ? trip(trips.reduce((all, it) => all + it.sum, 0) / count) : "-";
  element("opened").textContent = sum(figures, "opened");
  element("workers").textContent = figures.workers === 1 ? "1 worker" : `${figures.workers} workers`;
  element("zone").textContent = `${Math.round((100 * figures.zone.used) / figures.zone.size)} %`;
  element("unlisted").hidden = figures.unlisted === 0;
  element("unlisted").textContent = `${figures.unlisted} more for which the zone has no room`;
  for (const kind of ["ended", "refused", "connect_failures"]) {
    showCauses(kind, figures.names.flatMap((name) => name[kind]));
  }
}

function showCauses(kind, events) {
  const counts = new Map();
  for (const { cause, code, status, count } of events) {
    const key = [cause.replaceAll("_", " "), code ?? status ?? ""].join("\n");
    counts.set(key, (counts.get(key) ?? 0) + count);
  }
  const rows = [...counts].sort((one, other) => other[1] - one[1]).map(([key, count]) => row([...key.split("\n"), count]));
  element(kind).replaceChildren(...(rows.length ? rows : [row(["none"])]));
}

function row(texts) {
  const tr = document.createElement("tr");
  for (const text of texts) {
    tr.insertCell().textContent = text;
  }
  return tr;
}

function showSessions() {
  const words = element("filter").value.toLowerCase();
  const wanted = sessions.filter((it) => `${it.client} ${it.target} ${it.name ?? ""} ${it.id}`.toLowerCase().includes(words));
  const key = (it) => it[order.by] ?? (typeof sessions[0]?.[order.by] === "string" ? "" : -1);
  wanted.sort((one, other) => (key(one) < key(other) ? -1 : key(one) > key(other) ? 1 : 0) * (order.down ? -1 : 1));
  element("count").textContent = wanted.length === sessions.length ? sessions.length : `${wanted.length} of ${sessions.length}`;
  element("rows").replaceChildren(...wanted.slice(0, 500).map(sessionRow));
  for (const button of document.querySelectorAll("th button")) {
    button.setAttribute("aria-pressed", button.dataset.by === order.by);
  }
}

function sessionRow(it) {
  const tr = row([
    it.client, it.target, it.name ?? "", time(it.age), time(it.idle), bytes(it.bytes_received), bytes(it.bytes_sent),
    trip(it.round_trip), it.id,
  ]);
  tr.dataset.id = it.id;
  tr.cells[1].className = "target";
  tr.cells[8].className = "id";
  for (let at = 3; at < 8; at++) {
    tr.cells[at].className = "number";
  }
  const cell = tr.insertCell();
  if (control) {
    const button = document.createElement("button");
    button.textContent = "End";
    button.setAttribute("aria-label", `End the session of ${it.client} with ${it.target}`);
    button.addEventListener("click", () => question(it));
    cell.append(button);
  }
  return tr;
}

function question(it) {
  asked = it.id;
  element("whom").textContent = `${it.client} with ${it.target}, since ${time(it.age)}`;
  element("ask").showModal();
  element("reason").focus();
}

async function end() {
  element("ask").close();
  const body = new URLSearchParams({ id: asked, reason: element("reason").value });
  const response = await fetch(here, { method: "POST", body });
  // One that has ended meanwhile is what was wanted.
  if (!response.ok && response.status !== 404) {
    say(`The server answers ${response.status} and has ended nothing.`, true);
    return;
  }
  await look();
}

function say(text, bad) {
  element("state").textContent = text;
  element("state").className = bad ? "bad" : "";
}

async function look() {
  try {
    const [figures, list] = await Promise.all([ask("?format=json"), ask("?sessions")]);
    showFigures(figures);
    element("sessions").hidden = list === null;
    if (list) {
      sessions = list.sessions;
      control = list.control;
      showSessions();
    }
    say(`websockify-nginx-module ${figures.version}, ${new Date().toLocaleTimeString()}`);
  } catch (error) {
    say(error.message, true);
  }
}

async function watch() {
  if (!document.hidden) {
    await look();
  }
  setTimeout(watch, EVERY);
}

element("filter").addEventListener("input", showSessions);
element("no").addEventListener("click", () => element("ask").close());
element("yes").addEventListener("click", end);
element("reason").addEventListener("keydown", (event) => event.key === "Enter" && end());
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    order = { by: button.dataset.by, down: button.dataset.by === order.by ? !order.down : true };
    showSessions();
  });
}
document.addEventListener("visibilitychange", () => document.hidden || look());
watch();
