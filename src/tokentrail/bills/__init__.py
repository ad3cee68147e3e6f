"""What providers bill, read from their own reports and compared with the ledger."""
