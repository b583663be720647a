// The page: asks for the state of things once a second, and shows the stream that is chosen.

import * as api from "./api.js";
import { find, make, reconcile, say, sure, toast } from "./dom.js";
import { count, ms } from "./format.js";
import { Graph } from "./graphs.js";
import { Recordings } from "./recordings.js";
import { Settings } from "./settings.js";
import { StageTimes } from "./stages.js";
import { letAdd, showList, stateText } from "./streams.js";
import { letSignIn } from "./login.js";
import { letChooseTheme } from "./theme.js";
import { View } from "./view.js";

const EACH_MS = 1000;

let streams = [];
let chosen = null; // the stream shown, as last told
let tracking = null; // its keypoint set and tracker
let trackingOf = ""; // the settings that belong to it
let before = null; // its counts a second ago
let changes = 0; // that were taken: an answer asked for before one of them is old
const wasGood = new Map(); // whether each stream was running when last told

const view = new View();
const recordings = new Recordings(find("recordings"));
const settings = new Settings(find("settings"), take);
const stageTimes = new StageTimes();
const graphs = {
  fps: new Graph(find("graph-fps"), { name: "Frames a second", format: (fps) => fps.toFixed(1) }),
  stages: new Graph(find("graph-stages"), { name: "Latency by stage in ms", stacked: true }),
  drops: new Graph(find("graph-drops"), {
    name: "Frames dropped a second",
    format: (drops) => drops.toFixed(0),
  }),
};

/** A stream as it is after a change, without waiting for the next second. */
function take(stream) {
  changes += 1;
  streams = streams.map((each) => (each.id === stream.id ? stream : each));
  if (chosen?.id === stream.id) show(stream);
}

function choose() {
  const wanted = decodeURIComponent(location.hash.slice(1));
  const stream = streams.find(({ id }) => id === wanted) ?? streams[0] ?? null;
  if (stream?.id !== chosen?.id) {
    tracking = before = null;
    trackingOf = "";
    stageTimes.clear();
    for (const graph of Object.values(graphs)) graph.clear();
    if (stream === null) view.close();
    else {
      view.open(stream.id);
      recordings.open(stream.id);
    }
  }
  find("nothing").hidden = stream !== null;
  for (const part of ["shown", "figures", "panel"]) find(part).hidden = stream === null;
  chosen = stream;
  showList(streams, chosen?.id);
  if (stream !== null) show(stream);
}

function show(stream) {
  chosen = stream;
  say(find("name"), stream.id);
  find("state").dataset.state = stream.state;
  say(find("state"), stateText(stream));
  say(find("enabled"), stream.settings.enabled ? "Pause" : "Resume");
  const snapshot = find("snapshot");
  snapshot.href = api.streamPath(stream.id, "/snapshot.jpg");
  snapshot.download = `${stream.id}.jpg`;
  view.update(stream, tracking);
  settings.show(stream, tracking);
  showTiles(stream);
}

function showTiles({ latency_ms, people, tracks, dropped, detector_runs, frames, reconnects }) {
  const share = frames ? `${((100 * detector_runs) / frames).toFixed(0)} % of frames` : "";
  const latency = frames
    ? [`${ms(latency_ms.p50)} ms`, `p95 ${ms(latency_ms.p95)} · p99 ${ms(latency_ms.p99)}`]
    : ["–", ""];
  const lost = `${count(dropped.late)} late · ${count(dropped.source)} source`;
  const rows = [
    ["Latency", ...latency],
    ["People", count(people), `${count(tracks)} ${tracks === 1 ? "id" : "ids"} so far`],
    ["Frames", count(frames), `${count(reconnects)} reconnects`],
    ["Dropped", count(dropped.late + dropped.source), lost],
    ["Detector runs", count(detector_runs), share],
  ];
  reconcile(
    find("tiles"),
    rows,
    ([name]) => name,
    ([name]) => make("div", {}, make("dt", {}, name), make("dd"), make("dd", { class: "quiet" })),
    (tile, [, value, more]) => {
      say(tile.children[1], value);
      say(tile.children[2], more);
    },
  );
}

async function measure(stream) {
  const now = performance.now() / 1000;
  const { late, source } = stream.dropped;
  graphs.fps.push(now, { published: stream.fps });
  if (before !== null) {
    const passed = now - before.now;
    graphs.drops.push(now, {
      late: Math.max(0, late - before.late) / passed,
      source: Math.max(0, source - before.source) / passed,
    });
  }
  before = { now, late, source };
  const times = stageTimes.take(await api.getMetrics(), stream.id);
  if (stream.id === chosen?.id) graphs.stages.push(now, times);
}

/** The keypoint set and tracker, where the settings have changed or nothing is known yet. */
async function look(stream) {
  const wanted = JSON.stringify([stream.settings, stream.since]);
  if (trackingOf === wanted && tracking !== null) return;
  try {
    const found = await api.getTracking(stream.id);
    if (stream.id !== chosen?.id) return;
    [tracking, trackingOf] = [found, wanted];
    show(chosen);
  } catch (error) {
    if (error.status !== 503) throw error; // the models are being loaded
  }
}

/** Say aloud who was lost and who is back; not every attempt in between. */
function announce(now) {
  for (const { id, state } of now) {
    const good = state === "running";
    if (wasGood.get(id) === !good) toast(good ? `${id} is running.` : `${id} is ${state}.`);
    if (good || state !== "connecting") wasGood.set(id, good);
  }
}

async function refresh() {
  const known = changes;
  const told = await api.getStreams();
  if (changes !== known) return;
  streams = told;
  announce(streams);
  find("sign-out").hidden = !api.hasToken();
  const running = streams.filter(({ state }) => state === "running").length;
  say(find("summary"), `${running} of ${streams.length} running`);
  choose();
  if (chosen === null) return;
  await Promise.all([look(chosen), measure(chosen), recordings.refresh()]);
}

async function run() {
  while (true) {
    if (!document.hidden) {
      try {
        await refresh();
        find("lost").hidden = true;
      } catch (error) {
        if (error.status === 401) await askToken();
        else {
          find("lost").hidden = false;
          const gone = "The daemon does not answer. Trying again …";
          say(find("lost"), error.status ? error.message : gone);
        }
      }
    }
    await new Promise((resolve) => setTimeout(resolve, EACH_MS));
  }
}

const askToken = letSignIn(() => view.close());

function listenToPage() {
  addEventListener("hashchange", choose);
  document.addEventListener("visibilitychange", () => {
    if (chosen === null) return;
    if (document.hidden) view.close();
    else view.open(chosen.id);
  });
  find("enabled").addEventListener("click", () =>
    attempt(async () => {
      take((await api.changeStream(chosen.id, { enabled: !chosen.settings.enabled })).stream);
    }),
  );
  find("remove").addEventListener("click", () =>
    attempt(async () => {
      const { id } = chosen;
      if (!(await sure(`Remove ${id}? Its recordings stay.`))) return;
      await api.removeStream(id);
      await refresh();
    }),
  );
  letAdd(async ({ id }) => {
    location.hash = id;
    await refresh();
  });
  document.addEventListener("keydown", onKey);
}

async function attempt(action) {
  try {
    await action();
  } catch (error) {
    toast(error.message, "error");
  }
}

function onKey(event) {
  const typing = event.target.closest("input:not([type=range], [type=checkbox]), select, dialog");
  if (chosen === null || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const actions = {
    r: () => find("record").click(),
    s: () => find("snapshot").click(),
    d: () => view.toggleOverlay(),
    "+": () => settings.step(1),
    "-": () => settings.step(-1),
    "[": () => beside(-1),
    "]": () => beside(1),
  };
  const action = actions[event.key];
  if (action === undefined) return;
  event.preventDefault();
  action();
}

function beside(step) {
  const at = streams.findIndex(({ id }) => id === chosen.id);
  location.hash = streams[(at + step + streams.length) % streams.length].id;
}

letChooseTheme();
listenToPage();
run();
