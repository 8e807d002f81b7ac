"""Real dbt projects, in an environment and a process of their own."""
