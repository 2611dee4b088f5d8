"""The rules of quality of service: each kind of rule below its policy, and most also by their own id (`alias`)."""

from __future__ import annotations

from cumulet.services.network.policies.texts import PARENT_MANAGER, PARENT_READER, PROJECT_MANAGER, READER, noun

QOS = {
    **noun(
        "policy",
        "policy:tags",
        read="(rule:admin_only) or (role:reader and project_id:%(project_id)s) or rule:shared_qos_policy",
        write=PROJECT_MANAGER,
    ),
    "shared_qos_policy": "field:policies:shared=True",
    **noun(
        "policy_bandwidth_limit_rule",
        "policy_dscp_marking_rule",
        "policy_minimum_bandwidth_rule",
        "policy_minimum_packet_rate_rule",
        "policy_packet_rate_limit_rule",
        read=PARENT_READER,
        write=PARENT_MANAGER,
    ),
    **noun(
        "alias_bandwidth_limit_rule",
        "alias_dscp_marking_rule",
        "alias_minimum_bandwidth_rule",
        read=PARENT_READER,
        write=PARENT_MANAGER,
        verbs=("update", "delete"),
    ),
    **{
        f"{verb}_alias_minimum_packet_rate_rule": f"rule:{verb}_policy_minimum_packet_rate_rule"
        for verb in ("get", "update", "delete")
    },
    "get_rule_type": READER,
}
