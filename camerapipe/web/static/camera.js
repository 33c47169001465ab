/** The camera of the browser: its newest frame is sent whenever the server has room for one. */

import { byId, context2d } from "./dom.js";

const WISH = { width: { ideal: 1280 }, height: { ideal: 720 }, facingMode: "environment" };
const MOST_PX = 1280 * 720;

export class Camera {
  /** @param {(header: import("./socket.js").Header, data: Uint8Array) => void} send */
  constructor(send) {
    this.send = send;
    this.credit = 0;
    this.video = /** @type {HTMLVideoElement} */ (byId("camera"));
    this.canvas = document.createElement("canvas");
    /** @type {MediaStream | null} */
    this.stream = null;
  }

  /** Open the camera; the error says in plain words why there is none. */
  async open() {
    if (!navigator.mediaDevices)
      throw new Error("Browsers give a page a camera only over https or on this computer.");
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ video: WISH });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`The browser gave no camera: ${reason}.`, { cause: error });
    }
    this.credit = 0;
    this.video.srcObject = this.stream;
    await this.video.play();
    this.video.requestVideoFrameCallback(() => this.take());
  }

  /** The server has room for more. @param {number} frames */
  more(frames) {
    this.credit += frames;
  }

  take() {
    if (!this.stream) return;
    this.video.requestVideoFrameCallback(() => this.take());
    const { videoWidth, videoHeight } = this.video;
    if (this.credit <= 0 || !videoWidth) return;
    this.credit -= 1;
    const scale = Math.min(1, Math.sqrt(MOST_PX / (videoWidth * videoHeight)));
    const width = Math.floor(videoWidth * scale);
    const height = Math.floor(videoHeight * scale);
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    const context = context2d(this.canvas, { willReadFrequently: true, alpha: false });
    context.drawImage(this.video, 0, 0, width, height);
    const { data } = context.getImageData(0, 0, width, height);
    this.send({ op: "frame", width, height }, new Uint8Array(data.buffer));
  }

  close() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.video.srcObject = null;
  }
}
