"""MSCRED for logexport: a convolutional autoencoder over counts of log templates."""
