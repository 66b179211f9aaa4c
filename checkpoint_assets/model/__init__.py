"""Pure values: ids, states, records, errors and the clock. Nothing here does I/O."""
