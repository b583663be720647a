"""The page about outputs says what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from posetrack.formats.table import formats_table
from posetrack.kinematics.angles import angles_table

PAGE = Path(__file__).parents[2] / "docs" / "outputs.md"


@pytest.mark.parametrize("table", [formats_table, angles_table])
def test_the_tables_of_the_page_are_those_of_the_code(table) -> None:
    assert table() in PAGE.read_text("utf-8"), "run: python docs/tables.py"
