"""What is trained: network, objectives and balancer as one module, and its parts by name."""
