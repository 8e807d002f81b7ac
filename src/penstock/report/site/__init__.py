"""The static site of a project: facts to one HTML page that needs no network."""
