"""Named steps from an empty file to the present tables; each in one transaction, run by `Ledger.migrate`."""
