"""Singer plugins on this machine: their environments, and what they say of themselves."""
