"""OpenID Connect: this cloud as the one who relies on what a provider says."""
