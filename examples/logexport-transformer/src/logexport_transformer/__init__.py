"""A small causal Transformer over log events, as a model type for logexport."""

NAME = "transformer"
