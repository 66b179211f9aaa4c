"""The parts of the explorer: a world, its stores and locks, and the event loop it runs in."""
