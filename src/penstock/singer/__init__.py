"""Singer without its processes: messages, catalogs, selection, settings and state."""
