"""Assembly: the only place that joins names to adapters, and a project to what runs it."""
