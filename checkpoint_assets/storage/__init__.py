"""Where steps live: keys, stores, their wrappers, and the StorageManager over them."""
