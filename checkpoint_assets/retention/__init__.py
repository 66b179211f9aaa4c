"""What goes, when, and why: policies, plans that can be looked at, and erasure."""
