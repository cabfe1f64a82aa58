"""The environment variable that names another host, or several."""

HOST = "PMON3_HOST"
