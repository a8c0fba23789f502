"""What is delivered: the build manifest, the wheel with the model inside, the Bento and its container."""
