"""How the sample is drawn: animals, the park around them, and the camera."""
