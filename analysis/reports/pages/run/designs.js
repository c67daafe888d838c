
// The script of the page of a search: plot, filters, table and details, all over the same columns. Texts of others only
// ever become text nodes; the drawings are made by us, with every text in them escaped.

const D = JSON.parse(document.getElementById("data").textContent);
const COUNT = D.id.length;
const ALL = [...Array(COUNT).keys()];
const [COMPLETE, PRUNED] = [0, 1];
const SVG_POINTS = 2000; // more are drawn by the graphics card
const FIRST_ROWS = 50;
const LINES = 400;
const BARRED = 30; // of a front with more designs only the chosen one has its intervals: all would be a thicket
const at = (id) => document.getElementById(id);
const state = { sort: "rank", up: true, all: false, chosen: null, axes: {}, states: new Set([0, 1, 2]) };

const text = (coded, i) => coded.texts[coded.of[i]];
const digits = (value, places = 4) => (value === null ? "" : String(Number(value.toPrecision(places))));

function withUnit(goal, i) {
  const [value, low, high] = ["", "Low", "High"].map((end) => D[goal + end][i]);
  if (value === null) return "";
  const range = low === null || high === null ? "" : ` [${digits(low, 3)}, ${digits(high, 3)}]`;
  return `${digits(value)} ${D.goals[goal].unit}${range}`;
}

const kept = (i) =>
  state.states.has(D.state[i]) && Object.entries(state.axes).every(([axis, label]) => text(D.axes[axis], i) === label);
const isRanked = (i) => D.rank[i] !== null;
const isFront = (i) => D.rank[i] === 0;

// ---- filters

function filters() {
  const form = at("filters");
  const states = element("fieldset", { "aria-label": "Status" });
  D.states.forEach((name, code) => {
    const count = D.state.filter((one) => one === code).length;
    if (!count) return;
    const box = element("input", { type: "checkbox", checked: "", onchange: () => toggle(code, box.checked) });
    states.append(element("label", {}, box, ` ${name} (${count.toLocaleString("en")})`));
  });
  form.append(states);
  for (const axis of Object.keys(D.axes)) {
    const labels = D.axes[axis].texts.filter((label) => label !== "");
    if (labels.length < 2) continue;
    const choice = element("select", { "data-axis": axis, onchange: () => narrow(axis, choice.value) });
    choice.append(element("option", { value: "" }, "any"));
    for (const label of labels) choice.append(element("option", { value: `=${label}` }, label));
    form.append(element("label", {}, `${axis} `, choice));
  }
  form.append(element("button", { type: "reset" }, "Show all"));
  form.addEventListener("reset", () => {
    state.axes = {};
    state.states = new Set([0, 1, 2]);
    setTimeout(refresh);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
}

function toggle(code, isOn) {
  if (isOn) state.states.add(code);
  else state.states.delete(code);
  refresh();
}

function narrow(axis, value) {
  if (value) state.axes[axis] = value.slice(1);
  else delete state.axes[axis];
  refresh();
}

// ---- plot

function hover(i) {
  const words = text(D.words, i).replaceAll("; ", "<br>").replaceAll("<br>", "\n");
  const chance = D.chance[i] === null ? "" : `\nP(on front) ${digits(D.chance[i], 2)}`;
  const lines = `${D.name[i]}, ${D.states[D.state[i]]}\n${words}\n${withUnit("y", i)}\n${withUnit("x", i)}${chance}`;
  // plotly reads a little HTML: what is no line break of ours is shown as it is.
  return lines.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll("\n", "<br>");
}

function bars(goal, points, kind = "") {
  const ends = [`${goal}${kind}High`, `${goal}${kind}Low`];
  if (!D[ends[0]]) return undefined;
  const [array, arrayminus] = ends.map((end) => points.map((i) => (D[end][i] === null ? 0 : Math.abs(D[goal][i] - D[end][i]))));
  return { type: "data", symmetric: false, array, arrayminus, thickness: kind ? 3 : 1, width: 0, color: colour(isBarred() ? "faint" : "soft") };
}

const isBarred = () => ALL.filter(isFront).length <= BARRED;

function trace(name, points, marker, more = {}) {
  return { type: COUNT > SVG_POINTS ? "scattergl" : "scatter", mode: "markers", name: `${name} (${points.length})`,
    x: points.map((i) => D.x[i]), y: points.map((i) => D.y[i]), customdata: points, text: points.map(hover),
    hovertemplate: "%{text}<extra></extra>", marker, ...more };
}

function traces() {
  const seen = ALL.filter(kept);
  const ranked = seen.filter(isRanked);
  const front = ranked.filter(isFront).sort((a, b) => D.x[a] - D.x[b]);
  const few = front.length <= 12 && !isNarrow();
  const beaten = trace("not on the front", ranked.filter((i) => !isFront(i)), { color: colour("faint"), size: ranked.length > SVG_POINTS ? 4 : 7 });
  const best = trace("front", front, { color: colour("accent"), size: 11 }, {
    mode: `${D.isTwo ? "lines+" : ""}markers${few ? "+text" : ""}`, line: { color: colour("accent"), width: 1, shape: "hv" },
    texttemplate: "%{meta}", ...(isBarred() ? { error_x: bars("x", front), error_y: bars("y", front) } : {}) });
  best.texttemplate = front.map((i) => D.name[i].replaceAll("&", "&amp;").replaceAll("<", "&lt;"));
  best.textposition = "top left";
  best.textfont = { color: colour("ink"), size: 11 };
  best.cliponaxis = false;
  const low = Math.min(...ranked.map((i) => D.y[i]));
  const cut = seen.filter((i) => D.state[i] === PRUNED && D.x[i] !== null);
  const pruned = trace("pruned, at the bottom", cut, { color: colour("warm"), size: 8, symbol: "line-ns-open" });
  pruned.y = cut.map(() => (Number.isFinite(low) ? low : 0));
  const chosen = state.chosen === null || !isRanked(state.chosen) ? [] : [state.chosen];
  const ring = trace("chosen", chosen, { color: "rgba(0,0,0,0)", size: 20, line: { color: colour("warm"), width: 2.5 } });
  // What a design may move by alone is a thick bar within the thin one; a trace has one bar, so that this is another.
  const told = isBarred() ? front : chosen;
  const alone = trace("alone", told, { color: "rgba(0,0,0,0)", size: 1 }, {
    error_x: bars("x", told, "Own"), error_y: bars("y", told, "Own") });
  if (!isBarred()) Object.assign(ring, { error_x: bars("x", chosen), error_y: bars("y", chosen) });
  for (const silent of [ring, alone]) Object.assign(silent, { hoverinfo: "skip", hovertemplate: null, showlegend: false });
  return [beaten, pruned, alone, best, ring].map((one) => ({ showlegend: one.x.length > 0, ...one }));
}

function title(goal) {
  const { words, unit, isMax } = D.goals[goal];
  return `${words}${unit ? ` (${unit})` : ""}, ${isMax ? "more" : "less"} is better`;
}

const isNarrow = () => at("plot").clientWidth < 520;

function axisTitle(goal) {
  const { words, unit } = D.goals[goal];
  return isNarrow() ? `${words.split(" on ")[0]}${unit ? ` (${unit})` : ""}` : title(goal);
}

function layout() {
  const axis = { gridcolor: colour("rule"), zeroline: false, linecolor: colour("rule"), automargin: true };
  const values = ALL.filter((i) => kept(i) && D.x[i] !== null).map((i) => D.x[i]);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const pad = 0.08 * (high - low || high || 1);
  const isShown = D.limit !== null && D.limit * D.goals.x.scale >= low - pad && D.limit * D.goals.x.scale <= high + pad;
  const limit = D.limit === null ? 0 : D.limit * D.goals.x.scale;
  const line = { type: "line", x0: limit, x1: limit, yref: "paper", y0: 0, y1: 1, line: { color: colour("warm"), dash: "dash", width: 1 } };
  const label = { x: limit, yref: "paper", y: 1, text: `limit ${digits(limit)} ${D.goals.x.unit}`, showarrow: false, xanchor: "left", yanchor: "bottom",
    font: { color: colour("warm") } };
  return { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: colour("ink"), size: 12 },
    margin: { l: 50, r: 16, t: 26, b: 50 }, hovermode: "closest", dragmode: "pan", uirevision: "same",
    hoverlabel: { bgcolor: colour("card"), font: { color: colour("ink") }, align: "left" },
    legend: { orientation: "h", y: -0.24, x: 0 },
    // The intervals may be ten times as wide as the front: they do not set the range.
    xaxis: { ...axis, title: { text: axisTitle("x") }, range: values.length ? [low - pad, high + pad] : undefined },
    yaxis: { ...axis, title: { text: axisTitle("y") }, ...yRange() },
    shapes: isShown ? [line] : [], annotations: isShown ? [label] : [] };
}

function yRange() {
  const values = ALL.filter((i) => kept(i) && isRanked(i)).map((i) => D.y[i]);
  if (!values.length) return {};
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const pad = 0.15 * (high - low || Math.abs(high) || 1);
  return { range: [low - pad, high + pad] };
}

const CONFIG = { responsive: true, displaylogo: false, scrollZoom: false,
  modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "toggleSpikelines"] };

function plot() {
  if (!window.Plotly) return; // still being read
  return Plotly.react("plot", traces(), layout(), CONFIG);
}

function step(by) {
  const front = ALL.filter((i) => kept(i) && isFront(i)).sort((a, b) => D.x[a] - D.x[b]);
  if (!front.length) return;
  const place = front.indexOf(state.chosen);
  choose(front[(place < 0 ? 0 : place + by + front.length) % front.length]);
}

function keys(event) {
  const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
  if (by) step(by);
  else if (event.key === "Enter") at("details").querySelector("h3")?.focus();
  else return;
  event.preventDefault();
}

// ---- table

const COLUMNS = [
  ["rank", "front", "", status, (i) => D.rank[i]],
  ["y", () => title("y"), "n", (i) => withUnit("y", i), (i) => D.y[i]],
  ["x", () => title("x"), "n", (i) => withUnit("x", i), (i) => D.x[i]],
  ["chance", "P(on front)", "n", (i) => digits(D.chance[i], 2), (i) => D.chance[i]],
  ["parameters", "parameters (M)", "n", (i) => digits(D.parameters[i] === null ? null : D.parameters[i] / 1e6, 3), (i) => D.parameters[i]],
  ["macs", "GMACs", "n", (i) => digits(D.macs[i] === null ? null : D.macs[i] / 1e9, 3), (i) => D.macs[i]],
  ["trial", "trial", "n", (i) => String(D.trial[i]), (i) => D.trial[i]],
  ["words", "what it is", "words", (i) => text(D.words, i) + (text(D.reason, i) ? ` - ${text(D.reason, i)}` : ""), (i) => text(D.words, i)],
];

function status(i) {
  if (isFront(i)) return "on it";
  return isRanked(i) || D.state[i] !== COMPLETE ? D.states[D.state[i]] : D.unranked;
}

function headings() {
  const row = element("tr", {}, element("th", { scope: "col" }, "design"));
  for (const [key, name, kind] of COLUMNS) {
    row.append(sortHeading(typeof name === "string" ? name : name(), kind, key === state.sort ? state.up : null, () => sortBy(key)));
  }
  return element("thead", {}, row);
}

function sortBy(key) {
  state.up = key === state.sort ? !state.up : !D.goals[key]?.isMax;
  state.sort = key;
  table();
  at("table").querySelector('[aria-sort="ascending"] button, [aria-sort="descending"] button').focus();
}

function table() {
  const rows = inOrder(ALL.filter(kept), COLUMNS.find(([key]) => key === state.sort)[4], state.up);
  const shown = state.all ? rows : rows.slice(0, FIRST_ROWS);
  const body = element("tbody");
  for (const i of shown) {
    const open = element("button", { type: "button", onclick: () => choose(i, true) }, D.name[i]);
    const line = element("tr", { "data-i": i, ...(i === state.chosen ? { class: "chosen" } : {}) }, element("th", { scope: "row" }, open));
    for (const [, , kind, show] of COLUMNS) line.append(element("td", { class: kind }, show(i)));
    body.append(line);
  }
  at("table").replaceChildren(element("table", {}, headings(), body));
  at("count").textContent = `${shown.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} shown, of ${COUNT.toLocaleString("en")} records.`;
  if (shown.length < rows.length) {
    at("count").append(" ", element("button", { type: "button", class: "more", onclick: () => { state.all = true; table(); } }, "Show all rows"));
  }
}

// ---- details

function commands(i) {
  const named = /^[\w./:@+-]+$/.test(D.run) ? D.run : `'${D.run.replaceAll("'", "'\\''")}'`;
  const short = D.id[i].slice(0, 8);
  return [
    `topformer train --design ${named}:${short} --data DATA --out runs/${short}`,
    `topformer export ${named}:${short} --to onnx --checkpoint runs/${short}/weights.pt --out ${short}.onnx`,
    `topformer measure ${named}:${short} --on ssh://USER@BOARD --runtime ncnn --out rows.csv`,
    `topformer compare ${named}:${short} base --size ${text(D.size, i)}`,
  ].join("\n");
}

function partRows(i) {
  const parts = Object.entries(D.parts).filter(([, values]) => values[i] !== null);
  const most = Math.max(...parts.map(([, values]) => values[i]));
  const body = element("tbody");
  for (const [name, values] of parts) {
    const bar = element("td");
    bar.innerHTML = `<svg class="bar" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true"><rect width="100" height="12"
      class="track"/><rect width="${(100 * values[i]) / most}" height="12" class="full"/></svg>`;
    body.append(element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, `${digits(values[i], 3)} ms`), bar));
  }
  return parts.length ? element("table", {}, element("caption", {}, "Predicted latency by part"), body) : "";
}

function facts(i) {
  const list = element("dl");
  const add = (name, value) => value && list.append(element("dt", {}, name), element("dd", {}, value));
  add("status", D.states[D.state[i]] + (isFront(i) ? ", on the front" : ""));
  add("reason", text(D.reason, i));
  add(D.goals.y.words, withUnit("y", i));
  if (D.goals.x.words !== D.goals.y.words) add(D.goals.x.words, withUnit("x", i));
  add("P(on front)", digits(D.chance[i], 2));
  add("parameters", D.parameters[i] === null ? "" : D.parameters[i].toLocaleString("en"));
  add("MACs", D.macs[i] === null ? "" : D.macs[i].toLocaleString("en"));
  add("labels", Object.keys(D.axes).map((axis) => [axis, text(D.axes[axis], i)]).filter(([, label]) => label)
    .map((pair) => pair.join(" ")).join(", "));
  add("trial", `${D.trial[i]}, input ${text(D.size, i)}, fingerprint ${D.id[i]}`);
  return list;
}

function choose(i, isMoving = false) {
  state.chosen = i;
  const heading = element("h3", { tabindex: "-1" }, D.name[i]);
  at("details").replaceChildren(heading, element("p", {}, text(D.words, i)), facts(i), partRows(i));
  at("drawing").innerHTML = D.drawings[i] ?? "";
  if (!D.drawings[i]) at("drawing").append(element("p", { class: "hint" }, `topformer draw ${D.run}:${D.id[i].slice(0, 8)} --out FILE.svg draws it.`));
  const record = D.records[i] ? element("details", {}, element("summary", {}, "Its record"), element("pre", {}, JSON.stringify(D.records[i], null, 1))) : "";
  at("more").replaceChildren(element("h3", {}, "Train, export and measure it"), element("pre", { tabindex: "0" }, commands(i)), record);
  for (const row of at("table").querySelectorAll("tr.chosen")) row.classList.remove("chosen");
  at("table").querySelector(`tr[data-i="${i}"]`)?.classList.add("chosen");
  plot();
  if (isMoving) heading.focus();
}

// ---- parallel coordinates

function dimension(name, coded, seen) {
  const places = coded.texts.map((label, place) => [label, place]).sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }));
  const rank = new Map(places.map(([, place], order) => [place, order]));
  const shown = places.map(([label]) => (label.length > 14 ? `${label.slice(0, 13)}…` : label) || "none");
  return { label: name, values: seen.map((i) => rank.get(coded.of[i])), tickvals: places.map((_, order) => order), ticktext: shown };
}

function parallel() {
  // Ten thousand lines are a carpet, and minutes without a graphics card: the front and evenly spaced others, best to worst.
  const ranked = ALL.filter(isRanked);
  const every = Math.ceil(ranked.length / LINES);
  const seen = ranked.filter((i, place) => isFront(i) || place % every === 0);
  const dimensions = Object.entries(D.axes).filter(([, coded]) => coded.texts.length > 1).map(([name, coded]) => dimension(name, coded, seen));
  const goals = D.goals.x.words === D.goals.y.words ? ["y"] : ["x", "y"];
  for (const goal of goals) dimensions.push({ label: `${D.goals[goal].words.split(" on ")[0]} (${D.goals[goal].unit})`, values: seen.map((i) => D[goal][i]) });
  const worth = seen.map((i) => D.y[i]);
  const line = { color: worth, colorscale: "Cividis", reversescale: matchMedia("(prefers-color-scheme: light)").matches, showscale: false };
  Plotly.react("parallel", [{ type: "parcoords", dimensions, line, labelfont: { color: colour("ink"), size: 12 },
    tickfont: { color: colour("ink"), size: 10 }, rangefont: { color: colour("soft"), size: 10 }, unselected: { line: { opacity: 0.05 } } }],
  { paper_bgcolor: "rgba(0,0,0,0)", margin: { l: 50, r: 50, t: 40, b: 20 } }, { ...CONFIG, displayModeBar: false });
}

// ---- all of it

function refresh() {
  plot();
  table();
}

// Table and details first: they can be read while the browser is still busy with plotly.
function start() {
  if (!at("plot")) return;
  filters();
  table();
  choose(ALL.find((i) => isFront(i)) ?? 0);
  performance.mark("table");
}

function startPlots() {
  if (!at("plot")) return;
  plot().then(() => requestAnimationFrame(() => performance.mark("plot")));
  at("plot").on("plotly_click", (event) => choose(event.points[0].customdata));
  at("plot").addEventListener("keydown", keys);
  const lines = at("parallel");
  const later = lines && new IntersectionObserver((found) => {
    if (!found.some((one) => one.isIntersecting)) return;
    later.disconnect();
    parallel();
  }, { rootMargin: "300px" });
  if (lines) later.observe(lines);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    plot();
    if (lines?.data) parallel();
  });
  window.addEventListener("beforeprint", () => lines && !lines.data && parallel());
}

start();
