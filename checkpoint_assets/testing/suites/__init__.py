"""The parts of the conformance suites; :mod:`checkpoint_assets.testing.store_suite` joins them."""
