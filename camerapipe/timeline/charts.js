// The charts below the timeline: SVG, drawn from sums over all frames.
"use strict";

const EDGE = { left: 52, right: 2, top: 12, bottom: 26 };

// A chart with axes. `spec`: label, x and y ranges, formats; `paint(put, x, y, box)` fills it;
// `probe(value)` gives what the pointer is over: {from, to, title, rows, choose}.
function chart(id, spec) {
  const figure = document.getElementById(id);
  if (!spec) {
    const nothing = Object.assign(document.createElement("p"), { className: "none", textContent: "Nothing to show." });
    figure.replaceWith(nothing);
    return;
  }
  keepDrawn(figure, () => {
    const width = figure.clientWidth, height = figure.clientHeight;
    const box = { left: EDGE.left, right: width - (spec.right ?? EDGE.right), top: EDGE.top, bottom: height - EDGE.bottom };
    const svg = svgElement("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": spec.label });
    const put = (name, attributes, text) => svg.appendChild(svgElement(name, attributes, text));
    const x = (value) => box.left + (value - spec.x[0]) / (spec.x[1] - spec.x[0]) * (box.right - box.left);
    const y = (value) => box.bottom - (value - spec.y[0]) / (spec.y[1] - spec.y[0]) * (box.bottom - box.top);
    drawAxes(put, spec, x, y, box);
    spec.paint(put, x, y, box);
    if (spec.probe) follow(svg, put, spec, x, box);
    figure.replaceChildren(svg);
  });
}

function drawAxes(put, spec, x, y, box) {
  for (const value of ticks(...spec.y, 5).values) {
    put("line", { class: "grid", x1: box.left, x2: box.right, y1: y(value), y2: y(value) });
    put("text", { x: box.left - 8, y: y(value) + 4, "text-anchor": "end" }, spec.yText(value));
  }
  let free = -Infinity; // frames, unlike time, may have ticks on top of each other
  for (const [value, text] of spec.xTicks(Math.max(2, (box.right - box.left) / 110))) {
    if (x(value) < free) continue;
    put("text", { x: x(value), y: box.bottom + 18, "text-anchor": "middle" }, text);
    free = x(value) + 56;
  }
  put("line", { class: "axis", x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom });
}

function follow(svg, put, spec, x, box) {
  const cursor = put("rect", { class: "cursor", y: box.top, height: box.bottom - box.top, width: 0, x: 0 });
  const found = (event) => {
    const left = svg.getBoundingClientRect().left;
    const part = (event.clientX - left - box.left) / (box.right - box.left);
    return part >= 0 && part <= 1 ? spec.probe(spec.x[0] + part * (spec.x[1] - spec.x[0])) : null;
  };
  svg.addEventListener("pointermove", (event) => {
    const hit = found(event);
    cursor.setAttribute("width", hit ? Math.max(1, x(hit.to) - x(hit.from)) : 0);
    if (!hit) return tip.hide();
    cursor.setAttribute("x", x(hit.from));
    tip.show(event, hit.title, hit.rows);
  });
  svg.addEventListener("pointerleave", () => { cursor.setAttribute("width", 0); tip.hide(); });
  svg.addEventListener("click", (event) => found(event)?.choose?.());
}

const milliseconds = (value) => `${+value.toFixed(3)} ms`;
const whole = (value) => (Number.isInteger(value) ? count(value) : "");
const rectangle = (left, right, top, bottom) => `M${left.toFixed(1)} ${top.toFixed(1)}H${right.toFixed(1)}V${bottom.toFixed(1)}H${left.toFixed(1)}z`;
const polyline = (points) => points.map(([a, b], i) => `${i ? "L" : "M"}${a.toFixed(1)} ${b.toFixed(1)}`).join("");

// Groups of neighbouring done frames: the same horizontal axis for two charts.
const groups = data.stacks.groups.map(([first, last, at, stages, spent, median, longest, late]) =>
  ({ first, last, at, stages, spent, median, longest, late }));
const groupName = (group) => group.first === group.last ? `Frame ${count(group.first)}`
  : `Frames ${count(group.first)} to ${count(group.last)}`;

const groupAxis = {
  x: [0, Math.max(1, groups.length)],
  xTicks: (most) => moments(groups[0].at, groups[groups.length - 1].at, most)
    .map(([at, text]) => [placeOf(at), text]),
};

// Where on the axis of groups a moment is: a bar begins with the capture of its first frame.
function placeOf(at) {
  const after = lowerBound(groups, "at", at);
  if (!after || after === groups.length) return after;
  const from = groups[after - 1].at;
  return after - 1 + (at - from) / (groups[after].at - from);
}

function probeGroup(value, rows) {
  const place = Math.min(groups.length - 1, Math.floor(value)), group = groups[place];
  return { from: place, to: place + 1, title: groupName(group), rows: rows(group),
    choose: () => lanes.choose(group.first, true) };
}

function stacksChart() {
  if (!groups.length || !data.stacks.kinds.length) return chart("stacks", null);
  const budget = data.budget_ms ?? 0;
  const sums = groups.map((group) => group.stages.reduce((sum, value) => sum + value, 0));
  chart("stacks", {
    label: "Stage times of frames, stacked, against the budget; the table below has the numbers",
    ...groupAxis, y: [0, 1.08 * Math.max(budget, ...sums, ...groups.map((group) => group.spent))], yText: milliseconds,
    paint(put, x, y, box) {
      const gap = x(1) - x(0) > 4 ? 1 : 0;
      const base = groups.map(() => 0);
      data.stacks.kinds.forEach((kind, layer) => {
        const path = groups.map((group, i) => {
          const low = base[i];
          base[i] += group.stages[layer];
          return rectangle(x(i), x(i + 1) - gap, y(base[i]), y(low));
        }).join("");
        put("path", { d: path, style: `fill: ${colourOf(kind)}`, "shape-rendering": gap ? "auto" : "crispEdges" });
      });
      if (data.stacks.size > 1) put("path", { class: "line thin", d: polyline(groups.map((group, i) => [x(i + 0.5), y(group.spent)])) });
      if (!budget) return;
      put("line", { class: "budget", x1: box.left, x2: box.right, y1: y(budget), y2: y(budget) });
      put("text", { class: "budget-text", x: box.right - 4, y: y(budget) - 6, "text-anchor": "end" }, `budget ${ms(budget)}`);
    },
    probe: (value) => probeGroup(value, (group) => [
      ...data.stacks.kinds.map((kind, i) => [data.kinds[kind][1], ms(group.stages[i])]).reverse(),
      ["all stages", ms(group.stages.reduce((sum, part) => sum + part, 0))],
      [group.first === group.last ? "of the budget" : "longest of the budget", ms(group.spent)],
      ["late", group.late ? count(group.late) : ""],
    ]),
  });
}

function overTimeChart() {
  if (!groups.length) return chart("over-time", null);
  chart("over-time", {
    label: "Latency over the run: median and longest of neighbouring frames",
    ...groupAxis, y: [0, 1.08 * Math.max(...groups.map((group) => group.longest))],
    yText: milliseconds,
    paint(put, x, y) {
      const points = (key) => polyline(groups.map((group, i) => [x(i + 0.5), y(group[key])]));
      if (data.stacks.size > 1) put("path", { class: "line thin", d: points("longest") });
      put("path", { class: "line", d: points("median") });
    },
    probe: (value) => probeGroup(value, (group) => [["median", ms(group.median)], ["longest", ms(group.longest)]]),
  });
}

function latencyChart() {
  const latency = data.latency;
  if (!latency) return chart("latency", null);
  const { edges, counts, cdf, clipped } = latency;
  const total = counts.reduce((sum, value) => sum + value, 0), end = edges[edges.length - 1];
  chart("latency", {
    label: "Distribution of latency; the table below has the numbers", right: 44,
    x: [edges[0], end], y: [0, 1.12 * Math.max(...counts)],
    xTicks: (most) => ticks(edges[0], end, most).values.map((value) => [value, milliseconds(value)]), yText: whole,
    paint(put, x, y, box) {
      const bars = counts.map((height, i) => rectangle(x(edges[i]), x(edges[i + 1]) - 1, y(height), box.bottom)).join("");
      put("path", { d: bars, style: "fill: var(--done)" });
      const rise = (part) => box.bottom - part * (box.bottom - box.top);
      const points = cdf.map((value, i) => [x(Math.min(value, end)), rise(i / 100)]);
      put("path", { class: "line", d: polyline(points) });
      for (const part of [0, 0.5, 1]) put("text", { x: box.right + 8, y: rise(part) + 4 }, `${100 * part} %`);
      for (const part of [50, 95]) {
        const place = x(Math.min(cdf[part], end));
        put("line", { class: "mark", x1: place, x2: place, y1: box.top, y2: box.bottom });
        const [shift, anchor] = place < box.left + 60 ? [4, "start"] : [-4, "end"];
        put("text", { x: place + shift, y: box.top + (part === 50 ? 4 : 20), "text-anchor": anchor },
          part === 50 ? "median" : "p95");
      }
    },
    probe(value) {
      const i = Math.min(counts.length - 1, Math.floor((value - edges[0]) / (edges[1] - edges[0])));
      const faster = cdf.filter((quantile) => quantile <= edges[i + 1]).length - 1;
      const last = i === counts.length - 1;
      return { from: edges[i], to: edges[i + 1],
        title: `${ms(edges[i])} ${last && clipped ? "or more" : `to ${ms(edges[i + 1])}`}`,
        rows: [["frames", count(counts[i])], ["share", share(counts[i] / total)],
          ["faster than its end", last ? "100 %" : `${Math.max(0, faster)} %`]] };
    },
  });
}

// Losses and their lateness: the same horizontal axis for two charts, one below the other.
function lossesCharts() {
  const { names, bins, start, width, count: parts } = data.losses;
  if (!bins.length) {
    chart("losses", null);
    document.getElementById("lateness").remove();
    return;
  }
  const sum = (counts) => counts.reduce((all, value) => all + value, 0);
  const seen = {};
  const look = names.map(([fate]) => ({ fate, nth: (seen[fate] = (seen[fate] ?? -1) + 1) }));
  const span = { x: [start, start + parts * width], xTicks: (most) => moments(start, start + parts * width, most) };
  const probe = (value) => {
    const at = Math.floor((value - start) / width), hit = bins.find(([bin]) => bin === at);
    if (!hit) return null;
    const from = start + at * width;
    return { from, to: from + width, title: `${clock(from, width)} to ${clock(from + width, width)}`,
      rows: [...names.map((name, i) => [name.filter(Boolean).join(", "), hit[1][i] ? count(hit[1][i]) : ""]),
        ["lateness, median", hit[2] == null ? "" : ms(hit[2])], ["lateness, largest", hit[3] == null ? "" : ms(hit[3])]] };
  };
  chart("losses", {
    label: "Frames lost over time; the table below has the numbers",
    ...span, y: [0, 1.08 * Math.max(...bins.map(([, counts]) => sum(counts)))], yText: whole, probe,
    paint(put, x, y) {
      for (const [bin, counts] of bins) {
        let base = 0;
        const left = x(start + bin * width), right = x(start + (bin + 1) * width) - 1;
        counts.forEach((height, i) => {
          if (!height) return;
          put("path", { d: rectangle(left, right, y(base + height), y(base)),
            style: `fill: var(--${look[i].fate}); fill-opacity: ${Math.max(0.35, 1 - 0.3 * look[i].nth)}` });
          base += height;
        });
      }
    },
  });
  const late = bins.filter(([, , median]) => median != null);
  if (!late.length) return document.getElementById("lateness").remove();
  chart("lateness", {
    label: "Lateness of lost frames over time",
    ...span, y: [0, 1.12 * Math.max(...late.map(([, , , largest]) => largest), 1e-3)], yText: milliseconds, probe,
    paint(put, x, y) {
      for (const [bin, , median, largest] of late) {
        const middle = x(start + (bin + 0.5) * width);
        put("line", { class: "stem", x1: middle, x2: middle, y1: y(median), y2: y(largest) });
        put("circle", { class: "dot", cx: middle, cy: y(median), r: 2.6 });
      }
    },
  });
}

stacksChart();
latencyChart();
overTimeChart();
lossesCharts();
