"""Teachers that read the labels an image has: T_s(image, y_t)."""
