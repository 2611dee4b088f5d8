"""All drills."""

from __future__ import annotations

from tests.drills import killed, lost_node, moving, standby, three, unheard_node
from tests.drills.drill import Drill

DRILLS = (
    Drill(
        "moving", "a server moves while it runs, and a TCP connection to it is kept; or off, with its disk", moving.run
    ),
    Drill("three", "a group keeps servers apart on three nodes, and their network joins them", three.run, 3),
    Drill("standby", "the node that runs a router is lost; floating IPs answer again in seconds", standby.run, 3),
    Drill("lost-node", "a node loses power; its servers are evacuated, and it comes back", lost_node.run, 3),
    Drill("unheard-node", "the API does not hear a node; its guests lose their disks, and end", unheard_node.run, 3),
    Drill("killed", "processes and nodes are killed while people work; nothing is stuck, nothing leaks", killed.run),
)
