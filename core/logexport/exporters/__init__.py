"""The version shim."""
