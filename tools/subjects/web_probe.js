/* Runs in a page before its own scripts: keeps what the server sends, and when it is on the screen,
   which is the task after the frame in which the page says so. */
(() => {
  const decoder = new TextDecoder();
  let messages = [];
  const task = () =>
    new Promise((done) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => done(performance.now());
      port2.postMessage(0);
    });
  const frame = () => new Promise((done) => requestAnimationFrame(() => task().then(done)));
  const until = async (found) => {
    for (;;) {
      const value = found();
      if (value) return value;
      await new Promise((done) => setTimeout(done, 1));
    }
  };
  const Original = window.WebSocket;
  window.WebSocket = class extends Original {
    constructor(...given) {
      super(...given);
      this.addEventListener("message", ({ data }) => {
        const length = new DataView(data).getUint32(0, true);
        const header = JSON.parse(decoder.decode(new Uint8Array(data, 4, length)));
        const message = { header, bytes: data.byteLength, told: false, shown: 0 };
        messages.push(message);
      });
    }
    /** The page says that it has drawn a picture in the frame that is being made. */
    send(data) {
      super.send(data);
      const said = typeof data === "string" ? JSON.parse(data) : {};
      if (said.op !== "shown") return;
      const drawn = messages.find((m) => m.header.slot === said.slot && !m.told);
      if (!drawn) return;
      drawn.told = true;
      task().then((at) => (drawn.shown = at));
    }
  };
  const newest = () => Math.max(0, ...messages.filter((m) => m.header.op === "state").map((m) => m.header.revision));
  const pictures = (revision) =>
    messages.filter((m) => m.header.op === "picture" && m.header.revision >= revision && m.shown);
  const effect = async (since, before) => {
    const first = await until(() => pictures(before + 1)[0]);
    const last = await until(() => pictures(before + 1).find((m) => m.header.size !== "quick"));
    return {
      first_ms: first.shown - since,
      last_ms: last.shown - since,
      session_ms: first.header.session_ms,
      bytes: first.bytes,
    };
  };
  let stroke = null;
  addEventListener(
    "pointermove",
    async (event) => {
      if (!stroke || !event.buttons) return;
      const began = event.timeStamp;
      stroke.seen_ms.push((await frame()) - began);
    },
    true,
  );
  addEventListener("pointerup", (event) => stroke && (stroke.up = event.timeStamp), true);
  window.probe = {
    reset() {
      messages = [];
      this.since = performance.now();
    },
    async firstPicture() {
      const first = await until(() => messages.find((m) => m.header.op === "picture" && m.shown));
      return first.shown - this.since;
    },
    slide(key, value) {
      const slider = document.getElementById(`control-${key}`);
      const before = newest();
      const since = performance.now();
      slider.value = value;
      slider.dispatchEvent(new Event("input"));
      slider.dispatchEvent(new Event("change"));
      return effect(since, before);
    },
    stroke() {
      stroke = { seen_ms: [], up: 0, before: newest() };
    },
    async strokeDone() {
      const { seen_ms, before, up } = stroke;
      stroke = null;
      const revision = await until(() => newest() > before && newest());
      await until(() => !("rendering" in document.body.dataset));
      return { ...(await effect(up, newest() - 1)), seen_ms, revision };
    },
    async ended() {
      const ended = await until(() => messages.find((m) => m.header.op === "ended"));
      return ended.header;
    },
  };
})();
