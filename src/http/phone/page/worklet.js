// Carries audio between the page and the sound card, 20 ms (160 samples at 8 kHz) at a time.

const FRAME = 160;
const MOST = 8000; // One second: what is older than that nobody wants to hear.

class Handset extends AudioWorkletProcessor {
  constructor() {
    super();
    this.out = [];
    this.at = 0;
    this.waiting = 0;
    this.taken = new Int16Array(FRAME);
    this.filled = 0;
    this.port.onmessage = ({ data }) => {
      this.out.push(data);
      this.waiting += data.length;
      while (this.waiting > MOST && this.out.length > 1) {
        this.waiting -= this.out.shift().length - this.at;
        this.at = 0;
      }
    };
  }

  process([microphone], [speaker]) {
    const samples = microphone[0];
    if (samples) {
      for (const sample of samples) {
        this.taken[this.filled++] = Math.max(-1, Math.min(1, sample)) * 32767;
        if (this.filled === FRAME) {
          this.port.postMessage(this.taken.slice());
          this.filled = 0;
        }
      }
    }
    const sound = speaker[0];
    for (let index = 0; index < sound.length; index++) {
      const frame = this.out[0];
      sound[index] = frame ? frame[this.at++] / 32768 : 0;
      if (frame) {
        this.waiting--;
        if (this.at >= frame.length) {
          this.out.shift();
          this.at = 0;
        }
      }
    }
    for (const other of speaker.slice(1)) other.set(sound);
    return true;
  }
}

registerProcessor("handset", Handset);
