"""How steps come to be: scenarios, sources, the collector."""
