// The camera: one frame at a time goes to the server, the next when the last is answered.

/** The longer side of a frame that is sent, in pixels: quick, and enough for a face. */
const SIDE = 640;
const QUALITY = 0.9;

export class Camera {
  /** @throws an Error with a sentence for the person, if there is no camera or it is not allowed. */
  async start() {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new Error("Browsers give the camera only to pages at 127.0.0.1, localhost or https. Open this page at http://127.0.0.1.");
    }
    try {
      const wanted = { width: { ideal: 1280 }, height: { ideal: 720 }, facingMode: "user" };
      this.stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
    } catch (error) {
      throw new Error(REASONS[error.name] ?? `The camera cannot be used (${error.message}).`);
    }
    this.video = document.createElement("video");
    Object.assign(this.video, { srcObject: this.stream, muted: true, playsInline: true });
    await this.video.play();
  }

  /** Whether its image still comes. */
  get running() {
    return !!this.stream?.getVideoTracks().some((track) => track.readyState === "live");
  }

  /** The frame of now as people know themselves, from the mirror: a canvas, and the same as JPEG. Null if there is none yet. */
  async frame() {
    const { videoWidth: width, videoHeight: height } = this.video;
    if (!width || !height) return null;
    const scale = Math.min(1, SIDE / Math.max(width, height));
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: Math.round(width * scale), height: Math.round(height * scale) });
    const context = canvas.getContext("2d");
    context.setTransform(-1, 0, 0, 1, canvas.width, 0);
    context.drawImage(this.video, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
    return blob && { canvas, blob };
  }

  stop() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
  }
}

const REASONS = {
  NotAllowedError: "The browser was not allowed to use the camera. Allow it beside the address and try again.",
  NotFoundError: "There is no camera on this machine.",
  NotReadableError: "Another program has the camera. Close it and try again.",
};
