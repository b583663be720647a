"""What was found in a video, kept: record schema v1, its files, and all of it in memory."""

from posetrack.records.reader import read_records
from posetrack.records.recording import Recording, Sightings, as_result
from posetrack.records.schema import LOST, NEW, SCHEMA, TRACKED, Header, Record, states
from posetrack.records.writers import CSV_COLUMNS, CsvWriter, RecordWriter

__all__ = [
    "CSV_COLUMNS",
    "LOST",
    "NEW",
    "SCHEMA",
    "TRACKED",
    "CsvWriter",
    "Header",
    "Record",
    "RecordWriter",
    "Recording",
    "Sightings",
    "as_result",
    "read_records",
    "states",
]
