"""The models on this machine: finding, choosing and opening them."""
