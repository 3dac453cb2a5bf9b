"""Steps, and what is kept from one to the next."""
