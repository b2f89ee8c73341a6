"""The increment step."""
