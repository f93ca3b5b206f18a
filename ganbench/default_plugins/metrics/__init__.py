"""How samples become numbers."""
