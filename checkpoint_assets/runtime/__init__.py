"""What happens around the work: events, the way from blocking code into the event loop."""
