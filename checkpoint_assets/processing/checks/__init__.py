"""What is looked at after a capture: each check reads a stored session and judges it."""
