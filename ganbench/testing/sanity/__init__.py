"""The sanity checks of Räisä et al. (2025) for numbers that say how good samples are."""
