// Takes a multipart/x-mixed-replace stream apart (RFC 2046, section 5.1) by the length that each
// part of Defender's streams carries.

const MAX_HEAD_BYTES = 4096;
const MAX_PART_BYTES = 64 * 1024 * 1024;

export class Parts {
  #bytes = new Uint8Array(256 * 1024);
  #length = 0;
  #part;

  // The newest part that is whole with these bytes: { jpeg, captured_ms }. Older ones are let go.
  newest(chunk) {
    this.#append(chunk);
    let found;
    let at = 0;
    for (;;) {
      this.#part ??= this.#head(at);
      if (!this.#part) break;
      const { start, length, captured_ms } = this.#part;
      if (this.#length < start + length) break;
      found = { jpeg: [start, start + length], captured_ms };
      at = start + length;
      this.#part = undefined;
    }
    if (found) found.jpeg = this.#bytes.slice(...found.jpeg);
    this.#drop(at);
    return found;
  }

  #append(chunk) {
    const needed = this.#length + chunk.length;
    if (needed > this.#bytes.length) {
      const larger = new Uint8Array(needed * 2);
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(chunk, this.#length);
    this.#length = needed;
  }

  #drop(count) {
    if (!count) return;
    this.#bytes.copyWithin(0, count, this.#length);
    this.#length -= count;
    if (this.#part) this.#part.start -= count;
  }

  // The head that starts at `at`, boundary line and all; nothing while it is not complete.
  #head(at) {
    const bytes = this.#bytes.subarray(at, Math.min(this.#length, at + MAX_HEAD_BYTES));
    const text = String.fromCharCode(...bytes);
    const end = text.indexOf("\r\n\r\n");
    if (end < 0) {
      if (bytes.length === MAX_HEAD_BYTES) throw new Error("the stream is not one of pictures");
      return undefined;
    }
    const field = (name) => Number(new RegExp(`^${name}: *([0-9.]+)`, "im").exec(text.slice(0, end))?.[1]);
    const length = field("Content-Length");
    if (!(length <= MAX_PART_BYTES)) throw new Error("a picture of the stream has no length");
    return { start: at + end + 4, length, captured_ms: field("X-Timestamp") * 1000 };
  }
}
