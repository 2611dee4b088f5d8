"""`cumulet up` and its kin: a whole cloud on one machine, as two processes that outlive the command."""
