"""Networks of a node made of the Linux kernel's own parts: bridges, VXLAN, namespaces, nftables; and dnsmasq."""
