// What each stage took during the last second, from the daemon's own figures for Prometheus.

const LINE = /^posetrack_stage_seconds_(sum|count)\{(.*)\} (\S+)$/gm;

/** Means in ms of one stream's stages since the last call: {stage: ms}, or null at the first. */
export class StageTimes {
  #before = null;

  clear() {
    this.#before = null;
  }

  take(text, stream) {
    const now = {};
    for (const [, kind, labels, value] of text.matchAll(LINE)) {
      const { stage, stream: of } = parsed(labels);
      if (of !== stream || stage === "capture") continue; // that one waits for the next frame
      (now[stage] ??= {})[kind] = Number(value);
    }
    const before = this.#before;
    this.#before = now;
    if (before === null) return null;
    const means = {};
    const passed = Math.max(
      ...Object.entries(now).map(([stage, { count }]) => count - (before[stage]?.count ?? count)),
    );
    if (!(passed > 0)) return null;
    for (const [stage, { sum }] of Object.entries(now)) {
      // Over all frames, those too where the stage did not run: the parts then add up.
      means[stage] = Math.max(0, (1000 * (sum - (before[stage]?.sum ?? sum))) / passed);
    }
    return means;
  }
}

function parsed(labels) {
  return Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, k, v]) => [k, v]));
}
