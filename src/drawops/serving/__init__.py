"""The HTTP server: reads drawings with the deployed version, finds similar parts, and can be moved to another version."""
