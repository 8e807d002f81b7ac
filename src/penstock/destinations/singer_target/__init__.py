"""Singer targets as destinations: rows become messages, and the ledger lies in a file of the project."""
