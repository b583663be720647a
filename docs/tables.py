"""Write the tables of outputs.md and tracking.md anew from the code; the tests ask for it."""

from __future__ import annotations

import re
from pathlib import Path

from posetrack.formats.table import formats_table
from posetrack.kinematics.angles import angles_table
from posetrack.tracking.presets import mmdeploy_table
from posetrack.tracking.settings import settings_table

DOCS = Path(__file__).parent
TABLES = {
    "outputs.md": {"formats": formats_table, "angles": angles_table},
    "tracking.md": {"settings": settings_table, "mmdeploy": mmdeploy_table},
}


def main() -> None:
    """Replace what stands between the markers of each table."""
    for name, tables in TABLES.items():
        page = DOCS / name
        text = page.read_text("utf-8")
        for marker, table in tables.items():
            between = re.compile(f"(<!-- {marker} -->\n).*?(<!-- end -->)", re.DOTALL)
            text = between.sub(lambda found, table=table: found[1] + table() + found[2], text)
        page.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
