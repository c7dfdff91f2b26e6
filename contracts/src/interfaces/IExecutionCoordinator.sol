// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BatchHeader, Deployment, FunctionSpec} from "../libraries/Messages.sol";

/// @title IExecutionCoordinator
/// @notice The registry of functions and the chains of anchored batches.
interface IExecutionCoordinator {
    /// @notice One function was registered, updated, or (code digest 0) retired.
    event FunctionDeployed(
        address indexed owner, bytes32 indexed serviceId, string project, uint32 version, FunctionSpec spec
    );
    /// @notice `key` may deploy and retire functions of `project` until `until` (seconds; 0: no more).
    event DeployKeySet(address indexed owner, address indexed key, string project, uint64 until);
    event BatchAnchored(address indexed gateway, uint64 indexed index, bytes32 headerHash, BatchHeader header);
    /// @notice The gateway's batches from `fromIndex` on never become final.
    event BatchesVoided(address indexed gateway, uint64 fromIndex);

    error NoFunctions();
    error EmptyName(uint256 position);
    error UnknownClass(string name, uint8 class);
    error PriceTooHigh(string name, uint128 price, uint128 maximum);
    /// @dev A function that was never registered cannot be retired.
    error NothingToRetire(string name);
    error DeploymentExpired(uint64 deadline, uint256 time);
    error WrongDeploymentNonce(uint64 given, uint64 expected);
    error WrongSpecsHash(bytes32 given, bytes32 expected);
    /// @dev The signature is neither the owner's nor that of a deploy key he set for the project.
    error UnauthorizedDeployer(address signer, address owner);

    error EmptyBatch();
    error ReservedNotZero(bytes32 reserved);
    /// @dev The gateway's batch before this one is none, or another one.
    error WrongPredecessor(bytes32 given, bytes28 expected);
    error BatchExists(address gateway, uint64 index);
    error UnknownBatch(bytes32 headerHash);
    error BatchNotFinal(address gateway, uint64 index, uint256 finalAt);
    error BatchVoid(address gateway, uint64 index, uint64 voidFrom);
    error AlreadyVoid(address gateway, uint64 voidFrom);

    /// @dev Only the dispute court may do this.
    error NotCourt(address caller);
    error InvalidParameter(string what, uint256 value);
    /// @dev The contracts given to the constructor do not name each other.
    error ContractsMismatch(string what);

    /// @notice Registers or updates functions of the caller's project, or retires them (code digest 0).
    function deploy(string calldata project, FunctionSpec[] calldata specs) external;

    /// @notice The same on behalf of the owner, by his signature or that of a deploy key; anyone may send it.
    /// @param signature r, s, v in 65 bytes over the EIP-712 digest of `deployment`
    function deployFor(Deployment calldata deployment, FunctionSpec[] calldata specs, bytes calldata signature) external;

    /// @notice Lets `key` sign deployments of one project until `until` (seconds); 0 takes it back.
    function setDeployKey(string calldata project, address key, uint64 until) external;

    /// @notice Anchors the gateway's next batch. The sender is the gateway's bonded address or one of its hot keys.
    function anchor(BatchHeader calldata header) external returns (bytes32 headerHash);

    /// @notice Voids the gateway's batches from `fromIndex` on and jails it; only the court.
    function voidBatches(address gateway, uint64 fromIndex) external;

    /// @notice Reverts with the reason unless the batch with this header is anchored and final: its challenge window is
    /// over and it is not void.
    /// @param headerHash keccak256(abi.encode(BatchHeader)), of which gateway and index are fields
    function requireFinal(address gateway, uint64 index, bytes32 headerHash) external view;

    /// @notice Whether the batch with this header is anchored, its challenge window is over and it is not void.
    function isFinal(address gateway, uint64 index, bytes32 headerHash) external view returns (bool);

    /// @notice What is kept of a batch: the first 28 bytes of its header's hash and its block time in seconds; 0 and 0
    /// if there is no such batch.
    function batchOf(address gateway, uint64 index) external view returns (bytes28 headerHash, uint32 anchoredAt);
    /// @notice Index from which the gateway's batches are void, 2^64 - 1 if none is.
    function voidFrom(address gateway) external view returns (uint64);

    function serviceIdOf(address owner, string calldata project, string calldata name) external pure returns (bytes32);
    /// @notice Number of the last version, 0 if the function was never registered.
    function latestVersion(bytes32 serviceId) external view returns (uint32);
    /// @notice keccak256(abi.encode(FunctionSpec)) of a version, 0 if there is none.
    function specCommitment(bytes32 serviceId, uint32 version) external view returns (bytes32);
    /// @notice The nonce of the owner's next Deployment for this project.
    function nonces(address owner, string calldata project) external view returns (uint64);
    /// @notice Time in seconds until which `key` may deploy, 0 if it never could.
    function deployKeys(address owner, string calldata project, address key) external view returns (uint64);

    function domainSeparator() external view returns (bytes32);
    /// @notice Seconds.
    function epochLength() external view returns (uint64);
    function currentEpoch() external view returns (uint64);
    /// @notice Seconds from a batch's anchoring until it is final.
    function challengeWindow() external view returns (uint64);
    /// @notice Seconds a gateway has from an Acceptance to the anchoring.
    function anchorBy() external view returns (uint64);
    /// @notice Seconds, the greatest age of a request's clock when its batch is anchored.
    function maxAge() external view returns (uint64);
    function stakeVault() external view returns (address);
    function paymentVault() external view returns (address);
    /// @notice The dispute court, 0 where there is none.
    function court() external view returns (address);
}
