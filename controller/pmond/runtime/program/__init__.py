"""The composition root and the life of the program: parts, start, reload, check, upgrade, end."""
