"""Which labels are used: splits, protocols, derived targets."""
