"""Federation: people who authenticate elsewhere, what is believed of them here, and clouds that believe this one."""
