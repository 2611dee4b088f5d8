"""The catalogue: which services the cloud has, and at which addresses they answer."""
