"""Pictures of a recording to look at and to hand on: paths, angles, speeds, who was there when."""
