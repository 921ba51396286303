"""The C engine for logexport: where it is, and the checks that run it after every export."""
