/**
 * A connection to the server, which is made anew when it is lost.
 *
 * A binary message is the length of its header (4 bytes, little-endian), the header (JSON), and
 * bytes that start at a multiple of 8. Messages of a slot (pictures) are answered by "shown" once
 * their handler is done, so that the server sends at most two ahead.
 *
 * @typedef {{ [key: string]: any, op: string, id?: number, slot?: string }} Header
 * @typedef {(header: Header, data: Uint8Array<ArrayBuffer>) => void | Promise<void>} Handler
 * @typedef {"connecting" | "open" | "lost" | "ended"} State
 */

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 4000;
const ENDED = [1008, 4000]; // close codes after which a new connection would end the same way

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** @param {Header} header @param {Uint8Array} data */
export function pack(header, data) {
  let text = encoder.encode(JSON.stringify(header));
  const padded = Math.ceil((4 + text.length) / 8) * 8;
  const message = new Uint8Array(padded + data.length).fill(32, 4, padded);
  new DataView(message.buffer).setUint32(0, padded - 4, true);
  message.set(text, 4);
  message.set(data, padded);
  return message;
}

/** @param {ArrayBuffer} message @returns {[Header, Uint8Array<ArrayBuffer>]} */
export function unpack(message) {
  const length = new DataView(message).getUint32(0, true);
  const header = JSON.parse(decoder.decode(new Uint8Array(message, 4, length)));
  return [header, new Uint8Array(message, 4 + length)];
}

export class Socket {
  /**
   * @param {string} path of the web socket, such as "/studio/socket"
   * @param {{ [op: string]: Handler }} handlers by `op`
   * @param {(state: State, reason: string) => void} onState
   */
  constructor(path, handlers, onState) {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    this.address = `${scheme}//${location.host}${path}`;
    this.handlers = handlers;
    this.onState = onState;
    this.number = 0;
    this.wait = FIRST_WAIT_MS;
    this.ended = false;
    /** @type {Map<number, { resolve: (header: Header) => void, reject: (error: Error) => void }>} */
    this.open = new Map();
    /** @type {Map<string, { next: Header | null, failed: (error: Error) => void }>} newest wish of
     * each slot, while one is out */
    this.wishes = new Map();
    this.socket = this.connect();
  }

  connect() {
    queueMicrotask(() => this.onState("connecting", ""));
    const socket = new WebSocket(this.address);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.wait = FIRST_WAIT_MS;
      this.onState("open", "");
    };
    socket.onmessage = (event) => this.receive(event.data);
    socket.onclose = (event) => this.lost(event);
    return socket;
  }

  /** @param {CloseEvent} event */
  lost(event) {
    for (const { reject } of this.open.values()) reject(new Error("The connection was lost."));
    this.open.clear();
    this.wishes.clear();
    if (this.ended) return;
    if (ENDED.includes(event.code)) {
      this.ended = true;
      this.onState("ended", event.reason);
      return;
    }
    this.onState("lost", event.reason);
    setTimeout(() => {
      if (!this.ended) this.socket = this.connect();
    }, this.wait);
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT_MS);
  }

  /** @param {ArrayBuffer} message */
  async receive(message) {
    const [header, data] = unpack(message);
    const asked = header.id === undefined ? undefined : this.open.get(header.id);
    if (asked && header.id !== undefined) {
      this.open.delete(header.id);
      if (header.error) asked.reject(new Error(header.error));
      else asked.resolve(header);
    }
    await this.handlers[header.op]?.(header, data);
    if (header.slot) this.send({ op: "shown", slot: header.slot });
  }

  /** @param {Header} header @param {Uint8Array} [data] */
  send(header, data) {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    this.socket.send(data ? pack(header, data) : JSON.stringify(header));
  }

  /**
   * Ask for something, and wait for the answer.
   * @param {Header} header @param {Uint8Array} [data] @returns {Promise<Header>}
   */
  ask(header, data) {
    if (this.socket.readyState !== WebSocket.OPEN)
      return Promise.reject(new Error("There is no connection."));
    const id = ++this.number;
    const answer = new Promise((resolve, reject) => this.open.set(id, { resolve, reject }));
    this.send({ ...header, id }, data);
    return answer;
  }

  /**
   * Ask for something that comes after all that was wished so far, such as undo.
   * @param {Header} header @returns {Promise<Header>}
   */
  askInOrder(header) {
    for (const wishes of this.wishes.values()) {
      if (wishes.next) this.ask(wishes.next).catch(wishes.failed);
      wishes.next = null;
    }
    return this.ask(header);
  }

  /**
   * Ask for something of which only the newest counts: while an answer is awaited, a newer wish
   * replaces the one that waits. The last one of a gesture (`resting`) does not wait.
   * @param {string} slot @param {Header} header @param {(error: Error) => void} failed
   */
  wish(slot, header, failed) {
    const out = this.wishes.get(slot);
    if (out && header.resting) {
      out.next = null;
      this.ask(header).catch(failed);
      return;
    }
    if (out) {
      out.next = header;
      return;
    }
    const wishes = { next: /** @type {Header | null} */ (null), failed };
    this.wishes.set(slot, wishes);
    this.ask(header)
      .catch(failed)
      .finally(() => {
        if (this.wishes.get(slot) !== wishes) return;
        this.wishes.delete(slot);
        if (wishes.next) this.wish(slot, wishes.next, failed);
      });
  }

  close() {
    this.ended = true;
    this.socket.close();
  }
}
