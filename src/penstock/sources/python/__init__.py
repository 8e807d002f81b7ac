"""Python code as a source: resources, the rows they yield and where they left off."""
