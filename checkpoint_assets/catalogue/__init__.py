"""One row per step and per session, made from the store."""
