"""What ``import crosstask`` offers: thin functions over the rooms below, for notebooks and scripts."""
