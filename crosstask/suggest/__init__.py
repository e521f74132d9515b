"""What to label next: which label of which image is expected to be worth most for what it costs."""
