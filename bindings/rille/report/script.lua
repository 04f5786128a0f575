--- rille.report.script: what a report's page does when it is opened: theme, sortable tables, the heat map, the histories.
-- JavaScript of 2015, which every browser has; it asks nothing of the network, and without it text, tables and drawings stay.

return [==[
"use strict";
(function () {
const data = JSON.parse(document.getElementById("data").textContent);
const root = document.documentElement;
const dark = matchMedia("(prefers-color-scheme: dark)");
const redraws = [];

/* JSON has neither NaN nor infinities; they come as strings. Nothing stays null. */
const number = x => x === null || x === undefined ? null : +x;
const style = name => getComputedStyle(root).getPropertyValue(name).trim();
const isDark = () => (root.dataset.theme || (dark.matches ? "dark" : "light")) === "dark";

function redraw() {
  redraws.forEach(f => f());
}

/* 10^x as people write it, also where that is no double. */
function power(x) {
  if (x === null) return "-";
  if (!isFinite(x)) return Number.isNaN(x) ? "NaN" : x > 0 ? "Inf" : "0";
  if (x >= -2 && x < 4) return String(+Math.pow(10, x).toPrecision(3));
  let exponent = Math.floor(x), mantissa = Math.pow(10, x - exponent).toPrecision(2);
  if (mantissa === "10") { mantissa = "1.0"; exponent += 1; }
  return mantissa.replace(/\.0$/, "") + "e" + exponent;
}

/* A share as rille.text has it: never 0 % or 100 % where it is not. */
function share(x) {
  if (x === null || !isFinite(x)) return x === null ? "-" : "NaN";
  return x > 0 && x < 0.005 ? "< 1 %" : x < 1 && x >= 0.995 ? "> 99 %" : Math.round(100 * x) + " %";
}
const shown = (quantity, x) => quantity.log ? power(x) : share(x);

/* Colours of a scale from dark to light; t from 0 to 1. */
function onScale(t) {
  const scale = data.scale, place = Math.min(Math.max(t, 0), 1) * (scale.length - 1);
  const k = Math.min(Math.floor(place), scale.length - 2), u = place - k;
  return "rgb(" + scale[k].map((c, i) => Math.round(c + (scale[k + 1][i] - c) * u)).join(",") + ")";
}
/* That of line i of n, which the page's ground does not swallow. */
function lineColour(i, n) {
  if (n === 1) return style("--link");
  const t = i / (n - 1);
  return onScale(isDark() ? 0.3 + 0.7 * t : 0.92 * t);
}

/* ---- Theme ---- */

const theme = document.getElementById("theme");
theme.hidden = false;
theme.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  redraw();
});
dark.addEventListener("change", redraw);

/* ---- Tables ---- */

document.querySelectorAll("table.sortable").forEach(table => {
  const heads = Array.from(table.querySelectorAll("th")), body = table.tBodies[0];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    const value = row => row.cells[column].dataset.value;
    heads.forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    /* Absent values stay last, whichever way. */
    const rows = Array.from(body.rows).sort((a, b) => {
      const left = value(a), right = value(b);
      if (left === "" || right === "") return (left === "") - (right === "");
      const order = isNaN(left) ? left.localeCompare(right) : left - right;
      return sign * (order || 0);
    });
    rows.forEach(row => body.appendChild(row));
  }));
});

/* ---- Heat map ---- */

function heatMap(box) {
  const select = box.querySelector("select"), canvas = box.querySelector("canvas"), read = box.querySelector(".read");
  let place = null, cell = null;

  const quantity = () => data.history.quantities[select.value];
  function extent(q) {
    let low = Infinity, high = -Infinity;
    q.values.forEach(row => row.forEach(v => {
      const x = number(v);
      if (x !== null && isFinite(x)) { low = Math.min(low, x); high = Math.max(high, x); }
    }));
    return low > high ? [0, 1] : high - low < 1e-6 ? [low - 0.5, high + 0.5] : [low, high];
  }
  function colour(x, low, high) {
    if (x === null) return "transparent";
    if (Number.isNaN(x) || x === Infinity) return style("--bad");
    return x === -Infinity ? style("--line") : onScale((x - low) / (high - low));
  }

  function drawScale(c, g, q, low, high) {
    const words = ["" + shown(q, low), shown(q, high)];
    const y = g.height - 14;
    c.textAlign = "left";
    c.fillText(words[0], g.left, y);
    const from = g.left + c.measureText(words[0]).width + 8, to = Math.min(g.width * 0.6, from + 220);
    for (let x = from; x < to; x++) {
      c.fillStyle = onScale((x - from) / (to - from));
      c.fillRect(x, y - 6, 1.5, 12);
    }
    c.fillStyle = style("--soft");
    c.fillText(words[1], to + 8, y);
    let x = to + 24 + c.measureText(words[1]).width;
    [["--line", "0", v => v === "-Infinity"], ["--bad", "NaN, Inf", v => v === "NaN" || v === "Infinity"]].forEach(one => {
      if (!q.values.some(row => row.some(one[2]))) return;
      c.fillStyle = style(one[0]);
      c.fillRect(x, y - 6, 12, 12);
      c.fillStyle = style("--soft");
      c.fillText(one[1], x + 16, y);
      x += 32 + c.measureText(one[1]).width;
    });
  }

  function drawLabels(c, g, q) {
    const steps = data.history.steps, n = q.layers.length, m = steps.length;
    c.fillStyle = style("--soft");
    c.textAlign = "right";
    const every = Math.ceil(14 / g.h);
    for (let i = 0; i < n; i += every) {
      let name = q.layers[i];
      while (c.measureText(name).width > g.left - 8 && name.length > 2) name = name.slice(0, -2) + "\u2026";
      c.fillText(name, g.left - 6, g.top + (i + 0.5) * g.h);
    }
    c.textAlign = "center";
    const room = Math.max(1, Math.ceil(64 * m / (g.width - g.left)));
    for (let k = 0; k < m; k += room) {
      c.fillText(String(steps[k]), Math.min(g.left + (k + 0.5) * g.w, g.width - 14), g.top + n * g.h + 12);
    }
    c.fillText("step", g.left + (g.width - g.left) / 2, g.top + n * g.h + 28);
  }

  function draw() {
    const q = quantity(), n = q.layers.length, m = data.history.steps.length;
    const width = box.clientWidth, ratio = window.devicePixelRatio || 1;
    const c = canvas.getContext("2d");
    c.font = "12px system-ui, sans-serif";
    const widest = Math.max.apply(null, q.layers.map(name => c.measureText(name).width));
    const g = { width: width, top: 4, left: Math.min(widest + 12, width * 0.32), h: Math.max(4, Math.min(28, 420 / n)) };
    g.w = (width - g.left) / m;
    g.height = g.top + n * g.h + 64;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(g.height * ratio);
    canvas.style.height = g.height + "px";
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.font = "12px system-ui, sans-serif";
    c.textBaseline = "middle";
    const range = extent(q);
    /* Edges at whole pixels of the screen: cells meet without hairlines. */
    const edge = x => Math.round(x * ratio) / ratio;
    for (let i = 0; i < n; i++) {
      const y = edge(g.top + i * g.h), h = edge(g.top + (i + 1) * g.h) - y - (g.h > 8 ? 1 : 0);
      for (let k = 0; k < m; k++) {
        const x = edge(g.left + k * g.w);
        c.fillStyle = colour(number(q.values[i][k]), range[0], range[1]);
        c.fillRect(x, y, edge(g.left + (k + 1) * g.w) - x, h);
      }
    }
    drawLabels(c, g, q);
    drawScale(c, g, q, range[0], range[1]);
    if (cell) {
      c.strokeStyle = style("--ink");
      c.lineWidth = 1.5;
      c.strokeRect(g.left + cell[1] * g.w, g.top + cell[0] * g.h, g.w, g.h);
    }
    canvas.setAttribute("aria-label", q.label + ", " + n + " layers, " + m + " steps");
    place = g;
  }

  function choose(i, k) {
    const q = quantity();
    cell = [Math.max(0, Math.min(q.layers.length - 1, i)), Math.max(0, Math.min(data.history.steps.length - 1, k))];
    const x = number(q.values[cell[0]][cell[1]]);
    read.textContent = q.layers[cell[0]] + ", step " + data.history.steps[cell[1]] + ": " + shown(q, x) +
      (q.log && x !== null && isFinite(x) ? " (log10: " + x.toFixed(2) + ")" : "");
    draw();
  }
  function point(event) {
    const r = canvas.getBoundingClientRect();
    const i = Math.floor((event.clientY - r.top - place.top) / place.h);
    const k = Math.floor((event.clientX - r.left - place.left) / place.w);
    if (i >= 0 && i < quantity().layers.length && k >= 0 && k < data.history.steps.length) choose(i, k);
  }
  canvas.addEventListener("pointermove", point);
  canvas.addEventListener("pointerdown", point);
  canvas.addEventListener("keydown", event => {
    const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!move) return;
    event.preventDefault();
    const from = cell || [0, 0];
    choose(from[0] + (cell ? move[0] : 0), from[1] + (cell ? move[1] : 0));
  });
  select.addEventListener("change", () => {
    cell = null;
    read.textContent = read.dataset.hint;
    draw();
  });
  redraws.push(draw);
  draw();
}

/* ---- Histories ---- */

/* One chart: a line for each of labels, values in logarithms where log says so. */
function history(box, x, labels, values, log, format) {
  let chart = null;
  function draw() {
    if (chart) chart.destroy();
    box.textContent = "";
    const series = [{ label: "step", value: (u, v) => v === null || v === undefined ? "-" : String(v) }];
    labels.forEach((label, i) => series.push({
      label: label, stroke: lineColour(i, labels.length), width: 1.6, points: { show: x.length < 3 },
      value: (u, v, s, k) => k === null || k === undefined ? "-" : format(number(values[i][k])),
    }));
    const lines = { stroke: style("--line"), width: 1 };
    const axis = { stroke: style("--soft"), grid: lines, ticks: lines, font: "12px system-ui, sans-serif" };
    const drawn = v => { const y = number(v); return y !== null && isFinite(y) ? y : null; };
    chart = new uPlot({
      width: box.clientWidth, height: 250, series: series, scales: { x: { time: false } },
      cursor: { drag: { x: true, y: false }, focus: { prox: labels.length > 1 ? 16 : -1 } }, focus: { alpha: 0.25 },
      axes: [Object.assign({}, axis, { label: "step", labelSize: 18, labelFont: axis.font, size: 34 }),
        Object.assign({}, axis, { size: 58, values: (u, ticks) => ticks.map(t => log ? power(t) : String(+t.toPrecision(6))) }),
      ],
    }, [x].concat(values.map(row => row.map(drawn))), box);
  }
  redraws.push(draw);
  draw();
}

function drawHistories() {
  document.querySelectorAll("[data-quantity]").forEach(box => {
    const q = data.history.quantities[box.dataset.quantity];
    history(box, data.history.steps, q.layers, q.values, q.log, x => shown(q, x));
  });
  const box = document.getElementById("loss"), losses = data.losses;
  if (!box || !losses) return;
  const finite = losses.values.map(number).filter(isFinite);
  const low = Math.min.apply(null, finite), log = low > 0 && Math.max.apply(null, finite) > 50 * low;
  const plain = x => x === null ? "-" : String(+x.toPrecision(4));
  history(box, losses.steps, ["loss"], [losses.values.map(v => log && isFinite(number(v)) ? Math.log10(number(v)) : v)], log,
    x => log && x !== null && isFinite(x) ? power(x) : plain(x));
}

const map = document.getElementById("map");
if (map) heatMap(map);
if (typeof uPlot !== "undefined") drawHistories();
let width = root.clientWidth;
addEventListener("resize", () => {
  if (root.clientWidth === width) return;
  width = root.clientWidth;
  redraw();
});
}());
]==]
