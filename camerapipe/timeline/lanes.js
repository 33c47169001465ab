// The timeline: frames, tracks, counters over time, on a canvas that zooms and pans.
"use strict";

const lanes = (() => {
  const canvas = document.getElementById("lanes"), detail = document.getElementById("frame");
  const pen = canvas.getContext("2d");
  const GUTTER = innerWidth < 600 ? 104 : 130, AXIS = 24, STRIP = 9, LANE = 34, COUNTER = 30, GAP = 10, MOST_STRIPS = 6;
  const DENSE = 4; // pixels of a frame, below which stages are no longer told apart
  const frames = data.frames, spans = data.spans;
  const bySeq = new Map(frames.map((frame, i) => [frame[FRAME.seq], i]));
  const spansOf = new Map();
  for (const span of spans) {
    const seq = span[SPAN.frame];
    if (!spansOf.has(seq)) spansOf.set(seq, []);
    spansOf.get(seq).push(span);
  }
  const longest = spans.reduce((most, span) => Math.max(most, span[SPAN.ms]), 0);
  const whole = extent();
  const interval = data.interval_ms ?? (whole.to - whole.from) / Math.max(1, frames.length);
  const rows = layout();
  let view = { ...whole }, chosen = -1, width = 0, height = 0, colours = {};

  function extent() {
    let from = Infinity, to = -Infinity;
    const take = (a, b) => { from = Math.min(from, a); to = Math.max(to, b); };
    for (const frame of frames) take(frame[FRAME.start], frame[FRAME.start] + frame[FRAME.latency]);
    for (const span of spans) take(span[SPAN.start], span[SPAN.start] + span[SPAN.ms]);
    if (!(to > from)) return { from: Math.min(from, 0) || 0, to: (Math.min(from, 0) || 0) + 1000 };
    const margin = (to - from) * 0.005;
    return { from: from - margin, to: to + margin };
  }

  // Puts intervals that overlap side by side; gives the strip of each and how many there are.
  function packed(items, start, duration, most) {
    const ends = [];
    const strips = items.map((item) => {
      const from = item[start];
      let strip = ends.findIndex((end) => end <= from + 0.005);
      if (strip < 0) strip = ends.length < most ? ends.length : ends.indexOf(Math.min(...ends));
      ends[strip] = from + item[duration];
      return strip;
    });
    return { strips, used: Math.max(1, ends.length) };
  }

  function layout() {
    const found = [];
    let top = AXIS + 6;
    const add = (row) => { found.push({ ...row, top }); top += row.height + GAP; };
    const pack = packed(frames, FRAME.start, FRAME.latency, MOST_STRIPS);
    add({ type: "frames", name: "frames", height: Math.max(18, pack.used * STRIP), strips: pack.strips });
    for (const track of data.tracks) {
      const mine = spans.filter((span) => data.kinds[span[SPAN.kind]][0] === track);
      const stages = mine.filter((span) => !span[SPAN.outer]);
      const { strips, used } = packed(stages, SPAN.start, SPAN.ms, 4);
      const moments = data.moments.filter((moment) => moment[0] === track);
      if (!mine.length && !moments.length) continue;
      const head = moments.length ? 13 : 0;
      add({ type: "track", name: track, height: head + (stages.length ? Math.max(LANE, used * 16) : 0),
        head, stages, strips, used, moments });
    }
    for (const [name, points] of Object.entries(data.counters)) {
      const values = points.map(([, value]) => value);
      add({ type: "counter", name, height: COUNTER, points, low: Math.min(0, ...values), high: Math.max(...values) });
    }
    return found;
  }

  const x = (at) => GUTTER + (at - view.from) / (view.to - view.from) * (width - GUTTER);
  const timeAt = (left) => view.from + (left - GUTTER) / (width - GUTTER) * (view.to - view.from);

  function readColours() {
    const names = ["ink", "soft", "faint", "line", "grid", "card", "hatch", "accent", "late", ...data.fates];
    colours = Object.fromEntries(names.map((name) => [name, style(`--${name}`)]));
  }

  function resize() {
    const last = rows[rows.length - 1];
    width = canvas.clientWidth;
    height = last.top + last.height + 6;
    if (canvas.style.height !== `${height}px`) canvas.style.height = `${height}px`;
    canvas.width = Math.round(width * devicePixelRatio);
    canvas.height = Math.round(height * devicePixelRatio);
    readColours();
    draw();
  }

  let asked = false;
  function drawSoon() {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; draw(); });
  }

  function draw() {
    pen.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    pen.textBaseline = "middle";
    drawAxis();
    pen.save();
    pen.beginPath();
    pen.rect(GUTTER, AXIS, width - GUTTER, height);
    pen.clip();
    drawGaps();
    drawChosen();
    for (const row of rows) ({ frames: drawFrames, track: drawTrack, counter: drawCounter })[row.type](row);
    pen.restore();
    drawNames();
  }

  function drawAxis() {
    for (const [value, text] of moments(view.from, view.to, Math.max(2, (width - GUTTER) / 110))) {
      pen.fillStyle = colours.grid;
      pen.fillRect(Math.round(x(value)), AXIS - 4, 1, height);
      pen.fillStyle = colours.soft;
      const size = pen.measureText(text).width;
      pen.fillText(text, Math.max(GUTTER, Math.min(width - size, x(value) - size / 2)), 9);
    }
  }

  function drawGaps() {
    pen.strokeStyle = colours.hatch;
    for (const [from, to] of data.gaps) {
      const left = Math.max(GUTTER, x(from)), right = Math.min(width, x(to));
      if (right <= left) continue;
      pen.save();
      pen.beginPath();
      pen.rect(left, AXIS, right - left, height - AXIS);
      pen.clip();
      pen.beginPath();
      for (let at = Math.floor((left - height) / 8) * 8; at < right; at += 8) { pen.moveTo(at, height); pen.lineTo(at + height, 0); }
      pen.stroke();
      pen.restore();
    }
  }

  function drawChosen() {
    if (chosen < 0) return;
    const frame = frames[chosen], left = x(frame[FRAME.start]);
    pen.globalAlpha = 0.1;
    pen.fillStyle = colours.accent;
    pen.fillRect(left, AXIS, Math.max(2, x(frame[FRAME.start] + frame[FRAME.latency]) - left), height);
    pen.globalAlpha = 1;
  }

  const fateColour = (frame) => (frame[FRAME.flags] & LATE ? "late" : data.fates[frame[FRAME.fate]]);
  const troubled = (frame) => frame[FRAME.fate] !== 0 || frame[FRAME.flags] & LATE;

  function drawFrames(row) {
    for (const trouble of [false, true]) { // what went wrong stays visible where all is dense
      frames.forEach((frame, i) => {
        if (Boolean(troubled(frame)) !== trouble) return;
        const left = x(frame[FRAME.start]), right = x(frame[FRAME.start] + frame[FRAME.latency]);
        if (right < GUTTER || left > width) return;
        pen.fillStyle = colours[fateColour(frame)];
        pen.fillRect(left, row.top + row.strips[i] * STRIP, Math.max(1, right - left - 0.5), STRIP - 2);
        if (i === chosen) {
          pen.strokeStyle = colours.ink;
          pen.strokeRect(left, row.top + row.strips[i] * STRIP, Math.max(1, right - left), STRIP - 2);
        }
      });
    }
  }

  function drawTrack(row) {
    const top = row.top + row.head, tall = row.height - row.head;
    const perPixel = (view.to - view.from) / (width - GUTTER);
    if (interval < DENSE * perPixel) drawShares(row, top, tall, perPixel);
    else drawSpans(row, top, tall);
    let free = -Infinity;
    for (const [, , at] of row.moments) {
      if (x(at) < free) continue;
      drawMoment(x(at), row.top + 5);
      free = x(at) + 5;
    }
    labelMoments(row);
  }

  function drawSpans(row, top, tall) {
    const strip = tall / row.used;
    for (let i = lowerBound(row.stages, SPAN.start, view.from - longest); i < row.stages.length; i++) {
      const span = row.stages[i];
      if (span[SPAN.start] > view.to) break;
      const left = x(span[SPAN.start]), right = x(span[SPAN.start] + span[SPAN.ms]);
      if (right < GUTTER) continue;
      const y = top + row.strips[i] * strip;
      const colour = colourOf(span[SPAN.kind]);
      pen.fillStyle = colour;
      pen.fillRect(left, y, Math.max(0.75, right - left - (right - left > 4 ? 1 : 0)), strip - 1);
      if (/overrun|fallback/.test(caveats(span[SPAN.caveats]))) {
        pen.fillStyle = colours.failed;
        pen.fillRect(left, y + strip - 4, Math.max(0.75, right - left - 1), 3);
      }
      const name = data.kinds[span[SPAN.kind]][1];
      if (right - left > 34 && pen.measureText(name).width < right - left - 8) {
        pen.fillStyle = inkOn(colour);
        pen.fillText(name, left + 4, y + strip / 2);
      }
    }
  }

  // Too dense for spans: the share of the time that each stage had, stacked, in bins of frames.
  // Time that the page does not hold counts for nothing: neither as busy nor as idle.
  function drawShares(row, top, tall, perPixel) {
    const wide = Math.max(2, Math.ceil(4 * interval / perPixel)), size = wide * perPixel;
    const bins = Math.ceil((width - GUTTER) / wide), kinds = data.order.length;
    const sums = new Float64Array(bins * kinds), held = new Float64Array(bins).fill(size);
    const spread = (from, to, add) => {
      for (let bin = Math.max(0, Math.floor((from - view.from) / size)); bin < bins; bin++) {
        const left = view.from + bin * size;
        if (left >= to) break;
        add(bin, Math.max(0, Math.min(to, left + size) - Math.max(from, left)));
      }
    };
    for (const [from, to] of data.gaps) spread(from, to, (bin, time) => { held[bin] -= time; });
    for (let i = lowerBound(row.stages, SPAN.start, view.from - longest); i < row.stages.length; i++) {
      const span = row.stages[i], kind = place.get(span[SPAN.kind]);
      if (span[SPAN.start] > view.to) break;
      spread(span[SPAN.start], span[SPAN.start] + span[SPAN.ms], (bin, time) => { sums[bin * kinds + kind] += time; });
    }
    for (let bin = 0; bin < bins; bin++) {
      if (held[bin] < interval) continue;
      const across = Math.min(wide, Math.max(1, held[bin] / perPixel));
      let bottom = top + tall;
      for (let kind = 0; kind < kinds; kind++) {
        const part = Math.min(bottom - top, sums[bin * kinds + kind] / held[bin] / row.used * tall);
        if (!part) continue;
        pen.fillStyle = data.colours[kind];
        pen.fillRect(GUTTER + bin * wide, bottom - part, across + 0.02, part);
        bottom -= part;
      }
    }
  }

  function drawMoment(left, y) {
    if (left < GUTTER - 6 || left > width + 6) return;
    pen.fillStyle = colours.accent;
    pen.beginPath();
    pen.moveTo(left - 4, y - 4);
    pen.lineTo(left + 4, y - 4);
    pen.lineTo(left, y + 3);
    pen.fill();
  }

  // Dark or light text, whichever is easier to read on a colour such as #4e79a7.
  function inkOn(colour) {
    const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
    return 0.3 * red + 0.59 * green + 0.11 * blue > 125 ? "#14181c" : "#ffffff";
  }

  function labelMoments(row) {
    pen.fillStyle = colours.soft;
    row.moments.forEach(([, name, at, args], i) => {
      const left = x(at) + 7, next = i + 1 < row.moments.length ? x(row.moments[i + 1][2]) - 6 : width;
      const text = [name, ...Object.values(args)].join(": ");
      if (left > GUTTER && pen.measureText(text).width < next - left) pen.fillText(text, left, row.top + 5);
    });
  }

  function drawCounter(row) {
    const level = (value) => row.top + row.height - (value - row.low) / (row.high - row.low || 1) * row.height;
    pen.beginPath();
    pen.moveTo(GUTTER, level(row.low));
    let value = row.low;
    for (const [at, next] of row.points) {
      const left = Math.max(GUTTER, Math.min(width, x(at)));
      pen.lineTo(left, level(value));
      pen.lineTo(left, level(next));
      value = next;
    }
    const end = Math.max(GUTTER, Math.min(width, x(whole.to))); // a value holds until the next
    pen.lineTo(end, level(value));
    pen.lineTo(end, level(row.low));
    pen.globalAlpha = 0.35;
    pen.fillStyle = colours.accent;
    pen.fill();
    pen.globalAlpha = 1;
  }

  function drawNames() {
    for (const row of rows) {
      const head = row.head ?? 0, lane = Math.min(row.height - head, LANE);
      const middle = row.type === "counter" ? row.top + 9 : row.top + (lane ? head + lane / 2 : 5); // else beside moments
      pen.fillStyle = colours.ink;
      pen.fillText(fitted(row.name), 3, middle);
      if (row.type === "counter") {
        pen.fillStyle = colours.soft;
        pen.fillText(`to ${compact(row.high)}`, 3, row.top + 23);
      }
      pen.fillStyle = colours.line;
      pen.fillRect(GUTTER, row.top + row.height + GAP / 2 - 0.5, width - GUTTER, 0.5);
    }
  }

  function fitted(text) {
    let short = text;
    while (short.length > 3 && pen.measureText(short).width > GUTTER - 10) short = `${short.slice(0, -2)}…`;
    return short;
  }

  const compact = (value) => new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(value);

  // What is under the pointer: a frame, a span, a moment or a counter.
  function under(left, y) {
    const at = timeAt(left), slack = 4 * (view.to - view.from) / (width - GUTTER);
    const row = rows.find((candidate) => y >= candidate.top - 3 && y <= candidate.top + candidate.height + 4);
    if (!row || left < GUTTER) return null;
    if (row.type === "counter") return { row, at };
    if (row.type === "frames") {
      const strip = Math.floor((y - row.top) / STRIP);
      let best = -1, distance = slack;
      frames.forEach((frame, i) => {
        if (row.strips[i] !== strip) return;
        const away = Math.max(frame[FRAME.start] - at, at - frame[FRAME.start] - frame[FRAME.latency], 0);
        if (away < distance || (away === distance && away === 0)) { best = i; distance = away; }
      });
      return best < 0 ? null : { row, frame: best };
    }
    if (y < row.top + row.head) {
      const moment = row.moments.find(([, , when]) => Math.abs(when - at) < 1.5 * slack);
      return moment ? { row, moment } : null;
    }
    const strip = Math.floor((y - row.top - row.head) / ((row.height - row.head) / row.used));
    const found = row.stages.findIndex((span, i) => row.strips[i] === strip
      && span[SPAN.start] <= at && at <= span[SPAN.start] + span[SPAN.ms]);
    return found < 0 ? null : { row, span: row.stages[found], frame: bySeq.get(row.stages[found][SPAN.frame]) ?? -1 };
  }

  function hint(event, hit) {
    if (hit.moment) {
      const [, name, at, args] = hit.moment;
      return tip.show(event, name, [["at", clock(at, 1)], ...Object.entries(args).map(([key, value]) => [key, String(value)])]);
    }
    if (hit.span) return tip.show(event, data.kinds[hit.span[SPAN.kind]][1], spanRows(hit.span));
    if (hit.frame >= 0) return tip.show(event, frameTitle(frames[hit.frame]), frameRows(frames[hit.frame]));
    const place = lowerBound(hit.row.points, 0, hit.at) - 1;
    const value = place >= 0 ? hit.row.points[place][1] : null;
    return tip.show(event, hit.row.name, [["value", value == null ? "–" : count(value)], ["largest", count(hit.row.high)]]);
  }

  const told = (value, text = ms) => (value == null ? "" : text(value));

  function spanRows(span) {
    const seq = span[SPAN.frame];
    return [["frame", seq < 0 ? "" : count(seq)], ["used", ms(span[SPAN.ms])], ["granted", told(span[SPAN.granted])],
      ["set-up", told(span[SPAN.setup])], ["steps", told(span[SPAN.steps], count)],
      ["residual", told(span[SPAN.residual], (value) => value.toPrecision(3))], ["gave up", caveats(span[SPAN.caveats])]];
  }

  function frameTitle(frame) {
    const late = frame[FRAME.flags] & LATE ? ", late" : "";
    return `Frame ${count(frame[FRAME.seq])}: ${data.fates[frame[FRAME.fate]]}${late}`;
  }

  function frameRows(frame) {
    const spent = frame[FRAME.spent], budget = frame[FRAME.budget];
    return [["captured at", clock(frame[FRAME.start], 1)], ["latency", ms(frame[FRAME.latency])],
      ["of the budget", spent == null ? "" : budget == null ? ms(spent) : `${ms(spent)} of ${ms(budget)}`],
      ["where", word(frame[FRAME.stage])], ["reason", word(frame[FRAME.reason])], ["lateness", told(frame[FRAME.lateness])],
      ["quality", word(frame[FRAME.rung])], ["advice", word(frame[FRAME.advice])], ["capture", word(frame[FRAME.capture])],
      ["gave up", caveats(frame[FRAME.caveats])], ["contended", frame[FRAME.flags] & CONTENDED ? "yes" : ""]];
  }

  function tell() {
    if (chosen < 0) return detail.replaceChildren();
    const frame = frames[chosen], make = (name, text) => Object.assign(document.createElement(name), { textContent: text ?? "" });
    const facts = frameRows(frame).filter(([, value]) => value !== "").map(([name, value]) => `${name} ${value}`).join(" · ");
    detail.replaceChildren(make("h3", frameTitle(frame)), make("p", facts));
    const stages = (spansOf.get(frame[FRAME.seq]) ?? []).filter((span) => !span[SPAN.outer]);
    if (!stages.length) return;
    const table = make("table"), head = table.createTHead().insertRow(), body = table.createTBody();
    ["Stage", "Track", "After capture", "Used", "Granted", "Set-up", "Steps", "Residual", "Gave up"].forEach((title, i) => {
      const cell = make("th", title);
      cell.scope = "col";
      cell.className = i < 2 || i === 8 ? "text" : "num";
      head.appendChild(cell);
    });
    for (const span of stages) {
      const row = body.insertRow(), [track, name] = data.kinds[span[SPAN.kind]];
      const cells = [name, track, ms(span[SPAN.start] - frame[FRAME.start]), ...spanRows(span).slice(1).map(([, value]) => value)];
      cells.forEach((text, i) => {
        const cell = row.insertCell();
        cell.className = i < 2 || i === 8 ? "text" : "num";
        if (!i) cell.appendChild(make("i")).style.background = colourOf(span[SPAN.kind]);
        cell.append(text);
      });
    }
    const wide = make("div");
    wide.className = "wide";
    wide.append(table);
    detail.append(wide);
  }

  function look(from, to) {
    const most = whole.to - whole.from, size = Math.max(Math.min(to - from, most), 1e-3);
    const start = Math.max(whole.from, Math.min(whole.to - size, from));
    view = { from: start, to: start + size };
    drawSoon();
  }

  // Without a pointer, zooming keeps the chosen frame in place where it can be seen.
  function middle() {
    const frame = frames[chosen], at = frame ? frame[FRAME.start] + frame[FRAME.latency] / 2 : NaN;
    return at > view.from && at < view.to ? at : (view.from + view.to) / 2;
  }

  function zoom(factor, centre = middle()) {
    look(centre - (centre - view.from) * factor, centre + (view.to - centre) * factor);
  }

  const pan = (part) => look(view.from + part * (view.to - view.from), view.to + part * (view.to - view.from));

  function choosePlace(place, close) {
    if (place < 0 || place >= frames.length) return;
    chosen = place;
    const frame = frames[place], from = frame[FRAME.start], to = from + frame[FRAME.latency];
    const size = view.to - view.from;
    if (close && size > 40 * (to - from)) look(from - 4 * (to - from), to + 4 * (to - from));
    else if (from < view.from || to > view.to) look((from + to - size) / 2, (from + to + size) / 2);
    tell();
    drawSoon();
  }

  // The frame of this number, or where a long run leaves it out, the next one that is shown.
  function choose(seq, close) {
    const place = bySeq.get(seq) ?? frames.findIndex((frame) => frame[FRAME.seq] >= seq);
    choosePlace(place, close);
    if (close) canvas.scrollIntoView({ block: "nearest" });
  }

  function nextTrouble() {
    for (let i = 1; i <= frames.length; i++) {
      const place = (chosen + i) % frames.length;
      if (troubled(frames[place])) return choosePlace(place, true);
    }
  }

  const first = () => Math.max(0, lowerBound(frames, FRAME.start, view.from));
  const actions = {
    in: () => zoom(0.6), out: () => zoom(1 / 0.6), all: () => look(whole.from, whole.to),
    left: () => pan(-0.2), right: () => pan(0.2), trouble: nextTrouble,
    before: () => choosePlace(chosen < 0 ? first() : chosen - 1, true),
    after: () => choosePlace(chosen < 0 ? first() : chosen + 1, true),
    none: () => { chosen = -1; tell(); drawSoon(); },
  };
  const KEYS = { "+": "in", "=": "in", "-": "out", 0: "all", Home: "all", ArrowLeft: "left", ArrowRight: "right",
    ",": "before", ".": "after", n: "trouble", Escape: "none" };

  function listen() {
    canvas.addEventListener("keydown", (event) => {
      const action = event.ctrlKey || event.metaKey || event.altKey ? null : KEYS[event.key];
      if (!action) return;
      event.preventDefault();
      tip.hide();
      actions[action]();
    });
    for (const button of document.querySelectorAll("[data-do]")) button.addEventListener("click", actions[button.dataset.do]);
    canvas.addEventListener("wheel", (event) => {
      if (document.activeElement !== canvas && !event.ctrlKey) return; // the page scrolls on
      event.preventDefault();
      const left = event.offsetX;
      if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) pan((event.deltaX || event.deltaY) / 1000);
      else zoom(Math.exp(event.deltaY / 500), timeAt(Math.max(GUTTER, left)));
    }, { passive: false });
    let drag = null;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.focus({ preventScroll: true });
      drag = { left: event.offsetX, view: { ...view }, moved: false };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (drag) {
        const shift = (event.offsetX - drag.left) / (width - GUTTER) * (drag.view.to - drag.view.from);
        drag.moved ||= Math.abs(event.offsetX - drag.left) > 3;
        if (!drag.moved) return;
        canvas.classList.add("moving");
        tip.hide();
        look(drag.view.from - shift, drag.view.to - shift);
        return;
      }
      const hit = under(event.offsetX, event.offsetY);
      if (hit) hint(event, hit); else tip.hide();
    });
    canvas.addEventListener("pointerup", (event) => {
      const hit = drag && !drag.moved ? under(event.offsetX, event.offsetY) : null;
      drag = null;
      canvas.classList.remove("moving");
      if (hit && hit.frame >= 0) choosePlace(hit.frame, false);
    });
    canvas.addEventListener("pointercancel", () => { drag = null; canvas.classList.remove("moving"); });
    canvas.addEventListener("pointerleave", () => tip.hide());
  }

  function legend() {
    const box = document.getElementById("legend");
    const seen = [...new Set(frames.map(fateColour))];
    const entries = [...seen.map((name) => [`var(--${name})`, name]),
      ...data.order.map((kind) => [colourOf(kind), data.kinds[kind][1]])];
    box.replaceChildren(...entries.map(([colour, name]) => {
      const entry = document.createElement("span");
      entry.appendChild(document.createElement("i")).style.background = colour;
      entry.append(name);
      return entry;
    }));
  }

  legend();
  listen();
  keepDrawn(canvas.parentElement, resize);
  return { choose };
})();
