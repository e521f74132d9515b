"""Plan, launch, loop, checkpoint."""
