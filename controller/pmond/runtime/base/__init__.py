"""What all rooms stand on: clocks, the journal, threads, fail-points, long work in slices."""
