// What the server is asked; errors as it words them.

async function ask(path, options) {
  const answer = await fetch(path, options);
  if (answer.ok) return answer.json();
  const body = await answer.json().catch(() => ({}));
  throw new Error(body.error ?? `the server answered ${answer.status}`);
}

const post = (path, body) =>
  ask(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });

export const getClip = () => ask("/v1/clip");
export const getTracks = () => ask("/v1/tracks");
export const getPeople = (first, count) => ask(`/v1/people?first=${first}&count=${count}`);
export const getCurve = (track, name) =>
  ask(`/v1/curve?track=${track}&name=${encodeURIComponent(name)}`);
export const edit = (wanted) => post("/v1/edits", wanted);
export const undo = () => post("/v1/undo");
export const redo = () => post("/v1/redo");
export const save = () => post("/v1/save");
