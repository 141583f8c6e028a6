"use strict";
// The whole board arrives each second and is drawn anew; nothing here adds up or guesses. What a screen on a wall shows stands
// in its address: ?tenant=NAME, ?target=PERCENT of the service level, ?abandoned=PERCENT that a campaign may lose.

const OLD_MS = 3000;
const RETRY_MS = 1000;
const TRACE = 120;
// Fewer make no line.
const TRACE_LEAST = 30;
// A node that has just started does not know the tokens yet.
const REFUSALS = 10;
const STATES = ["idle", "talking", "reserved", "offered", "wrap_up", "releasing", "paused", "not_ready", "logged_out"];
const STATE_WORDS = { idle: "free", talking: "talking", reserved: "reserved", offered: "ringing", wrap_up: "wrap-up", releasing: "hanging up", paused: "paused", not_ready: "not ready", logged_out: "logged out" };
const STAGES = [["flow", "in menus"], ["dialling", "dialling"], ["queued", "waiting"], ["offered", "ringing"], ["talking", "talking"]];
/* Why a campaign dials nobody. */
const STILL = { manual: "by hand", stopped: "stopped", no_node: "no node", no_leads: "no leads left", no_trunk: "no trunk", carrier_fails: "carrier fails", barred: "all left are barred", outside_hours: "outside hours", nobody_due: "nobody due", forbidden: "numbers not dialled", capped: "cap reached", no_agent_free: "no agent free", callers_first: "callers first", no_line: "no line free", no_relay: "no relay" };
const FAULTS = new Set([STILL.no_node, STILL.no_trunk, STILL.carrier_fails, STILL.forbidden, STILL.capped, STILL.no_relay]);
const OUTCOMES = [["answered", "answered"], ["abandoned", "gave up"], ["overflowed", "overflowed"], ["served_by_flow", "by menu"], ["called_back", "called back"], ["voicemail", "left a message"], ["transferred_out", "transferred"], ["merged", "merged"], ["failed", "failed"], ["rejected", "refused"]];
const RESULTS = [["connected", "connected"], ["abandoned", "no agent there"], ["busy", "busy"], ["no_answer", "no answer"], ["rejected", "declined"], ["invalid_number", "no such number"], ["unreachable", "unreachable"], ["carrier_failed", "carrier failed"], ["not_dialled", "not dialled"], ["unknown", "unknown"]];
// Those that stand on the board before there is one.
const USUAL = ["answered", "abandoned", "connected", "no_answer"];
// Q.850, as far as we say them ourselves.
const CAUSES = { 3: "no route", 16: "cleared", 17: "busy", 19: "no answer", 21: "refused", 34: "no relay", 41: "media lost", 57: "media not allowed", 65: "offer not met", 102: "timed out" };
// What only campaigns make; a floor without them is not shown their zeros.
const OUTBOUND = ["reserved", "dialling"];
// Fewer calls are no share that says something.
const JUDGED_LEAST = 5;
const MARKS = { ok: "●", warn: "▲", bad: "■" };

const address = new URLSearchParams(location.search);
const share = (name, without) => (Number(address.get(name)) > 0 ? Number(address.get(name)) / 100 : without);
// 80 % within 20 s is what is usual; whoever promised something else says so in the address.
const TARGET = share("target", 0.8);
// What is allowed differs from country to country: without a limit there is no colour.
const ABANDONED_MOST = share("abandoned", null);
const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

const $ = (id) => document.getElementById(id);
const view = { board: null, heard: 0, trouble: "connecting", refusals: 0, zone: ZONE, tenant: address.get("tenant") ?? "", state: "", traces: { waiting: [], talking: [] } };

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

/* What is looked at: all tenants, or one. A tenant has the figures that the board has of all. */

const isShown = (one) => !view.tenant || one.tenant === view.tenant;
const scope = (board) => (view.tenant ? board.tenants.find(isShown) : board) ?? { agents: {}, calls: {}, called: {}, recent: {}, service_level: null, today: { inbound: {}, outbound: {}, causes: {} } };

/* Levels; none is a figure that nobody judges. */

const waitLevel = (ms, allowed) => (ms <= allowed / 2 ? "ok" : ms <= allowed ? "warn" : "bad");
const marked = (level, text) => (level ? `${MARKS[level]} ${text}` : text);

function shareLevel(share, calls) {
  if (share === null || calls < JUDGED_LEAST) return "";
  return share >= TARGET ? "ok" : share >= TARGET * 0.75 ? "warn" : "bad";
}

function abandonedLevel(share) {
  if (share === null || ABANDONED_MOST === null) return "";
  return share <= (ABANDONED_MOST * 2) / 3 ? "ok" : share <= ABANDONED_MOST ? "warn" : "bad";
}

/* Parts */

function tile(label, [figure, unit], level, note, trace) {
  const made = el(`div.tile.${level || "plain"}`, el("div.label", label), el("div.figure", figure, unit ? el("small", unit) : null),
    el("div.note", marked(level, note)));
  if (trace && trace.length >= TRACE_LEAST) made.append(sparkline(trace));
  return made;
}

function sparkline(values) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  const most = Math.max(4, ...values);
  svg.setAttribute("viewBox", `0 0 ${values.length - 1} 40`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  line.setAttribute("points", values.map((value, at) => `${at},${38 - (value / most) * 34}`).join(" "));
  svg.append(line);
  return svg;
}

/* Callers: a called party who waits is a campaign's, and is no caller. */
const callersWaiting = (board) => board.queues.filter(isShown).reduce((all, queue) => all + queue.waiting, 0);
const called = (board, stage) => count(scope(board).called, stage);
const callers = (board, stage) => count(scope(board).calls, stage) - called(board, stage);

function tiles(board) {
  const { agents, recent, service_level } = scope(board);
  const queues = board.queues.filter(isShown);
  const waiting = callersWaiting(board);
  const free = count(agents, "idle");
  const first = queues.reduce((worst, queue) => (queue.longest_wait_ms > worst.longest_wait_ms ? queue : worst), { longest_wait_ms: 0, service_level_ms: 1, name: "" });
  const longest = waitLevel(first.longest_wait_ms, first.service_level_ms);
  const present = sum(agents) - count(agents, "logged_out");
  const judged = shareLevel(service_level, count(recent, "answered") + count(recent, "abandoned"));
  const within = `last ${board.window_min} min`;
  const talking = [callers(board, "talking"), called(board, "talking")];
  $("tiles").replaceChildren(
    tile("Callers waiting", [waiting], waiting && !free && longest === "ok" ? "warn" : longest, waiting ? (free ? "being given out" : "no agent free") : "nobody waits", view.traces.waiting),
    tile("Longest wait", span(first.longest_wait_ms), longest, first.name ? `in ${first.name}` : "in no queue"),
    tile("Service level", [percent(service_level), "%"], judged, `${judged ? { ok: "good", warn: "low", bad: "too low" }[judged] + ", " : ""}${within}`),
    tile("Talking", [talking[0] + talking[1]], "", hasCampaigns(board) ? `${talking[0]} callers · ${talking[1]} called` : "callers", view.traces.talking),
    tile("Agents free", [free], free || !present ? "ok" : "warn", `of ${present} logged in`),
    tile("Callers gave up", [count(recent, "abandoned")], "", `${count(recent, "answered")} answered, ${within}`),
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

function gauge(share, level, text) {
  const piece = el(`i.${level || "plain"}`);
  piece.style.width = `${(share ?? 0) * 100}%`;
  return el("div.sl", el("div.bar", piece), el(`b.${level || (share === null ? "zero" : "plain")}`, text));
}

/** A table: its columns are [heading, cell], and each cell keeps its heading for screens too narrow for a row. */
function table(id, columns, rows) {
  const head = el("thead", el("tr", ...columns.map(([heading, , kind = ".n"]) => el(`th${kind}`, heading))));
  const line = (row) => el("tr", ...columns.map(([heading, cell, kind = ".n"]) => {
    const made = cell(row);
    const td = made instanceof Node || made === null ? el(`td${kind}`, made) : el(`td${kind}${made ? "" : ".zero"}`, made);
    td.dataset.label = heading;
    return td;
  }));
  $(id).replaceChildren(head, el("tbody", ...rows.map(line)));
}

const level = (level, text) => el(`span.${level || "plain"}`, marked(level, text));
const nothing = () => el("span.zero", "–");
const thing = (one, ...more) => [el("span.name", one.name), el("span.of", one.tenant), ...more];

function served(share, tally, late) {
  const judged = shareLevel(share, tally.answered + tally.abandoned + tally.overflowed + tally.failed - tally.short + late);
  return gauge(share, judged, share === null ? "–" : marked(judged, `${percent(share)} %`));
}

const QUEUE = [
  ["Queue", (queue) => el("div", ...thing(queue)), ".who"],
  ["Waiting", (queue) => queue.waiting, ".n.big"],
  ["Longest wait", (queue) => (queue.waiting ? level(waitLevel(queue.longest_wait_ms, queue.service_level_ms), span(queue.longest_wait_ms).join(" ")) : nothing())],
  ["Agents free", (queue) => el(`span.${queue.idle ? "plain" : "zero"}`, queue.idle, el("small", ` of ${queue.staffed}`))],
  ["Service level", (queue) => served(queue.service_level, queue, queue.late), ".gauge"],
  ["Answered today", (queue) => queue.today.answered],
  ["Gave up today", (queue) => queue.today.abandoned],
  ["In time today", (queue) => (queue.today_service_level === null ? nothing() : `${percent(queue.today_service_level)} %`)],
];

function standing(campaign) {
  const still = campaign.standstill && STILL[campaign.standstill.why];
  const until = campaign.standstill && campaign.standstill.until;
  const dials = still || (campaign.running ? "running" : "stopped");
  const mark = dials === "running" ? "ok" : FAULTS.has(dials) ? "bad" : "zero";
  const till = until ? ` until ${new Date(until).toLocaleString([], { weekday: "short", hour: "2-digit", minute: "2-digit" })}` : "";
  return el(`span.state.${mark}`, `${MARKS[mark] || "○"} ${dials}${till}`);
}

/** Those that were not reached, by reason: the most first, the rest is below. */
function unreached(results) {
  const missed = RESULTS.slice(2).filter(([name]) => count(results, name)).sort(([a], [b]) => results[b] - results[a]).slice(0, 3);
  return el("span.why", missed.map(([name, words]) => `${words} ${results[name]}`).join(" · "));
}

function left(campaign) {
  const leads = campaign.leads - campaign.done - campaign.barred;
  return gauge(campaign.leads ? campaign.done / campaign.leads : 0, "", leads);
}

const rate = (share) => (share === null ? nothing() : `${(share * 100).toFixed(1)} %`);

const CAMPAIGN = [
  ["Campaign", (campaign) => el("div", ...thing(campaign, standing(campaign), unreached(campaign.today.results))), ".who"],
  ["Talking", (campaign) => campaign.talking, ".n.big"],
  ["Ringing", (campaign) => campaign.ringing],
  ["Agents kept", (campaign) => campaign.reserved],
  ["Called today", (campaign) => campaign.today.attempts],
  ["Connect rate", (campaign) => rate(campaign.today.connect_rate)],
  ["Abandoned", (campaign) => (campaign.today.abandoned_share === null ? nothing() : level(abandonedLevel(campaign.today.abandoned_share), `${(campaign.today.abandoned_share * 100).toFixed(1)} %`))],
  ["Leads left", left, ".gauge"],
];

const hasCampaigns = (board) => board.campaigns.some(isShown);
const shown = (board, name) => hasCampaigns(board) || !OUTBOUND.includes(name);

function agents(board) {
  const states = STATES.filter((state) => shown(board, state));
  const shares = (counts) => states.map((state) => [state, count(counts, state)]);
  const legend = el("div.legend", ...shares(scope(board).agents).map(([state, agents]) => {
    const dot = el("i");
    dot.style.background = `var(--${state})`;
    return el("div", dot, STATE_WORDS[state], el(`b${agents ? "" : ".zero"}`, agents));
  }));
  const team = (tenant) => el("div.team", el("span", tenant.tenant), bar(shares(tenant.agents)),
    el("em", `${count(tenant.agents, "idle")} of ${sum(tenant.agents) - count(tenant.agents, "logged_out")} free`));
  const teams = board.tenants.filter((tenant) => isShown(tenant) && sum(tenant.agents));
  $("agents").replaceChildren(bar(shares(scope(board).agents), ".wide"), legend, ...(teams.length > 1 ? [el("div.teams", ...teams.map(team))] : []));
  present(board);
}

/** By time in their state; the node names the longest of each state. */
function present(board) {
  const named = board.present.filter((agent) => isShown(agent) && (view.state ? agent.state === view.state : agent.state !== "idle"));
  const line = (agent) => {
    const dot = el("i");
    dot.style.background = `var(--${agent.state})`;
    return el("li", dot, el("span.name", agent.name, view.tenant || board.tenants.length < 2 ? null : el("span.of", agent.tenant)),
      el("span.doing", STATE_WORDS[agent.state] ?? agent.state, agent.reason ? el("small", ` ${agent.reason}`) : null), el("b", span(agent.for_s * 1000).join(" ")));
  };
  $("present").replaceChildren(...named.map(line));
}

/** Counts of callers, and of people called where there are campaigns: they share no figure. */
function counts(id, board, ofCallers, ofCalled) {
  const row = (name, parts) => el("div.counts", el("h3", name),
    ...parts.map(([words, value]) => el("div", el(`b${value ? "" : ".zero"}`, value), el("span", words))));
  $(id).replaceChildren(row("Callers", ofCallers), ...(hasCampaigns(board) || ofCalled.some(([, value]) => value) ? [row("People called", ofCalled)] : []));
}

function callsNow(board) {
  const of = (stages, count) => stages.map(([stage, words]) => [words, count(board, stage)]);
  counts("calls", board, of(STAGES.filter(([stage]) => stage !== "dialling"), callers), of(STAGES.filter(([stage]) => stage !== "flow"), called));
}

function endedToday(board) {
  const { inbound, outbound, causes } = scope(board).today;
  const of = (names, values) => names.filter(([name]) => USUAL.includes(name) || count(values, name)).map(([name, words]) => [words, count(values, name)]);
  counts("today", board, of(OUTCOMES, inbound), of(RESULTS, outbound));
  const why = Object.entries(causes).map(([cause, calls]) => `${CAUSES[cause] ?? "cause"} (${cause}): ${calls}`);
  if (why.length) $("today").append(el("p.why", `Failed and refused: ${why.join(" · ")}`));
  $("day").textContent = `since midnight${view.zone === ZONE ? "" : " UTC"}${board.today_whole ? "" : ", the first calls are missing: this node started later"}`;
}

function cluster(board) {
  const chip = (level, text, more) => el(`span.chip${level === "ok" ? "" : "." + level}`, el(`span.${level}`, MARKS[level] + " "), text, more ? el("small", " " + more) : null);
  const node = (node) => chip(!node.up ? "bad" : node.connected ? "ok" : "warn", `node ${node.node}`, !node.up ? "down" : node.connected ? "up" : "not reached");
  const group = (group) => chip(group.leader === null || group.diverged ? "bad" : "ok", group.name,
    group.diverged ? "differs: stopped" : group.leader === null ? "no leader" : `led by ${group.leader}` + (group.lag === null ? "" : `, lag ${group.lag}`));
  const relay = (relay) => chip(relay.connected ? "ok" : "bad", relay.relay, relay.connected ? "connected" : "not reached");
  const row = (name, ...chips) => el("div.row", el("span", name), ...chips);
  // A token of one tenant is told nothing of it.
  $("house").hidden = !board.nodes.length;
  $("cluster").replaceChildren(
    row("Nodes", ...board.nodes.map(node)), row("Groups", ...board.groups.map(group)),
    row("Relays", ...(board.relays.length ? board.relays.map(relay) : [chip("warn", "none")])),
    row("Stuck", chip(board.stuck ? "bad" : "ok", board.stuck, board.stuck ? "leases past their deadline" : "nothing is stuck")));
}

/** Choices are made anew only when there are others: an open list closes when it is touched. */
function choices(id, names, chosen) {
  const made = names.map(([value, words]) => new Option(words, value, false, value === chosen));
  const isSame = made.length === $(id).options.length && made.every((option, at) => option.value === $(id).options[at].value);
  if (!isSame) $(id).replaceChildren(...made);
}

function choose(board) {
  const tenants = board.tenants.map((tenant) => tenant.tenant);
  if (view.tenant && !tenants.includes(view.tenant)) tenants.push(view.tenant);
  $("tenant").hidden = tenants.length < 2;
  choices("tenant", [["", "all tenants"], ...tenants.map((name) => [name, name])], view.tenant);
  const states = STATES.filter((state) => state !== "logged_out" && shown(board, state));
  choices("state", [["", "busy or away"], ...states.map((state) => [state, STATE_WORDS[state]])], view.state);
}

function draw() {
  const board = view.board;
  // Nobody looks; what is drawn then is drawn when somebody does.
  if (!board || document.hidden) return;
  choose(board);
  tiles(board);
  $("window").textContent = `service level: last ${board.window_min} min, target ${Math.round(TARGET * 100)} %`;
  table("queues", QUEUE, board.queues.filter(isShown));
  $("outbound").hidden = !hasCampaigns(board);
  table("campaigns", CAMPAIGN, board.campaigns.filter(isShown));
  agents(board);
  callsNow(board);
  endedToday(board);
  cluster(board);
  $("from").textContent = `node ${board.node}, configuration ${board.config_version}`;
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
  // A tab that nobody opens is read by its title alone.
  document.title = old ? "(old) Strowger" : `${callersWaiting(board)} waiting · Strowger`;
  $("clock").textContent = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

/* The stream: fetch and not EventSource, which cannot send a token in a header nor tell a 401 from a lost line. */

function take(text) {
  view.heard = Date.now();
  view.trouble = "";
  const data = text.split("\n").filter((line) => line.startsWith("data: ")).map((line) => line.slice(6)).join("\n");
  if (data) view.board = JSON.parse(data);
  if (!view.board) return;
  for (const [name, now] of [["waiting", callersWaiting(view.board)], ["talking", count(scope(view.board).calls, "talking")]]) {
    view.traces[name].push(now);
    if (view.traces[name].length > TRACE) view.traces[name].shift();
  }
  draw();
  life();
}

async function listen() {
  const answer = await fetch(`/api/v1/events?zone=${encodeURIComponent(view.zone)}`, { headers: { Authorization: `Bearer ${sessionStorage.getItem("token") ?? ""}` }, cache: "no-store" });
  if (answer.status === 401 && view.board && view.refusals < REFUSALS) {
    view.refusals += 1;
    throw new Error("the node does not know the token yet");
  }
  if (answer.status === 401 || answer.status === 403) {
    await door(answer.status === 403 ? "That token may not read." : sessionStorage.getItem("token") ? "That token is not known here." : "");
    return;
  }
  // A browser may know a zone that the node does not.
  if (answer.status === 400 && view.zone !== "UTC") {
    view.zone = "UTC";
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
  $("theme").replaceChildren({ auto: "◐", light: "☀", dark: "☾" }[theme], el("span", ` ${theme}`));
  $("theme").setAttribute("aria-label", `Colours: ${theme}`);
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
  history.replaceState(null, "", location.pathname + location.search);
}

$("tenant").onchange = () => {
  view.tenant = $("tenant").value;
  view.traces = { waiting: [], talking: [] };
  if (view.tenant) address.set("tenant", view.tenant);
  else address.delete("tenant");
  history.replaceState(null, "", `${location.pathname}${address.size ? "?" + address : ""}`);
  draw();
};
$("state").onchange = () => {
  view.state = $("state").value;
  draw();
};
document.addEventListener("visibilitychange", draw);
prefersDark.addEventListener("change", paint);
paint();
tokenFromAddress();
setInterval(life, 500);
life();
forever();
