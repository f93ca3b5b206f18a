"""What data sets of the user's own pictures share: options, decoding, a cache of the decoded."""
