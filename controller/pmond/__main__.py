"""`python -m pmond`: the daemon."""

from pmond.main import main

raise SystemExit(main())
