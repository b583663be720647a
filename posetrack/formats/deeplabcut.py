"""DeepLabCut's HDF5 of several individuals: columns scorer, individuals, bodyparts, coords.

One row for each frame of the video from 0 on; NaN with likelihood NaN where nobody is, as
DeepLabCut writes itself.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from posetrack.formats.dense import Dense
from posetrack.formats.place import part_of
from posetrack.records import Recording

KEY = "df_with_missing"


def write(recording: Recording, path: Path) -> None:
    """The table that ``pandas.read_hdf`` and DeepLabCut read."""
    import pandas as pd

    dense = Dense.of(recording, every_frame=True)
    likelihood = np.where(dense.scores > 0, dense.scores, np.nan)
    values = np.concatenate([dense.keypoints, likelihood[..., None]], axis=-1)  # (F, P, K, 3)
    columns = pd.MultiIndex.from_product(
        [
            ["posetrack"],
            [f"id{each}" for each in dense.ids],
            list(dense.header.skeleton.keypoints),
            ["x", "y", "likelihood"],
        ],
        names=["scorer", "individuals", "bodyparts", "coords"],
    )
    table = pd.DataFrame(
        values.reshape(len(dense), len(columns)), columns=columns, index=dense.frames
    )
    with part_of(path) as part:
        table.to_hdf(part, key=KEY, mode="w", format="fixed")
