"""Training of one cell. Only trainer.py calls backward or steps an optimiser."""
