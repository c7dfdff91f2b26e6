// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IExecutionCoordinator} from "./interfaces/IExecutionCoordinator.sol";
import {IPaymentVault} from "./interfaces/IPaymentVault.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {BatchHeader, Deployment, FunctionSpec, Messages} from "./libraries/Messages.sol";

/// @title ExecutionCoordinator
/// @notice Who registered which code at which price, and which results were given.
/// @dev Nobody owns it and nothing in it can be changed. It is deployed last and checks that the two vaults name it, so
/// the addresses that depend on each other are settled by prediction, without a setter.
contract ExecutionCoordinator is IExecutionCoordinator, EIP712 {
    /// @dev Keeps every sum of weights (20 x price each) far below 2^96.
    uint128 public constant MAX_PRICE = type(uint64).max;
    uint8 private constant _CLASSES = 3;

    uint64 public immutable epochLength;
    uint64 public immutable challengeWindow;
    uint64 public immutable anchorBy;
    uint64 public immutable maxAge;
    address public immutable stakeVault;
    address public immutable paymentVault;
    address public immutable court;

    /// @inheritdoc IExecutionCoordinator
    mapping(bytes32 serviceId => uint32) public latestVersion;
    /// @inheritdoc IExecutionCoordinator
    mapping(bytes32 serviceId => mapping(uint32 version => bytes32)) public specCommitment;
    mapping(address owner => mapping(bytes32 projectHash => uint64)) private _nonces;
    mapping(address owner => mapping(bytes32 projectHash => mapping(address key => uint64 until))) private _deployKeys;

    /// @dev In one slot, because every batch pays for it: 224 bits of the header's hash (112 bits of work for a gateway
    /// that looks for two headers of one batch) and 32 bits of its time (until 2106).
    struct Batch {
        bytes28 headerHash;
        uint32 anchoredAt;
    }

    mapping(address gateway => mapping(uint64 index => Batch)) private _batches;
    /// @dev One more than the first void index; 0 if none is void.
    mapping(address gateway => uint256) private _voidFromPlusOne;

    /// @param court_ may be 0: then nobody can void a batch
    /// @param anchorBy_ seconds; `maxAge` must be longer, so that a promise that is kept is never too old
    constructor(IStakeVault stakeVault_, IPaymentVault paymentVault_, address court_, uint64 anchorBy_)
        EIP712("PeerHost", "1")
    {
        require(stakeVault_.coordinator() == address(this), ContractsMismatch("StakeVault.coordinator"));
        require(paymentVault_.coordinator() == address(this), ContractsMismatch("PaymentVault.coordinator"));
        require(paymentVault_.stakeVault() == address(stakeVault_), ContractsMismatch("PaymentVault.stakeVault"));
        require(paymentVault_.usdc() == stakeVault_.usdc(), ContractsMismatch("usdc"));
        require(stakeVault_.court() == court_, ContractsMismatch("StakeVault.court"));
        require(paymentVault_.court() == court_, ContractsMismatch("PaymentVault.court"));
        require(anchorBy_ != 0 && anchorBy_ < stakeVault_.maxAge(), InvalidParameter("anchorBy", anchorBy_));
        stakeVault = address(stakeVault_);
        paymentVault = address(paymentVault_);
        court = court_;
        epochLength = stakeVault_.epochLength();
        challengeWindow = stakeVault_.challengeWindow();
        maxAge = stakeVault_.maxAge();
        anchorBy = anchorBy_;
    }

    // --- registry

    /// @inheritdoc IExecutionCoordinator
    function deploy(string calldata project, FunctionSpec[] calldata specs) external {
        _deploy(msg.sender, project, specs);
    }

    /// @inheritdoc IExecutionCoordinator
    function deployFor(Deployment calldata deployment, FunctionSpec[] calldata specs, bytes calldata signature)
        external
    {
        address owner = deployment.owner;
        bytes32 projectHash = keccak256(bytes(deployment.project));
        require(block.timestamp <= deployment.deadline, DeploymentExpired(deployment.deadline, block.timestamp));
        uint64 nonce = _nonces[owner][projectHash]++;
        require(deployment.nonce == nonce, WrongDeploymentNonce(deployment.nonce, nonce));
        bytes32 specsHash = Messages.specsHash(specs);
        require(deployment.specsHash == specsHash, WrongSpecsHash(deployment.specsHash, specsHash));
        address signer = ECDSA.recoverCalldata(_hashTypedDataV4(Messages.structHash(deployment)), signature);
        require(
            signer == owner || block.timestamp <= _deployKeys[owner][projectHash][signer],
            UnauthorizedDeployer(signer, owner)
        );
        _deploy(owner, deployment.project, specs);
    }

    /// @inheritdoc IExecutionCoordinator
    function setDeployKey(string calldata project, address key, uint64 until) external {
        _deployKeys[msg.sender][keccak256(bytes(project))][key] = until;
        emit DeployKeySet(msg.sender, key, project, until);
    }

    function _deploy(address owner, string calldata project, FunctionSpec[] calldata specs) private {
        require(specs.length != 0, NoFunctions());
        for (uint256 i = 0; i < specs.length; ++i) {
            FunctionSpec calldata spec = specs[i];
            require(bytes(spec.name).length != 0, EmptyName(i));
            require(spec.class < _CLASSES, UnknownClass(spec.name, spec.class));
            require(spec.price <= MAX_PRICE, PriceTooHigh(spec.name, spec.price, MAX_PRICE));
            bytes32 serviceId = Messages.serviceId(owner, project, spec.name);
            uint32 version = latestVersion[serviceId] + 1;
            require(spec.codeDigest != 0 || version != 1, NothingToRetire(spec.name));
            latestVersion[serviceId] = version;
            specCommitment[serviceId][version] = Messages.commitment(spec);
            emit FunctionDeployed(owner, serviceId, project, version, spec);
        }
    }

    // --- batches

    /// @inheritdoc IExecutionCoordinator
    function anchor(BatchHeader calldata header) external returns (bytes32 headerHash) {
        IStakeVault(stakeVault).requireGateway(header.gateway, msg.sender);
        require(header.count != 0, EmptyBatch());
        require(header.reserved == 0, ReservedNotZero(header.reserved));
        mapping(uint64 index => Batch) storage batches = _batches[header.gateway];
        uint64 index = header.index;
        if (index == 0) {
            require(header.predecessor == 0, WrongPredecessor(header.predecessor, 0));
        } else {
            Batch memory before = batches[index - 1];
            require(
                before.anchoredAt != 0 && before.headerHash == bytes28(header.predecessor),
                WrongPredecessor(header.predecessor, before.headerHash)
            );
        }
        require(batches[index].anchoredAt == 0, BatchExists(header.gateway, index));
        headerHash = Messages.headerHash(header);
        batches[index] = Batch({headerHash: bytes28(headerHash), anchoredAt: uint32(block.timestamp)});
        emit BatchAnchored(header.gateway, index, headerHash, header);
    }

    /// @inheritdoc IExecutionCoordinator
    function voidBatches(address gateway, uint64 fromIndex) external {
        require(msg.sender == court, NotCourt(msg.sender));
        uint256 present = _voidFromPlusOne[gateway];
        require(present == 0 || fromIndex < present - 1, AlreadyVoid(gateway, voidFrom(gateway)));
        _voidFromPlusOne[gateway] = uint256(fromIndex) + 1;
        emit BatchesVoided(gateway, fromIndex);
        if (!IStakeVault(stakeVault).isJailed(gateway)) IStakeVault(stakeVault).jail(gateway);
    }

    /// @inheritdoc IExecutionCoordinator
    function requireFinal(address gateway, uint64 index, bytes32 headerHash) external view {
        Batch memory batch = _batches[gateway][index];
        require(batch.anchoredAt != 0 && batch.headerHash == bytes28(headerHash), UnknownBatch(headerHash));
        uint256 plusOne = _voidFromPlusOne[gateway];
        require(plusOne == 0 || index < plusOne - 1, BatchVoid(gateway, index, voidFrom(gateway)));
        uint256 finalAt = batch.anchoredAt + challengeWindow;
        require(block.timestamp > finalAt, BatchNotFinal(gateway, index, finalAt));
    }

    /// @inheritdoc IExecutionCoordinator
    function isFinal(address gateway, uint64 index, bytes32 headerHash) external view returns (bool) {
        Batch memory batch = _batches[gateway][index];
        return batch.anchoredAt != 0 && batch.headerHash == bytes28(headerHash) && index < voidFrom(gateway)
            && block.timestamp > batch.anchoredAt + challengeWindow;
    }

    // --- views

    /// @inheritdoc IExecutionCoordinator
    function batchOf(address gateway, uint64 index) external view returns (bytes28 headerHash, uint32 anchoredAt) {
        Batch storage batch = _batches[gateway][index];
        return (batch.headerHash, batch.anchoredAt);
    }

    /// @inheritdoc IExecutionCoordinator
    function voidFrom(address gateway) public view returns (uint64) {
        uint256 plusOne = _voidFromPlusOne[gateway];
        return plusOne == 0 ? type(uint64).max : uint64(plusOne - 1);
    }

    /// @inheritdoc IExecutionCoordinator
    function serviceIdOf(address owner, string calldata project, string calldata name)
        external
        pure
        returns (bytes32)
    {
        return Messages.serviceId(owner, project, name);
    }

    /// @inheritdoc IExecutionCoordinator
    function nonces(address owner, string calldata project) external view returns (uint64) {
        return _nonces[owner][keccak256(bytes(project))];
    }

    /// @inheritdoc IExecutionCoordinator
    function deployKeys(address owner, string calldata project, address key) external view returns (uint64) {
        return _deployKeys[owner][keccak256(bytes(project))][key];
    }

    /// @inheritdoc IExecutionCoordinator
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @inheritdoc IExecutionCoordinator
    function currentEpoch() external view returns (uint64) {
        return uint64(block.timestamp / epochLength);
    }
}
