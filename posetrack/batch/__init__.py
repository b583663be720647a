"""Many videos: which there are, who works on them, and a manifest of what became of each."""
