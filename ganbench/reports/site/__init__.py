"""A static leaderboard over many runs: boards, variants and runs, as pages that load nothing."""
