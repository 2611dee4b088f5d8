"""Who may do what: callers, the policy rule language, quotas."""
