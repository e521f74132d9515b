"""What moves an image and everything that belongs to it."""
