"""DeepLog for logexport: an LSTM over log templates (Du et al., CCS 2017)."""
