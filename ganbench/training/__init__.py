"""Training of one cell. Only steps.py calls backward or steps an optimiser."""
