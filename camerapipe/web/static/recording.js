/** The button that records: the server begins and ends in the order in which it is asked to. */

import { byId } from "./dom.js";

/** @typedef {{ [name: string]: any }} Answer */

export class Recording {
  /**
   * @param {(header: import("./socket.js").Header) => Promise<Answer | null>} ask
   * @param {(text: string, kind?: string) => void} note
   * @param {(sources: any[]) => void} added there is another recording to be shown
   */
  constructor(ask, note, added) {
    this.ask = ask;
    this.note = note;
    this.added = added;
    this.on = false;
    this.folder = ""; // of the newest recording
  }

  async toggle() {
    this.show(!this.on);
    if (!this.on) {
      this.ended((await this.ask({ op: "end_recording" })) ?? {});
      return;
    }
    const answer = await this.ask({ op: "record" });
    if (!answer) this.show(false);
    this.folder = answer?.folder;
    if (this.on) this.note(`Recording to ${this.folder}, for ${answer?.longest_s} s at most.`);
  }

  /** It was ended. @param {Answer} answer */
  ended(answer) {
    this.show(false);
    if (answer.error) this.note(answer.error, "error");
    else if (answer.folder) {
      this.added(answer.sources);
      this.note(`Recorded. Play it: camerapipe stream replay:${answer.folder}`);
    }
  }

  /** The stream has ended, and with it what was recorded. @param {boolean} well */
  async over(well) {
    if (!this.on) return;
    const answer = await this.ask({ op: "end_recording" });
    if (well) this.ended({ ...answer, folder: this.folder });
    else this.show(false);
  }

  /** @param {boolean} on */
  show(on) {
    this.on = on;
    byId("record").setAttribute("aria-pressed", String(on));
  }
}
