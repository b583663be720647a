"""Write the tables of outputs.md anew from the code; the tests ask for it when they differ."""

from __future__ import annotations

import re
from pathlib import Path

from posetrack.formats.table import formats_table
from posetrack.kinematics.angles import angles_table

PAGE = Path(__file__).parent / "outputs.md"


def main() -> None:
    """Replace what stands between the markers of each table."""
    text = PAGE.read_text("utf-8")
    for name, table in (("formats", formats_table()), ("angles", angles_table())):
        between = re.compile(f"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text = between.sub(lambda found, table=table: found[1] + table + found[2], text)
    PAGE.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
