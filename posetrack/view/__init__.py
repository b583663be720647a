"""A local page on which a run is looked at and its tracks are put right."""
