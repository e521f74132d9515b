"""Who makes labels: networks of earlier rounds, of other runs, and models from outside."""
