"""Rounds of pseudo-labels: train, label the training images anew, train again. What ``crosstask refine`` does."""
