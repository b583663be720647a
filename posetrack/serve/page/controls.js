// What can be set while a stream runs: which value, between what, and in which words.

const spread = (path, label, min, max, step, more = {}) => ({
  kind: "range",
  path,
  label,
  min,
  max,
  step,
  ...more,
});
const either = (path, label, more = {}) => ({ kind: "switch", path, label, ...more });

export const SECTIONS = [
  {
    title: "Detection",
    open: true,
    controls: [
      spread("detector.interval", "Detector interval", 1, 60, 1, {
        unit: "frames",
        hint: "The detector looks every so many frames; between, people are followed.",
      }),
      either("detector.auto", "Only when it is needed"),
      spread("detector.threshold", "Detection score", 0.05, 0.95, 0.01, {
        digits: 2,
        holds: (tracking) => tracking.detection_threshold,
        hint: "From this score on something is a person.",
      }),
      spread("tracker.max_boxes", "People at most", 1, 21, 1, {
        unit: "people",
        open: { at: 21, text: "no limit" },
      }),
    ],
  },
  {
    title: "Keypoints and ids",
    controls: [
      spread("tracker.keypoint_threshold", "Keypoint score", 0.05, 0.95, 0.01, {
        digits: 2,
        hint: "From this score on a keypoint counts and is drawn.",
      }),
      spread("tracker.min_keypoints", "Keypoints of a person", 1, 17, 1, { unit: "at least" }),
      spread("tracker.max_missing_s", "Looked for when lost", 0, 10, 0.1, { unit: "s", digits: 1 }),
      spread("tracker.birth_frames", "New people wait", 1, 15, 1, { unit: "frames" }),
    ],
  },
  {
    title: "Smoothing",
    controls: [
      either("tracker.smoothing", "One-Euro filter", { on: "one_euro", off: "none" }),
      spread("tracker.min_cutoff_hz", "Calm at rest", 0.1, 10, 0.1, {
        unit: "Hz",
        digits: 1,
        hint: "Lower is calmer and slower.",
      }),
      spread("tracker.beta", "Quick in motion", 0, 30, 0.5, {
        digits: 1,
        hint: "Higher follows fast motion more closely.",
      }),
    ],
  },
  {
    title: "Drawing",
    controls: [
      {
        kind: "words",
        path: "drawing.layers",
        label: "Layers",
        words: ["boxes", "ids", "keypoints", "limbs", "trails"],
      },
      {
        kind: "choice",
        path: "drawing.style",
        label: "Style",
        words: { default: "Default", openpose: "OpenPose", mmpose: "MMPose", minimal: "Minimal" },
      },
      {
        kind: "choice",
        path: "drawing.colours",
        label: "Colours",
        words: {
          side: "By body side",
          id: "By person",
          mmpose: "As MMPose",
          openpose: "As OpenPose",
        },
      },
      {
        kind: "choice",
        path: "drawing.background",
        label: "Background",
        words: { image: "Picture", blur: "Blurred picture", black: "Black" },
      },
      either("drawing.blur_faces", "Hide faces"),
      spread("drawing.thickness", "Line width", 0.5, 3, 0.1, { unit: "×", digits: 1 }),
      spread("drawing.trail_s", "Trails", 0.5, 10, 0.5, { unit: "s", digits: 1 }),
    ],
  },
  {
    title: "Preview",
    controls: [
      spread("preview.fps", "Pictures a second", 1, 30, 1),
      spread("preview.width", "Width", 160, 1920, 80, { unit: "px" }),
      spread("preview.quality", "JPEG quality", 10, 95, 5),
    ],
  },
];

/** The value at a dotted path, of the settings or else as it holds. */
export function valueAt(control, stream, tracking) {
  const [section, name] = control.path.split(".");
  const set = stream.settings[section][name];
  if (set !== null && set !== undefined) return set;
  if (tracking === null) return null;
  if (control.holds) return control.holds(tracking);
  return tracking[section]?.[name] ?? null;
}

/** A patch of one setting. */
export function patchOf({ path }, value) {
  const [section, name] = path.split(".");
  return { [section]: { [name]: value } };
}
