"""Authentication: proofs of who somebody is, the place he asks for, and the token he gets."""
