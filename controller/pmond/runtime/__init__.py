"""Effects, one place each: system calls, files, sockets, clocks. Decisions are in `pmond.core`."""
