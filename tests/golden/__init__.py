"""Expected values from the reference implementation, and what makes and reads them."""
