"""Looking at what was captured: the session report, the gallery, a read-only local server."""
