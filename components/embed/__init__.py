"""The embed step."""
