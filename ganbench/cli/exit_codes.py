"""What the process says when it ends."""

OK = 0
FAILED = 1  # a gated verdict or a check, or a number that training again does not confirm
USAGE = 2  # usage, configuration or plugin error
TRIAL_FAILED = 3  # a trial failed or diverged, or nothing could be measured
NOT_COMPARABLE = 4  # no usable baseline, or nothing that could be compared
NOTHING_SELECTED = 5
INTERRUPTED = 130
TERMINATED = 143
