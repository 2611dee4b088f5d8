"""How the network service can fail. The class names are part of its contract: clients read them."""

from __future__ import annotations

from cumulet.core import errors


class HTTPBadRequest(errors.BadRequest):
    """A body or query that cannot be understood."""


class InvalidInput(errors.BadRequest):
    pass


class NotAuthorized(errors.Forbidden):
    pass


class RevisionNumberConstraintFailed(errors.PreconditionFailed):
    pass


class HTTPNotFound(errors.NotFound):
    pass


class NetworkNotFound(errors.NotFound):
    pass


class SubnetNotFound(errors.NotFound):
    pass


class PortNotFound(errors.NotFound):
    pass


class PortBindingNotFound(errors.NotFound):
    pass


class PortBindingAlreadyExists(errors.Conflict):
    pass


class PortBindingAlreadyActive(errors.Conflict):
    pass


class FlavorInUse(errors.Conflict):
    pass


class FlavorDisabled(errors.Unavailable):
    pass


class ServiceProfileInUse(errors.Conflict):
    pass


class ServiceProfileDisabled(errors.Unavailable):
    pass


class ServiceProfileDriverNotFound(errors.NotFound):
    pass


class FlavorServiceProfileBindingExists(errors.Conflict):
    pass


class FlavorServiceProfileBindingNotFound(errors.NotFound):
    pass


class SecurityGroupNotFound(errors.NotFound):
    pass


class SecurityGroupRuleNotFound(errors.NotFound):
    pass


class RouterNotFound(errors.NotFound):
    pass


class FloatingIPNotFound(errors.NotFound):
    pass


class PortForwardingNotFound(errors.NotFound):
    pass


class ConntrackHelperNotFound(errors.NotFound):
    pass


class NDPProxyNotFound(errors.NotFound):
    pass


class NetworkSegmentRangeNotFound(errors.NotFound):
    pass


class LogResourceNotFound(errors.NotFound):
    pass


class ResourceNotFound(errors.NotFound):
    """The group that a log is to be about."""


class TargetResourceNotFound(errors.NotFound):
    """The port that a log is to be about."""


class LocalIPNotFound(errors.NotFound):
    pass


class LocalIPAssociationNotFound(errors.NotFound):
    pass


class SubnetPoolNotFound(errors.NotFound):
    pass


class AddressScopeNotFound(errors.NotFound):
    pass


class AddressGroupNotFound(errors.NotFound):
    pass


class TrunkNotFound(errors.NotFound):
    pass


class SubPortNotFound(errors.NotFound):
    pass


class QosPolicyNotFound(errors.NotFound):
    pass


class QosRuleNotFound(errors.NotFound):
    pass


class RbacPolicyNotFound(errors.NotFound):
    pass


class SegmentNotFound(errors.NotFound):
    pass


class AgentNotFound(errors.NotFound):
    pass


class MeteringLabelNotFound(errors.NotFound):
    pass


class MeteringLabelRuleNotFound(errors.NotFound):
    pass


class InvalidDHCPAgent(errors.NotFound):
    pass


class InvalidL3Agent(errors.Conflict):
    pass


class NetworkHostedByDHCPAgent(errors.Conflict):
    pass


class NetworkNotHostedByDhcpAgent(errors.Conflict):
    pass


class RouterHostedByL3Agent(errors.Conflict):
    pass


class RouterNotHostedByL3Agent(errors.Conflict):
    pass


class MeteringLabelRuleOverlaps(errors.Conflict):
    pass


class DefaultSecurityGroupRuleNotFound(errors.NotFound):
    pass


class DefaultStatefulnessNotFound(errors.NotFound):
    pass


class ExtensionNotFound(errors.NotFound):
    pass


class TagNotFound(errors.NotFound):
    pass


class TenantQuotaNotFound(errors.NotFound):
    pass


class RouterInterfaceNotFound(errors.NotFound):
    pass


class RouterInterfaceNotFoundForSubnet(errors.NotFound):
    pass


class ExternalGatewayForFloatingIPNotFound(errors.NotFound):
    pass


class FlavorNotFound(errors.NotFound):
    pass


class ServiceProfileNotFound(errors.NotFound):
    pass


class NetworkInUse(errors.Conflict):
    pass


class NetworkMTUSubnetConflict(errors.Conflict):
    pass


class SubnetInUse(errors.Conflict):
    pass


class PortInUse(errors.Conflict):
    pass


class PortInUseAsTrunkParent(PortInUse):
    pass


class PortInUseAsSubPort(PortInUse):
    pass


class ParentPortInUse(PortInUse):
    pass


class DuplicateSubPort(errors.Conflict):
    pass


class SubPortMtuGreaterThanTrunkPortMtu(errors.Conflict):
    pass


class TrunkDisabled(errors.Conflict):
    pass


class ServicePortInUse(errors.Conflict):
    """A port that belongs to a router or another noun, and goes only with it."""


class MacAddressInUse(errors.Conflict):
    pass


class IpAddressInUse(errors.Conflict):
    pass


class IpAddressAlreadyAllocated(errors.Conflict):
    pass


class IpAddressGenerationFailure(errors.Conflict):
    pass


class InvalidIpForNetwork(errors.BadRequest):
    pass


class InvalidIpForSubnet(errors.BadRequest):
    pass


class InvalidAllocationPool(errors.BadRequest):
    pass


class OutOfBoundsAllocationPool(errors.BadRequest):
    pass


class OverlappingAllocationPools(errors.Conflict):
    pass


class GatewayConflictWithAllocationPools(errors.Conflict):
    pass


class GatewayIpInUse(errors.Conflict):
    pass


class NoNetworkAvailable(errors.Unavailable):
    pass


class SegmentInUse(errors.Conflict):
    """The segmentation id that was asked for belongs to another network."""


class SecurityGroupInUse(errors.Conflict):
    pass


class SecurityGroupConflict(errors.Conflict):
    pass


class SecurityGroupRuleExists(errors.Conflict):
    pass


class SecurityGroupCannotRemoveDefault(errors.Conflict):
    pass


class SecurityGroupCannotUpdateDefault(errors.Conflict):
    pass


class SecurityGroupInvalidPortRange(errors.BadRequest):
    pass


class PortSecurityPortHasSecurityGroup(errors.Conflict):
    pass


class PortSecurityAndIPRequiredForSecurityGroups(errors.BadRequest):
    pass


class AddressPairAndPortSecurityRequired(errors.Conflict):
    pass


class RouterInUse(errors.Conflict):
    pass


class NoVRIDAvailable(errors.Conflict):
    pass


class RouterNDPProxyNotEnable(errors.Conflict):
    pass


class RouterGatewayNotValid(errors.Conflict):
    """Its gateway does not lead into an IPv6 address scope."""


class RouterGatewayInUseByNDPProxy(errors.Conflict):
    pass


class RouterInterfaceInUseByNDPProxy(errors.Conflict):
    pass


class PortUnreachableRouter(errors.Conflict):
    pass


class AddressScopeConflict(errors.Conflict):
    pass


class InvalidAddress(errors.BadRequest):
    pass


class HostNotConnectedToAnySegment(errors.Conflict):
    pass


class HostNotCompatibleWithFixedIps(errors.Conflict):
    pass


class NetworkIdsDontMatch(errors.BadRequest):
    """The segment is another network's."""


class SubnetsNotAllAssociatedWithSegments(errors.BadRequest):
    pass


class SubnetSegmentAssociationChangeNotAllowed(errors.BadRequest):
    pass


class SegmentsSetInConjunctionWithProviders(errors.BadRequest):
    pass


class NetworkSegmentRangeNetTypeNotSupported(errors.BadRequest):
    pass


class NetworkSegmentRangeDefaultReadOnly(errors.BadRequest):
    pass


class NetworkSegmentRangeReferencedByProject(errors.Conflict):
    pass


class InvalidLogResourceType(errors.BadRequest):
    pass


class InvalidResourceConstraint(errors.BadRequest):
    pass


class LocalIPInUse(errors.Conflict):
    pass


class LocalIPAssociationExists(errors.Conflict):
    pass


class LocalIPPortOrNetworkRequired(errors.BadRequest):
    pass


class LocalIPRequestedIPNotFound(errors.BadRequest):
    pass


class LocalIPNoRequestedIP(errors.BadRequest):
    """Several addresses could be meant."""


class RouterInterfaceInUseByFloatingIP(errors.Conflict):
    pass


class RouterInterfaceInUseByRoute(errors.Conflict):
    pass


class RouterExternalGatewayInUseByFloatingIp(errors.Conflict):
    pass


class FloatingIPPortAlreadyAssociated(errors.Conflict):
    pass


class FloatingIPUsedByPortForwarding(errors.Conflict):
    pass


class NetworkAmbiguous(errors.Conflict):
    """Several networks could be meant."""


class RbacPolicyInUse(errors.Conflict):
    pass


class RbacPolicyExists(errors.Conflict):
    pass


class QosPolicyInUse(errors.Conflict):
    pass


class RuleHeld(errors.NotOffered):
    """What is promised to a port that is bound is not changed under it."""


class QosPlacementAllocationUpdateConflict(errors.Conflict):
    pass


class AddressScopeInUse(errors.Conflict):
    pass


class AddressGroupInUse(errors.Conflict):
    pass


class SubnetPoolInUse(errors.Conflict):
    pass


class SubnetAllocationError(errors.Conflict):
    pass


class ResourceInUse(errors.Conflict):
    """Named with the class that the real service shows for the noun."""
