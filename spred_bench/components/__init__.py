"""What the command line offers by name: one folder a kind, one file a variant, built from its yaml by `contract`."""
