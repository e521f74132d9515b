"""What several objectives share: teacher, strong views, pairs of tasks, quality of pseudo-labels."""
