"""Write the tables of tracking.md anew from the code; the tests ask for it when they differ."""

from __future__ import annotations

import re
from pathlib import Path

from posetrack.tracking.presets import mmdeploy_table
from posetrack.tracking.settings import settings_table

PAGE = Path(__file__).parent / "tracking.md"


def main() -> None:
    """Replace what stands between the markers of each table."""
    text = PAGE.read_text("utf-8")
    for name, table in (("settings", settings_table()), ("mmdeploy", mmdeploy_table())):
        between = re.compile(f"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text = between.sub(lambda found, table=table: found[1] + table + found[2], text)
    PAGE.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
