"""How accurate models are on annotated pictures."""
