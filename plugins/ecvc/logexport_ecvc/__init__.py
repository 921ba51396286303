"""Event count vectors for logexport: a finished session beside those that training had."""
