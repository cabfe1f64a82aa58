"""Who calls, and what he may do to whose process: the one place that decides."""
