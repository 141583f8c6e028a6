"use strict";
// The whole board arrives each second and is drawn anew; nothing here adds up or guesses.

const OLD_MS = 3000;
const RETRY_MS = 1000;
const TRACE = 120;
// A node that has just started does not know the tokens yet.
const REFUSALS = 10;
const STATES = ["idle", "talking", "reserved", "offered", "wrap_up", "releasing", "paused", "not_ready", "logged_out"];
const STATE_WORDS = { idle: "free", talking: "talking", reserved: "reserved", offered: "ringing", wrap_up: "wrap-up", releasing: "hanging up", paused: "paused", not_ready: "not ready", logged_out: "logged out" };
const STAGES = [["flow", "in menus"], ["dialling", "dialling"], ["queued", "waiting"], ["offered", "ringing"], ["talking", "talking"]];
/* Why a campaign dials nobody. */
const STILL = { manual: "by hand", stopped: "stopped", no_node: "no node", no_leads: "no leads left", no_trunk: "no trunk", carrier_fails: "carrier fails", barred: "all left are barred", outside_hours: "outside hours", nobody_due: "nobody due", no_agent_free: "no agent free", callers_first: "callers first", no_relay: "no relay" };
const FAULTS = new Set([STILL.no_node, STILL.no_trunk, STILL.carrier_fails, STILL.no_relay]);
const OUTCOMES = [["answered", "answered"], ["abandoned", "abandoned"], ["overflowed", "overflowed"], ["served_by_flow", "by menu"], ["failed", "failed"], ["rejected", "rejected"], ["not_reached", "not reached"]];
// What only campaigns make; a floor without them is not shown their zeros.
const OUTBOUND = ["reserved", "dialling", "not_reached"];
// Of the called parties who answer, the share that may find no agent there: the rule of Ofcom and of the FTC.
const ABANDONED_MOST = 0.03;
const MARKS = { ok: "●", warn: "▲", bad: "■" };

const $ = (id) => document.getElementById(id);
const view = { board: null, heard: 0, trouble: "connecting", refusals: 0, traces: { waiting: [], talking: [] } };

/** An element: el("td.n", text or children…). */
function el(what, ...inside) {
  const [tag, ...classes] = what.split(".");
  const made = document.createElement(tag);
  made.className = classes.join(" ");
  made.append(...inside.filter((part) => part !== null && part !== undefined).map((part) => (part instanceof Node ? part : String(part))));
  return made;
}

const count = (counts, name) => counts[name] ?? 0;
const sum = (counts) => Object.values(counts).reduce((all, one) => all + one, 0);
const percent = (share) => (share === null ? "–" : `${Math.round(share * 100)}`);

function span(ms) {
  const s = Math.floor(ms / 1000);
  if (s < 60) return [String(s), "s"];
  if (s < 3600) return [`${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`, "min"];
  return [`${Math.floor(s / 3600)}:${String(Math.floor(s / 60) % 60).padStart(2, "0")}`, "h"];
}

/* Levels */

const waitLevel = (ms, allowed) => (ms <= allowed / 2 ? "ok" : ms <= allowed ? "warn" : "bad");
const shareLevel = (share) => (share === null || share >= 0.8 ? "ok" : share >= 0.6 ? "warn" : "bad");

function lostLevel(tally) {
  const all = tally.answered + tally.abandoned + tally.overflowed + tally.failed;
  const lost = all ? (all - tally.answered) / all : 0;
  return lost <= 0.05 ? "ok" : lost <= 0.1 ? "warn" : "bad";
}

function abandonedLevel(share) {
  if (share === null || share <= (ABANDONED_MOST * 2) / 3) return "ok";
  return share <= ABANDONED_MOST ? "warn" : "bad";
}

/* Parts */

function tile(label, [figure, unit], level, note, trace) {
  const made = el(`div.tile.${level}`, el("div.label", label), el("div.figure", figure, unit ? el("small", unit) : null),
    el("div.note", `${MARKS[level]} ${note}`));
  if (trace && trace.length > 2) made.append(sparkline(trace));
  return made;
}

function sparkline(values) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  const most = Math.max(4, ...values);
  svg.setAttribute("viewBox", `0 0 ${TRACE} 40`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const from = TRACE - values.length;
  line.setAttribute("points", values.map((value, at) => `${from + at + 1},${38 - (value / most) * 34}`).join(" "));
  svg.append(line);
  return svg;
}

/* Callers: a called party who waits is a campaign's, and is no caller. */
const callersWaiting = (board) => board.queues.reduce((all, queue) => all + queue.waiting, 0);

function tiles(board) {
  const waiting = callersWaiting(board);
  const free = count(board.agents, "idle");
  const first = board.queues.reduce((worst, queue) => (queue.longest_wait_ms > worst.longest_wait_ms ? queue : worst), { longest_wait_ms: 0, service_level_ms: 1, name: "" });
  const longest = waitLevel(first.longest_wait_ms, first.service_level_ms);
  const present = sum(board.agents) - count(board.agents, "logged_out");
  const recent = board.recent;
  const within = `last ${board.window_min} min`;
  $("tiles").replaceChildren(
    tile("Waiting", [waiting], waiting && !free && longest === "ok" ? "warn" : longest, waiting ? (free ? "being given out" : "no agent free") : "nobody waits", view.traces.waiting),
    tile("Longest wait", span(first.longest_wait_ms), longest, first.name ? `in ${first.name}` : "in no queue"),
    tile("Service level", [percent(board.service_level), "%"], shareLevel(board.service_level), { ok: "good", warn: "low", bad: "too low" }[shareLevel(board.service_level)] + `, ${within}`),
    tile("Talking", [count(board.calls, "talking")], "ok", `${recent.answered} callers answered`, view.traces.talking),
    tile("Agents free", [free], free ? "ok" : "warn", `of ${present} logged in`),
    tile("Abandoned", [recent.abandoned], lostLevel(recent), within),
  );
}

function bar(parts, kind = "") {
  const made = el(`div.bar${kind}`);
  const all = parts.reduce((total, [, share]) => total + share, 0) || 1;
  for (const [name, share] of parts) {
    const piece = el("i");
    piece.style.width = `${(share / all) * 100}%`;
    piece.style.background = `var(--${name})`;
    made.append(piece);
  }
  return made;
}

function queueRow(queue) {
  const wait = waitLevel(queue.longest_wait_ms, queue.service_level_ms);
  const share = shareLevel(queue.service_level);
  const [figure, unit] = span(queue.longest_wait_ms);
  const level = el("i." + share);
  level.style.width = `${(queue.service_level ?? 0) * 100}%`;
  const number = (value, more = "") => el(`td.n${value ? "" : ".zero"}${more}`, value);
  return el("tr",
    el("td", el("span.name", queue.name), el("span.of", queue.tenant)),
    number(queue.waiting, ".big"),
    queue.waiting ? el(`td.n.${wait}`, `${MARKS[wait]} ${figure} ${unit}`) : el("td.n.zero", "–"),
    el("td", el("div.sl", el("div.bar", level), queue.service_level === null ? el("b.zero", "–") : el(`b.${share}`, `${MARKS[share]} ${percent(queue.service_level)} %`))),
    number(queue.answered), number(queue.abandoned), number(queue.idle));
}

function campaignRow(campaign) {
  const abandoned = count(campaign.results, "abandoned");
  const connected = count(campaign.results, "connected");
  const share = abandoned + connected ? abandoned / (abandoned + connected) : null;
  const level = abandonedLevel(share);
  const left = campaign.leads - campaign.done - campaign.barred;
  const done = el("i.ok");
  done.style.width = `${campaign.leads ? (campaign.done / campaign.leads) * 100 : 0}%`;
  const still = campaign.standstill && STILL[campaign.standstill.why];
  const until = campaign.standstill && campaign.standstill.until;
  const dials = still || (campaign.running ? "running" : "stopped");
  const mark = dials === "running" ? "ok" : FAULTS.has(dials) ? "bad" : "zero";
  const till = until ? ` until ${new Date(until).toLocaleString([], { weekday: "short", hour: "2-digit", minute: "2-digit" })}` : "";
  const number = (value, more = "") => el(`td.n${value ? "" : ".zero"}${more}`, value);
  return el("tr",
    el("td", el("span.name", campaign.name), el("span.of", campaign.tenant), el(`span.state.${mark}`, `${MARKS[mark] || "○"} ${dials}${till}`)),
    number(campaign.talking, ".big"), number(campaign.ringing), number(campaign.reserved), number(campaign.dialled), number(connected),
    share === null ? el("td.n.zero", "–") : el(`td.n.${level}`, `${MARKS[level]} ${(share * 100).toFixed(1)} %`),
    el("td", el("div.sl", el("div.bar", done), el(`b${left ? "" : ".zero"}`, left))));
}

const hasCampaigns = (board) => board.campaigns.length > 0;
const shown = (board, name) => hasCampaigns(board) || !OUTBOUND.includes(name);

function agents(board) {
  const states = STATES.filter((state) => shown(board, state));
  const shares = (counts) => states.map((state) => [state, count(counts, state)]);
  const legend = el("div.legend", ...shares(board.agents).map(([state, agents]) => {
    const dot = el("i");
    dot.style.background = `var(--${state})`;
    return el("div", dot, STATE_WORDS[state], el(`b${agents ? "" : ".zero"}`, agents));
  }));
  const team = (tenant) => el("div.team", el("span", tenant.tenant), bar(shares(tenant.agents)),
    el("em", `${count(tenant.agents, "idle")} of ${sum(tenant.agents)} free`));
  $("agents").replaceChildren(bar(shares(board.agents), ".wide"), legend, el("div.teams", ...board.tenants.map(team)));
}

const counts = (id, names, values) => $(id).replaceChildren(...names.map(([name, words]) =>
  el("div", el(`b${count(values, name) ? "" : ".zero"}`, count(values, name)), el("span", words))));

function cluster(board) {
  const chip = (level, text, more) => el(`span.chip${level === "ok" ? "" : "." + level}`, el(`span.${level}`, MARKS[level] + " "), text, more ? el("small", " " + more) : null);
  const node = (node) => chip(!node.up ? "bad" : node.connected ? "ok" : "warn", `node ${node.node}`, !node.up ? "down" : node.connected ? "up" : "not reached");
  const group = (group) => chip(group.leader === null || group.diverged ? "bad" : "ok", group.name,
    group.diverged ? "differs: stopped" : group.leader === null ? "no leader" : `led by ${group.leader}` + (group.lag === null ? "" : `, lag ${group.lag}`));
  const relay = (relay) => chip(relay.connected ? "ok" : "bad", relay.relay, relay.connected ? "connected" : "not reached");
  const row = (name, ...chips) => el("div.row", el("span", name), ...chips);
  $("cluster").replaceChildren(
    row("Nodes", ...board.nodes.map(node)), row("Groups", ...board.groups.map(group)),
    row("Relays", ...(board.relays.length ? board.relays.map(relay) : [chip("warn", "none")])),
    row("Stuck", chip(board.stuck ? "bad" : "ok", board.stuck, board.stuck ? "leases past their deadline" : "nothing is stuck")));
}

function draw() {
  const board = view.board;
  tiles(board);
  $("window").textContent = `service level, answered, abandoned: last ${board.window_min} min`;
  $("queues").replaceChildren(...board.queues.map(queueRow));
  $("outbound").hidden = !hasCampaigns(board);
  $("campaigns").replaceChildren(...board.campaigns.map(campaignRow));
  agents(board);
  const some = (names) => names.filter(([name]) => shown(board, name));
  counts("calls", some(STAGES), board.calls);
  counts("today", some(OUTCOMES), board.today);
  cluster(board);
  $("from").textContent = `from node ${board.node}, configuration ${board.config_version}`;
  document.title = `${callersWaiting(board)} waiting · Strowger`;
}

/** How alive the picture is; looked at twice a second, because silence sends no event. */
function life() {
  const age = Date.now() - view.heard;
  const board = view.board;
  const old = !board || age > OLD_MS;
  const say = (level, word, alert) => {
    $("life").className = `pill ${level}`;
    $("life").textContent = `${MARKS[level]} ${word}`;
    $("alert").hidden = !alert;
    if (alert && $("alert").textContent !== alert) $("alert").textContent = alert;
  };
  document.body.classList.toggle("old", old);
  if (!board) say("warn", view.trouble, null);
  else if (old) say("bad", "old", `■ These figures are ${Math.round(age / 1000)} s old: ${view.trouble || "the node is silent"}`);
  else if (!board.active) say("bad", "passive", "■ This node is passive: it reaches no majority of the others and takes no calls");
  else if (board.stuck) say("bad", "live", `■ ${board.stuck} stuck: leases are past their deadline`);
  else say("ok", "live", null);
  $("clock").textContent = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

/* The stream: fetch and not EventSource, which cannot send a token in a header nor tell a 401 from a lost line. */

function take(text) {
  view.heard = Date.now();
  view.trouble = "";
  const data = text.split("\n").filter((line) => line.startsWith("data: ")).map((line) => line.slice(6)).join("\n");
  if (data) view.board = JSON.parse(data);
  if (!view.board) return;
  for (const [name, now] of [["waiting", callersWaiting(view.board)], ["talking", count(view.board.calls, "talking")]]) {
    view.traces[name].push(now);
    if (view.traces[name].length > TRACE) view.traces[name].shift();
  }
  draw();
  life();
}

async function listen() {
  const answer = await fetch("/api/v1/events", { headers: { Authorization: `Bearer ${sessionStorage.getItem("token") ?? ""}` }, cache: "no-store" });
  if (answer.status === 401 && view.board && view.refusals < REFUSALS) {
    view.refusals += 1;
    throw new Error("the node does not know the token yet");
  }
  if (answer.status === 401 || answer.status === 403) {
    await door(answer.status === 403 ? "That token may not read." : sessionStorage.getItem("token") ? "That token is not known here." : "");
    return;
  }
  if (!answer.ok) throw new Error(`the node says ${answer.status}`);
  view.refusals = 0;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) throw new Error("the node ended the stream");
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    events.forEach(take);
  }
}

/** Resolves when somebody gave a token. */
function door(why) {
  view.trouble = "token needed";
  $("why").textContent = why;
  $("door").hidden = false;
  $("token").focus();
  return new Promise((resolve) => {
    $("door").onsubmit = (event) => {
      event.preventDefault();
      sessionStorage.setItem("token", $("token").value.trim());
      $("token").value = "";
      $("door").hidden = true;
      view.trouble = "connecting";
      resolve();
    };
  });
}

async function forever() {
  for (;;) {
    try {
      await listen();
    } catch (fault) {
      view.trouble = fault instanceof TypeError ? "the node does not answer" : fault.message;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

/* Light and dark */

const THEMES = ["auto", "light", "dark"];
const prefersDark = matchMedia("(prefers-color-scheme: dark)");

function paint() {
  const theme = THEMES.includes(localStorage.getItem("theme")) ? localStorage.getItem("theme") : "auto";
  document.documentElement.classList.toggle("dark", theme === "dark" || (theme === "auto" && prefersDark.matches));
  $("theme").textContent = { auto: "◐ auto", light: "☀ light", dark: "☾ dark" }[theme];
  $("theme").onclick = () => {
    localStorage.setItem("theme", THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]);
    paint();
  };
}

/** A link may carry the token behind `#`, which no browser sends to any server; it leaves the address at once. */
function tokenFromAddress() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!token) return;
  sessionStorage.setItem("token", token);
  history.replaceState(null, "", location.pathname);
}

prefersDark.addEventListener("change", paint);
paint();
tokenFromAddress();
setInterval(life, 500);
life();
forever();
