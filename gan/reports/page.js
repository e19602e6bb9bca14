"use strict";

// What the page holds, and which runs are chosen.
const data = JSON.parse(document.getElementById("data").textContent);
const chosen = new Set(data.chosen);
const COLOURS = ["#1f77b4", "#e4572e", "#2a9d5c", "#8e5bb5", "#c79a00", "#17a2b8", "#d6568f", "#7a5c48", "#6b7785", "#9bb31b"];
const STARTING_CURVES = 4;

const find = (id) => document.getElementById(id);
const every = (selector, root = document) => [...root.querySelectorAll(selector)];

// A new element; texts are never read as HTML.
function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

// A text for Plotly, which reads some HTML.
function plain(text) {
  return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

const shownRuns = () => data.runs.filter((_, number) => chosen.has(number));
const shownGroups = () => [...new Set(shownRuns().map((run) => run.group))];

// The colour of a group: distinct among the chosen ones.
function colour(group) {
  const position = shownGroups().indexOf(group);
  if (position < COLOURS.length) return COLOURS[position] ?? "";
  return `hsl(${Math.round((position * 137.5) % 360)} 60% 42%)`;
}

const label = (run) => data.groups[run.group].label + (run.seed === "" ? "" : `, seed ${run.seed}`);
const nothing = (text) => element("p", { className: "empty", textContent: text });

// Sections that are drawn when they come into view, and again after a change.
class Panel {
  static all = new Map();

  constructor(id, draw) {
    Object.assign(this, { draw, stale: true, visible: false });
    Panel.all.set(id, this);
    new IntersectionObserver(([entry]) => {
      this.visible = entry.isIntersecting;
      this.refresh();
    }, { rootMargin: "300px" }).observe(find(id));
  }

  refresh() {
    if (!this.stale || !this.visible) return;
    this.stale = false;
    this.draw();
  }

  change() {
    this.stale = true;
    this.refresh();
  }
}

// Tables: sorting, filtering, seeds, ticks.

function sortKey(row, column) {
  const cell = row.rows[0].cells[column];
  const last = find("shown")?.value === "last" && cell.dataset.last !== undefined;
  const number = last ? cell.dataset.last : cell.dataset.best;
  if (number === undefined) return cell.textContent.trim().toLowerCase();
  return number === "" ? null : Number(number);
}

function compare(a, b) {
  return typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true });
}

function sort(table, heading) {
  const column = heading.cellIndex;
  const descending = heading.getAttribute("aria-sort") === "ascending";
  every("th", table).forEach((th) => th.removeAttribute("aria-sort"));
  heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const keyed = every("tbody.row", table).map((row) => [sortKey(row, column), row]);
  const empty = keyed.filter(([key]) => key === null);
  const rest = keyed.filter(([key]) => key !== null);
  rest.sort(([a], [b]) => (descending ? compare(b, a) : compare(a, b)));
  const foot = table.tFoot;
  [...rest, ...empty].forEach(([, row]) => table.insertBefore(row, foot));
}

function filter() {
  const words = find("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const row of every("tbody.row")) {
    const text = row.dataset.words.toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
  }
  count();
}

function count() {
  const shown = new Set(every("tbody.row:not([hidden]) [data-runs]").flatMap(runsOf));
  find("count").textContent = `${shown.size} of ${data.runs.length} runs shown, ${chosen.size} chosen`;
}

const runsOf = (box) => box.dataset.runs.trim().split(/\s+/).map(Number);

function tick() {
  for (const box of every("[data-runs]")) {
    const runs = runsOf(box);
    const ticked = runs.filter((run) => chosen.has(run)).length;
    box.checked = ticked === runs.length;
    box.indeterminate = ticked > 0 && ticked < runs.length;
    const swatch = box.parentElement.querySelector(".swatch");
    if (swatch) swatch.style.background = ticked ? colour(data.runs[runs[0]].group) : "";
  }
}

function choose(runs, wanted) {
  runs.forEach((run) => (wanted ? chosen.add(run) : chosen.delete(run)));
  tick();
  count();
  Panel.all.forEach((panel) => panel.change());
}

// Curves.

const active = new Set();

function curveNames() {
  const names = new Set(data.ranking);
  const logged = (measured) => (run) =>
    run.tracks.forEach((track) =>
      Object.keys(track.values).forEach((name) => (name in run.protocols) === measured && names.add(name)));
  data.runs.forEach(logged(true));
  data.runs.forEach(logged(false));
  const known = new Set(data.runs.flatMap((run) => run.tracks.flatMap((t) => Object.keys(t.values))));
  return [...names].filter((name) => known.has(name));
}

function makeChips() {
  curveNames().forEach((name, position) => {
    const chip = element("button", { type: "button", textContent: name });
    const set = (on) => {
      chip.setAttribute("aria-pressed", on);
      on ? active.add(name) : active.delete(name);
    };
    set(position < STARTING_CURVES);
    chip.addEventListener("click", () => {
      set(!active.has(name));
      Panel.all.get("curves")?.change();
    });
    find("names").append(chip);
  });
}

// The lines of a value by protocol: values under different protocols share no chart.
function linesOf(name) {
  const charts = new Map();
  for (const run of shownRuns()) {
    for (const track of run.tracks.filter((t) => name in t.values)) {
      const protocol = run.protocols[name] ?? "";
      if (!charts.has(protocol)) charts.set(protocol, []);
      charts.get(protocol).push({ run, x: track[find("axis").value], y: track.values[name], steps: track.steps });
    }
  }
  return charts;
}

// One line a group, the mean of its runs where they were measured at the same steps.
function means(lines) {
  return [...Map.groupBy(lines, (line) => line.run.group).values()].flatMap((seeds) => {
    const steps = String(seeds[0].steps);
    if (seeds.length < 2 || seeds.some((line) => String(line.steps) !== steps)) return seeds;
    const average = (key) => seeds[0][key].map((_, i) => {
      const known = seeds.map((line) => line[key][i]).filter((v) => v !== null);
      return known.length ? known.reduce((a, b) => a + b) / known.length : null;
    });
    return [{ run: seeds[0].run, x: average("x"), y: average("y"), mean: seeds.length }];
  });
}

function trace(line) {
  const name = line.mean ? `${data.groups[line.run.group].label}, mean of ${line.mean}` : label(line.run);
  return {
    x: line.x, y: line.y, name: plain(name), mode: line.x.length < 40 ? "lines+markers" : "lines",
    line: { color: colour(line.run.group), width: line.mean ? 2.5 : 1.5 }, marker: { size: 4 },
    hovertemplate: "%{y:.5g}<br>at %{x:,}<extra>%{fullData.name}</extra>",
  };
}

// An empty chart, and the function that draws it once it has its place in the page.
function chart(name, protocol, lines) {
  const plot = element("div", { className: "plot" });
  const title = element("h3", { textContent: name }, element("small", { textContent: protocol }));
  find("charts").append(element("div", { className: "chart" }, title, plot));
  return () => draw(plot, lines);
}

function draw(plot, lines) {
  const axis = find("axis");
  Plotly.newPlot(plot, (find("mean").checked ? means(lines) : lines).map(trace), {
    margin: { l: 58, r: 14, t: 10, b: 42 }, showlegend: false, hovermode: "closest",
    xaxis: { title: { text: axis.selectedOptions[0].text, font: { size: 12 } }, gridcolor: "#eceff2" },
    yaxis: { type: find("log").checked ? "log" : "linear", gridcolor: "#eceff2", exponentformat: "power" },
    hoverlabel: { namelength: 80 }, font: { size: 11 },
  }, { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d"] });
}

function drawCurves() {
  every(".plot").forEach((plot) => Plotly.purge(plot));
  find("charts").replaceChildren();
  find("legend").replaceChildren(...shownGroups().map((group) => {
    const swatch = element("i", { className: "swatch" });
    swatch.style.background = colour(group);
    return element("span", {}, swatch, data.groups[group].label);
  }));
  const names = curveNames().filter((name) => active.has(name));
  const draws = names.flatMap((name) => [...linesOf(name)].map(([protocol, lines]) => chart(name, protocol, lines)));
  draws.forEach((drawn) => drawn());
  if (!draws.length) find("charts").append(nothing("Choose runs in the tables, and curves above."));
  document.documentElement.dataset.drawn ??= Math.round(performance.now());
}

// Samples over time.

let times = [0];

// Real images seen by a step.
function imagesAt(run, step) {
  const ends = run.tracks.map((t) => [t.steps.at(-1), t.images.at(-1)]).filter(([s, i]) => s && i);
  return ends.length ? Math.round((step * ends[0][1]) / ends[0][0]) : null;
}

function caption(run, step) {
  const images = imagesAt(run, step);
  const seen = images === null ? "" : `, ${images.toLocaleString("en")} images`;
  return `step ${step.toLocaleString("en")}${seen}`;
}

function framed(run, image, title, note) {
  const picture = element("img", { src: image.src, width: image.width, height: image.height, alt: `${title}, ${note}` });
  picture.addEventListener("click", () => enlarge(picture));
  const lines = element("figcaption", {}, title, element("span", { textContent: note }));
  const frame = element("figure", {}, lines, picture);
  frame.style.setProperty("--group", colour(run.group));
  return frame;
}

function enlarge(picture) {
  const dialog = find("enlarged");
  Object.assign(dialog.querySelector("img"), { src: picture.src, alt: picture.alt });
  dialog.querySelector("p").textContent = picture.alt;
  dialog.showModal();
}

function drawSamples() {
  const runs = shownRuns().filter((run) => run.samples.length);
  times = [...new Set(runs.flatMap((run) => run.samples.map((s) => s.step)))].sort((a, b) => a - b);
  Object.assign(find("time"), { max: Math.max(times.length - 1, 0), value: times.length - 1 });
  const frames = runs.map((run) => framed(run, run.samples.at(-1), label(run), caption(run, run.samples.at(-1).step)));
  find("grids").replaceChildren(...(frames.length ? frames : [nothing("No chosen run has pictures.")]));
  frames.forEach((frame, i) => (frame.run = runs[i]));
  showTime();
}

// The last picture of each run up to the time of the slider; of a run that begins later, its first.
function showTime() {
  const step = times[Number(find("time").value)];
  find("now").textContent = step === undefined ? "" : `step ${step.toLocaleString("en")}`;
  for (const frame of find("grids").querySelectorAll("figure")) {
    const { samples } = frame.run;
    const image = samples.findLast((s) => s.step <= step) ?? samples[0];
    const picture = frame.querySelector("img");
    const note = caption(frame.run, image.step);
    if (picture.src !== image.src) Object.assign(picture, { src: image.src, alt: `${label(frame.run)}, ${note}` });
    frame.querySelector("span").textContent = note;
  }
}

let timer = null;

function play() {
  const running = timer !== null;
  clearInterval(timer);
  timer = running ? null : setInterval(() => {
    const slider = find("time");
    slider.value = (Number(slider.value) + 1) % Math.max(times.length, 1);
    showTime();
  }, 500);
  find("play").setAttribute("aria-pressed", !running);
  find("play").textContent = running ? "Play" : "Pause";
}

// Settings that differ between the chosen groups.

function drawDifferences() {
  const groups = shownGroups();
  const keys = Object.entries(data.settings).filter(([, s]) => new Set(groups.map((g) => s.of[g])).size > 1);
  if (!keys.length) {
    const text = groups.length < 2 ? "Choose runs with different settings." : "No stored setting differs.";
    return find("differences").replaceChildren(nothing(text));
  }
  const head = element("tr", {}, element("th", { textContent: "setting" }), ...groups.map((group) => {
    const swatch = element("i", { className: "swatch" });
    swatch.style.background = colour(group);
    return element("th", {}, swatch, data.groups[group].label);
  }));
  const rows = keys.map(([key, { values, of }]) => element("tr", {},
    element("td", { className: "name", textContent: key }),
    ...groups.map((g) => element("td", { textContent: values[of[g]] ?? "\u2013" }))));
  return find("differences").replaceChildren(
    element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)));
}

// Values within classes; the shade is the place of a value in the range of its table.

function classTable(table, rows) {
  const known = rows.flatMap((row) => row.values).filter((value) => value !== null);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const head = ["run", ...table.labels].map((text) => element("th", { textContent: text }));
  const lines = rows.map((row) => element("tr", {},
    element("td", { className: "name" }, label(data.runs[row.run]),
      element("span", { className: "under", textContent: row.source })),
    ...row.values.map((value) => {
      const cell = element("td", { className: "value heat", textContent: value ?? "" });
      cell.style.setProperty("--level", high > low && value !== null ? (value - low) / (high - low) : 0);
      return cell;
    })));
  const more = table.left_out ? `; ${table.left_out} further classes are left out` : "";
  const sheet = element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...lines));
  return [
    element("h3", { textContent: table.name }),
    element("p", { className: "note", textContent: `${table.protocol}${more}` }),
    element("div", { className: "scroll" }, sheet),
  ];
}

function drawClasses() {
  const shown = data.classes
    .map((table) => [table, table.rows.filter((row) => chosen.has(row.run))])
    .filter(([, rows]) => rows.length)
    .flatMap(([table, rows]) => classTable(table, rows));
  find("tables").replaceChildren(...(shown.length ? shown : [nothing("No chosen run has values within classes.")]));
}

// Figures, side by side under the names of their files.

function drawFigures() {
  const runs = shownRuns();
  const names = [...new Set(runs.flatMap((run) => run.figures.map((f) => f.name)))].sort();
  const parts = names.flatMap((name) => {
    const frames = runs.flatMap((run) => run.figures.filter((f) => f.name === name)
      .map((image) => framed(run, image, label(run), run.name)));
    return [element("h3", { textContent: name }), element("div", { className: "pictures wide" }, ...frames)];
  });
  find("gallery").replaceChildren(...(parts.length ? parts
    : [nothing("No chosen run has pictures in its folder figures.")]));
}

// What a click or a change does.

function listen() {
  every(".sortable th").forEach((th) => th.addEventListener("click", () => sort(th.closest("table"), th)));
  every("[data-runs]").forEach((box) => box.addEventListener("change", () => choose(runsOf(box), box.checked)));
  every(".seeds").forEach((button) => button.addEventListener("click", () => {
    const open = button.getAttribute("aria-expanded") !== "true";
    button.setAttribute("aria-expanded", open);
    every("tr.seed", button.closest("tbody")).forEach((row) => (row.hidden = !open));
  }));
  find("filter").addEventListener("input", filter);
  find("all").addEventListener("click", () =>
    choose(every("tbody.row:not([hidden]) [data-runs]").flatMap(runsOf), true));
  find("none").addEventListener("click", () => choose([...chosen], false));
  find("shown")?.addEventListener("change", (event) =>
    every(".board").forEach((table) => (table.className = `board sortable show-${event.target.value}`)));
  ["axis", "log", "mean"].forEach((id) =>
    find(id).addEventListener("change", () => Panel.all.get("curves")?.change()));
  find("time").addEventListener("input", showTime);
  find("play").addEventListener("click", play);
}

makeChips();
listen();
tick();
count();
window.addEventListener("load", () => new Panel("curves", drawCurves)); // with the plotting library
new Panel("samples", drawSamples);
new Panel("settings", drawDifferences);
if (data.classes.length) new Panel("classes", drawClasses);
new Panel("figures", drawFigures);
// Milliseconds from the start of loading until the tables answer.
document.documentElement.dataset.ready = Math.round(performance.now());
