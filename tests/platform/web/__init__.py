"""The edge: what it promises about every request, whatever it is for."""
