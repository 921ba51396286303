"""What the host needs to find plugins, to ask them and to answer for them."""
