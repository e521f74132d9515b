"""Which labels are wrong: those a network, another task or a near-duplicate contradicts."""
