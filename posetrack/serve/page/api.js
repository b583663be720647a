// The daemon's HTTP interface: one call a function, errors as the daemon words them.

const KEPT = "posetrack-token";
let behind_s = 0; // this clock, after the daemon's

export class ApiError extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

/** Unix time by the daemon's clock, to about a second. */
export const daemonNow = () => Date.now() / 1000 - behind_s;

export const streamPath = (id, rest = "") => `/v1/streams/${encodeURIComponent(id)}${rest}`;

/** The answer to a request; with the token of this tab again where the session has ended. */
export async function ask(path, options = {}) {
  let answer = await fetch(path, options);
  if (answer.status === 401 && sessionStorage.getItem(KEPT) && (await isLetIn())) {
    answer = await fetch(path, options);
  }
  const date = Date.parse(answer.headers.get("date"));
  if (date) behind_s = Date.now() / 1000 - date / 1000;
  if (answer.ok) return answer;
  throw new ApiError(answer.status, await reason(answer));
}

async function reason(answer) {
  const body = await answer.json().catch(() => ({}));
  return body.error ?? `the daemon answered ${answer.status}`;
}

const get = async (path) => (await ask(path)).json();

async function send(method, path, body) {
  const options = { method };
  if (body !== undefined) options.body = JSON.stringify(body);
  const answer = await ask(path, options);
  return answer.status === 204 ? null : answer.json();
}

export const getStreams = async () => (await get("/v1/streams")).streams;
export const addStream = (settings) => send("POST", "/v1/streams", settings);
export const removeStream = (id) => send("DELETE", streamPath(id));
export const changeStream = (id, patch) => send("PATCH", streamPath(id), patch);
export const getTracking = (id) => get(streamPath(id, "/tracking"));
export const getMetrics = async () => (await ask("/metrics")).text();

export const getRecordings = (id) => get(streamPath(id, "/recordings"));
export const startRecording = (id, wish) => send("POST", streamPath(id, "/recordings"), wish);
export const stopRecording = (id) => send("POST", streamPath(id, "/recordings/stop"));
export const recordingPath = (id, name) =>
  streamPath(id, `/recordings/${encodeURIComponent(name)}`);
export const deleteRecording = (id, name) => send("DELETE", recordingPath(id, name));

// A session: WebSockets and downloads can send no header, so the token is changed for a cookie.

async function begin(token) {
  const answer = await fetch("/v1/session", { method: "POST", body: JSON.stringify({ token }) });
  if (!answer.ok) throw new ApiError(answer.status, await reason(answer));
}

async function isLetIn() {
  try {
    await begin(sessionStorage.getItem(KEPT));
    return true;
  } catch (error) {
    if (error.status === 401) sessionStorage.removeItem(KEPT);
    return false;
  }
}

/** Raises ApiError with what is wrong about the token. */
export async function signIn(token) {
  await begin(token);
  sessionStorage.setItem(KEPT, token);
}

export async function signOut() {
  sessionStorage.removeItem(KEPT);
  await fetch("/v1/session", { method: "DELETE" });
}

export const hasToken = () => sessionStorage.getItem(KEPT) !== null;
