"""Public test parts: demo sites, the store conformance suite, servers that misbehave."""
