"""Effects, one place each: system calls, files, sockets, clocks. Decisions are in `pmond.core`.

The rooms stand in layers, each importing only what stands below it (an import contract holds that):

    program     composition root, life of the program
    http        bytes, routes, what answers them
    observers   told after each turn and exit
    views       what people see
    intent      who wants what
    supervise   the loop, and what it performs
    state       what outlives pmond
    files | processes
    access      who may do what
    base        clocks, journal, threads, fail-points
"""
