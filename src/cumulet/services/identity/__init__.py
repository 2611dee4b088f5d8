"""Identity: who everybody is, what each may do, and where the services are."""
