"""What moving keypoints say about a body: landmarks, angles, speeds, symmetry, scale."""
