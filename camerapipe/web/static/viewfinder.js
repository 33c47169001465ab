/**
 * The page of the viewfinder: what a person wants goes to the server, frames come from there.
 *
 * @typedef {import("./socket.js").Header} Header
 */

import { Camera } from "./camera.js";
import { byId, clamp, make } from "./dom.js";
import { listen } from "./keys.js";
import { Meters } from "./meters.js";
import { Optics } from "./optics.js";
import { Recording } from "./recording.js";
import { Screen } from "./screen.js";
import { SimulatedCamera } from "./simulated.js";
import { Socket } from "./socket.js";

const CAMERA = "camera";

const input = (/** @type {string} */ id) => /** @type {HTMLInputElement} */ (byId(id));
const select = (/** @type {string} */ id) => /** @type {HTMLSelectElement} */ (byId(id));
const dialog = /** @type {HTMLDialogElement} */ (byId("help-dialog"));

const screen = new Screen();
let meters = new Meters();
const layers = { map: false, peaking: false };
let run = 0; // number of the newest run
let running = false;
const optics = new Optics(ask);
const recording = new Recording(ask, note, (sources) => {
  const chosen = select("source").value;
  fill("source", sources);
  select("source").value = chosen;
});

let frameSize = [1, 1]; // of the newest frame, px
let device = ""; // that a simulated camera usually has
/** @type {string[]} */
let scenes = []; // sources that are a simulated camera, beside those named so
const simulated = new SimulatedCamera(
  (controls) => change(`camera ${Object.keys(controls)}`, { op: "camera", controls }),
  ([x, y]) => void ask({ op: "focus", point: [x * frameSize[0], y * frameSize[1]] }),
);
const camera = new Camera((header, data) => socket.send(header, data));
const socket = new Socket(
  "/viewfinder/socket",
  {
    about: (header, data) => meet(header, data),
    more: (header) => camera.more(header.frames),
    started: (header) => {
      if (header.run === run) began(header);
    },
    frame: (header, data) => show(header, data),
    counts: () => {},
    recorded: (header) => recording.ended(header),
    ended: (header) => over(header),
  },
  (state, reason) => {
    if (state === "lost") note("The connection was lost; trying again…", "warning");
    if (state === "ended") note(reason || "The server has ended the connection.", "error");
    if (state === "open") byId("notes").replaceChildren();
    if (state !== "open") camera.close();
  },
);

/** The server says what there is; after a lost connection, what ran is started again. */
function meet(/** @type {Header} */ header, /** @type {Uint8Array} */ palette) {
  screen.setPalette(palette);
  const addresses = { trace: "trace.json", report: "report.html" };
  for (const [id, file] of Object.entries(addresses))
    /** @type {HTMLAnchorElement} */ (byId(id)).href = `/viewfinder/${header.viewer}/${file}`;
  delete document.body.dataset.traced;
  if (running) {
    look();
    start();
    return;
  }
  ({ device, simulated: scenes } = header);
  fill("source", header.sources);
  fill("rung", [["", "Best that fits"], ...header.rungs.map(twice)]);
  fill("profile", [["", "This computer"], ...header.profiles.map(twice)]);
  fill("sensor", header.sensors.map(twice));
  select("sensor").value = "full-frame";
  const { low, high, value, help } = header.strength;
  const strength = input("strength");
  Object.assign(strength, { min: low, max: high });
  strength.value = value;
  byId("strength-label").title = help;
  input("budget").value = header.budget_ms;
  fitDevice();
  tellValues();
}

/** A simulated camera is a device. */
function fitDevice() {
  const source = select("source").value;
  const simulates = source.startsWith("simulate:") || scenes.includes(source);
  const profile = select("profile");
  profile.options[0].disabled = simulates;
  if (simulates && !profile.value) profile.value = device;
}

const twice = (/** @type {string} */ name) => [name, name];

/** @param {string} id @param {any[]} choices */
function fill(id, choices) {
  const pairs = choices.map((each) => (Array.isArray(each) ? each : [each.id, each.label]));
  select(id).replaceChildren(...pairs.map(([value, text]) => make("option", { value, text })));
}

function tellValues() {
  const limited = input("limited").checked;
  byId("budget-value").textContent = limited ? `${input("budget").value} ms` : "–";
  input("budget").disabled = !limited;
  byId("strength-value").textContent = Number(input("strength").value).toFixed(1);
}

/** All that a person has chosen. */
function wish() {
  return {
    run,
    source: select("source").value,
    profile: select("profile").value,
    strength: Number(input("strength").value),
    budget_ms: input("limited").checked ? Number(input("budget").value) : null,
    rung: select("rung").value,
    force: input("force").checked,
    ...optics.typed(),
  };
}

async function start() {
  byId("notes").replaceChildren();
  state("opening");
  byId("welcome-state").textContent = "Preparing…";
  meters = new Meters();
  run += 1;
  showing(false);
  try {
    if (select("source").value === CAMERA) await camera.open();
    await socket.ask({ op: "start", ...wish() });
    running = true;
    state("running");
  } catch (error) {
    camera.close();
    fail(error);
  }
}

async function stop() {
  if (recording.on) await recording.toggle();
  running = false;
  camera.close();
  await ask({ op: "stop" });
}

/** @param {Header} header */
async function over(header) {
  if (header.run !== run) return;
  camera.close();
  running = false;
  document.body.toggleAttribute("data-traced", header.traced);
  state("idle");
  simulated.begin(null);
  const { report } = header;
  const ended = report && !["stopped", "complete"].includes(report.ended) ? report.ended : "";
  if (header.error || ended) note(header.error || `The stream has ended: ${ended}.`, "error");
  byId("welcome-state").textContent = report
    ? `The last run: ${report.done} frames done, ${report.dropped} dropped, ${report.failed} failed.`
    : "";
  byId("advice").hidden = true;
  await recording.over(!header.error);
}

/** @param {Header} header */
function began(header) {
  header.findings.forEach(tellFinding);
  simulated.begin(header.camera);
}

/** @param {Header} header @param {Uint8Array<ArrayBuffer>} data */
async function show(header, data) {
  if (!running) return;
  frameSize = header.frame;
  simulated.show(header.camera);
  document.body.toggleAttribute("data-traced", true);
  showing(true);
  const advice = byId("advice");
  if (advice.textContent !== header.advice.text) advice.textContent = header.advice.text;
  advice.dataset.severity = header.advice.severity;
  advice.hidden = false;
  meters.take(header);
  if (!optics.typed().lens) optics.tell(header.optics);
  await screen.draw(header, data);
}

/** Whether a frame of this run is on the screen: before, there is nothing to take. @param {boolean} on */
function showing(on) {
  document.body.toggleAttribute("data-showing", on);
  for (const id of ["shutter", "record"])
    /** @type {HTMLButtonElement} */ (byId(id)).disabled = !on;
  if (!on) screen.clear();
}

async function shutter() {
  const tab = window.open("", "_blank");
  const answer = await ask({ op: "shutter" });
  if (!answer) tab?.close();
  else if (tab) tab.location.href = `/?picture=${answer.picture}`;
}

/** @param {"map" | "peaking"} name */
function toggle(name) {
  layers[name] = !layers[name];
  byId(name).setAttribute("aria-pressed", String(layers[name]));
  look();
}

function look() {
  ask({ op: "look", ...layers });
}

/**
 * Ask for something of which only the newest counts.
 * @param {string} slot @param {Header} header
 */
function change(slot, header) {
  socket.wish(slot, header, (error) => note(error.message, "error"));
}

/** Ask the server; what it refuses is shown. @param {Header} header */
async function ask(header) {
  try {
    return await socket.ask(header);
  } catch (error) {
    note(error instanceof Error ? error.message : String(error), "error");
    return null;
  }
}

/** @param {"idle" | "opening" | "running"} name */
function state(name) {
  document.body.dataset.state = name;
}

/** @param {unknown} error */
function fail(error) {
  running = false;
  state("idle");
  byId("welcome-state").textContent = "";
  note(error instanceof Error ? error.message : String(error), "error");
}

/** @param {{ severity: string, message: string }} finding */
function tellFinding(finding) {
  note(finding.message, finding.severity);
}

/** @param {string} text @param {string} kind */
function note(text, kind = "") {
  const close = make("button", {
    class: "quiet square",
    "aria-label": "Close",
    text: "×",
    onclick: () => line.remove(),
  });
  const line = make("p", { class: `note ${kind}` }, make("span", { text }), close);
  byId("notes").replaceChildren(line);
}

/** @param {string} id @param {number} by */
function nudge(id, by) {
  const slider = input(id);
  if (slider.disabled) return;
  slider.value = String(clamp(Number(slider.min), Number(slider.value) + by, Number(slider.max)));
  slider.dispatchEvent(new Event("input"));
}

/** @param {string} shown @param {string} label @param {string[]} keys @param {() => void} act */
const key = (shown, label, keys, act) => ({ shown, label, keys, act });
const keys = [
  key("S", "Start or stop", ["s"], () => (running ? stop() : byId("start").click())),
  key(
    "Space",
    "Shutter: the newest frame opens in the studio",
    [" "],
    () => running && byId("shutter").click(),
  ),
  key("R", "Record, or end the recording", ["r"], () => running && void recording.toggle()),
  key("M", "Blur map", ["m"], () => toggle("map")),
  key("P", "Focus peaking", ["p"], () => toggle("peaking")),
  key("]", "More strength", ["]"], () => nudge("strength", 0.5)),
  key("[", "Less strength", ["["], () => nudge("strength", -0.5)),
  key(".", "More time for a frame", ["."], () => nudge("budget", 5)),
  key(",", "Less time for a frame", [","], () => nudge("budget", -5)),
  key("?", "This list", ["?"], () => dialog.showModal()),
];

byId("start").onclick = start;
byId("stop").onclick = stop;
byId("shutter").onclick = shutter;
byId("record").onclick = () => recording.toggle();
byId("map").onclick = () => toggle("map");
byId("peaking").onclick = () => toggle("peaking");
byId("help").onclick = () => dialog.showModal();
listen(
  keys,
  () => false,
  () => true,
);
for (const id of ["budget", "strength"]) {
  byId(id).oninput = () => {
    tellValues();
    const { strength, budget_ms } = wish();
    change("change", { op: "change", strength, budget_ms });
  };
}
byId("limited").onchange = () => {
  tellValues();
  ask({ op: "change", budget_ms: wish().budget_ms });
};
byId("rung").onchange = () => ask({ op: "change", rung: wish().rung });
byId("force").onchange = () => ask({ op: "change", force: wish().force });
byId("profile").onchange = () => running && start();
byId("source").onchange = fitDevice;
screen.box.onpointermove = (event) => {
  const sigma = screen.sigmaAt(event);
  byId("readout").hidden = sigma === null;
  if (sigma !== null) byId("readout").textContent = `sigma ${sigma.toFixed(1)} px`;
};
screen.box.onpointerleave = () => (byId("readout").hidden = true);
