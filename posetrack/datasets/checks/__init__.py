"""What makes trainings fail or learn the wrong thing, found before they start."""
