// What comes by itself: messages of a WebSocket, pictures of an endless answer. Both begin again
// when they end, until they are closed, and neither waits for the other.

import { ask, streamPath } from "./api.js";

const FIRST_MS = 500;
const LONGEST_MS = 8000;

/** Messages about a stream's frames, tracks and state, as they come; returns how to end it. */
export function listen(id, onMessage) {
  let socket = null;
  let timer = 0;
  let pause = FIRST_MS;
  let closed = false;

  function open() {
    const address = new URL(streamPath(id, "/poses?events=true"), location.href);
    address.protocol = address.protocol.replace("http", "ws");
    socket = new WebSocket(address);
    socket.onmessage = (event) => {
      pause = FIRST_MS;
      onMessage(JSON.parse(event.data));
    };
    socket.onclose = () => {
      if (closed) return;
      timer = setTimeout(open, pause);
      pause = Math.min(2 * pause, LONGEST_MS);
    };
  }

  open();
  return () => {
    closed = true;
    clearTimeout(timer);
    socket.close();
  };
}

/** Pictures of a stream as (ImageBitmap, frame number), `drawn` by the daemon or plain; returns how
 * to end it. */
export function watch(id, drawn, onPicture) {
  const ending = new AbortController();
  const { signal } = ending;

  let newest = null;
  let decoding = false;

  /** Decode a picture, unless a newer one comes while another is being decoded. */
  async function offer(part) {
    newest = part;
    if (decoding) return;
    decoding = true;
    while (newest !== null) {
      const { body, frame } = newest;
      newest = null;
      const bitmap = await createImageBitmap(new Blob([body], { type: "image/jpeg" }));
      if (signal.aborted) bitmap.close();
      else onPicture(bitmap, frame);
    }
    decoding = false;
  }

  async function run() {
    let pause = FIRST_MS;
    while (!signal.aborted) {
      try {
        const answer = await ask(streamPath(id, `/preview.mjpg?draw=${drawn}`), { signal });
        for await (const part of parts(answer.body.getReader())) {
          pause = FIRST_MS;
          offer(part);
        }
      } catch (error) {
        if (!signal.aborted) console.debug("preview:", error.message);
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
      pause = Math.min(2 * pause, LONGEST_MS);
    }
  }

  run();
  return () => ending.abort();
}

/** The parts of a multipart stream, of which each head tells its length. */
async function* parts(reader) {
  const text = new TextDecoder("latin1");
  let have = new Uint8Array(0);
  const more = async () => {
    const { done, value } = await reader.read();
    if (done) return false;
    const joined = new Uint8Array(have.length + value.length);
    joined.set(have);
    joined.set(value, have.length);
    have = joined;
    return true;
  };
  while (true) {
    let end = -1;
    while ((end = endOfHead(have)) < 0) if (!(await more())) return;
    const head = text.decode(have.subarray(0, end));
    const length = Number(/content-length: (\d+)/i.exec(head)[1]);
    const frame = Number(/x-frame: (\d+)/i.exec(head)[1]);
    while (have.length < end + length + 2) if (!(await more())) return;
    yield { body: have.slice(end, end + length), frame };
    have = have.slice(end + length + 2);
  }
}

/** Where the blank line after a head ends; -1 where it has not come yet. */
function endOfHead(data) {
  for (let i = 3; i < data.length; i += 1) {
    if (data[i] === 10 && data[i - 1] === 13 && data[i - 2] === 10 && data[i - 3] === 13) {
      return i + 1;
    }
  }
  return -1;
}
