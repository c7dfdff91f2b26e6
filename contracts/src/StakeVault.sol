// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {IExecutionCoordinator} from "./interfaces/IExecutionCoordinator.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {HotKey, Messages} from "./libraries/Messages.sol";
import {Sortition} from "./libraries/Sortition.sol";

/// @title StakeVault
/// @notice What workers and gateways lose if they cheat, and which keys speak for them.
/// @dev One bond per address serves both roles; they differ in the least it must hold. Stake leaves in three ways only:
/// to its owner after unbonding, or to the coordinator or the court by a slash.
contract StakeVault is IStakeVault, ReentrancyGuardTransient {
    using Checkpoints for Checkpoints.Trace208;
    using SafeCast for uint256;
    using SafeERC20 for IERC20;

    struct KeyRecord {
        address owner;
        uint48 fromEpoch;
        uint48 revokedAt;
    }

    /// @dev A change counts from the next-but-one epoch: nobody can stake for a draw whose seed he can foresee.
    uint64 private constant _DELAY = 2;

    address public immutable usdc;
    address public immutable coordinator;
    address public immutable court;
    uint96 public immutable unit;
    uint32 public immutable workerMinimum;
    uint32 public immutable gatewayMinimum;
    uint64 public immutable epochLength;
    uint64 public immutable unbondingPeriod;
    uint64 public immutable maxAge;
    uint64 public immutable challengeWindow;
    uint64 public immutable disputePeriod;

    mapping(address owner => Bond) private _bonds;
    mapping(address owner => Checkpoints.Trace208) private _units;
    Checkpoints.Trace208 private _totalUnits;
    mapping(address key => KeyRecord) private _keys;
    /// @inheritdoc IStakeVault
    mapping(address owner => bytes32) public endpointOf;

    modifier onlyArbiter() {
        require(msg.sender == coordinator || (msg.sender == court && court != address(0)), NotArbiter(msg.sender));
        _;
    }

    /// @param coordinator_ its address, known before it has code
    /// @param court_ may be 0: then only the coordinator may slash and jail
    constructor(IERC20 usdc_, address coordinator_, address court_, Parameters memory p) {
        require(address(usdc_) != address(0) && coordinator_ != address(0), ZeroAddress());
        require(p.unit != 0, InvalidParameter("unit", p.unit));
        require(p.workerMinimum != 0, InvalidParameter("workerMinimum", p.workerMinimum));
        require(p.gatewayMinimum >= p.workerMinimum, InvalidParameter("gatewayMinimum", p.gatewayMinimum));
        require(p.epochLength != 0, InvalidParameter("epochLength", p.epochLength));
        require(p.maxAge != 0, InvalidParameter("maxAge", p.maxAge));
        require(p.challengeWindow != 0, InvalidParameter("challengeWindow", p.challengeWindow));
        // Whoever leaves stays liable until the last dispute about his last receipt must be over (F11: end of the
        // receipt's epoch + maxAge + window), and until no draw counts his units any more.
        uint256 liable = uint256(p.epochLength) + p.maxAge + p.challengeWindow + p.disputePeriod;
        require(
            p.unbondingPeriod > liable && p.unbondingPeriod > _DELAY * p.epochLength,
            InvalidParameter("unbondingPeriod", p.unbondingPeriod)
        );
        usdc = address(usdc_);
        coordinator = coordinator_;
        court = court_;
        unit = p.unit;
        workerMinimum = p.workerMinimum;
        gatewayMinimum = p.gatewayMinimum;
        epochLength = p.epochLength;
        unbondingPeriod = p.unbondingPeriod;
        maxAge = p.maxAge;
        challengeWindow = p.challengeWindow;
        disputePeriod = p.disputePeriod;
    }

    // --- stake

    /// @inheritdoc IStakeVault
    function stake(uint32 units) external nonReentrant {
        require(units != 0, ZeroAmount());
        Bond storage bond = _bonds[msg.sender];
        require(!bond.jailed, IsJailed(msg.sender));
        uint256 amount = uint256(units) * unit;
        uint256 bonded = bond.bonded + amount;
        _requireMinimum(bonded);
        uint256 before = _unitsOf(bond);
        bond.bonded = bonded.toUint96();
        emit Staked(msg.sender, amount);
        _unitsChanged(msg.sender, bond, before);
        IERC20(usdc).safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @inheritdoc IStakeVault
    function unbond(uint96 amount) external {
        require(amount != 0, ZeroAmount());
        Bond storage bond = _bonds[msg.sender];
        require(bond.locks == 0, LockedByDispute(msg.sender, bond.locks));
        uint256 bonded = bond.bonded;
        require(amount <= bonded, NotEnoughBonded(amount, bonded));
        bonded -= amount;
        if (bonded != 0) _requireMinimum(bonded);
        uint256 before = _unitsOf(bond);
        uint256 withdrawableAt = block.timestamp + unbondingPeriod;
        bond.bonded = uint96(bonded);
        bond.unbonding += amount;
        bond.withdrawableAt = withdrawableAt.toUint40();
        emit UnbondingStarted(msg.sender, amount, bond.unbonding, uint64(withdrawableAt));
        _unitsChanged(msg.sender, bond, before);
    }

    /// @inheritdoc IStakeVault
    function withdraw(address to) external nonReentrant returns (uint256 amount) {
        require(to != address(0), ZeroAddress());
        Bond storage bond = _bonds[msg.sender];
        amount = bond.unbonding;
        require(amount != 0, NothingToWithdraw(msg.sender));
        require(bond.locks == 0, LockedByDispute(msg.sender, bond.locks));
        require(block.timestamp >= bond.withdrawableAt, StillUnbonding(bond.withdrawableAt, block.timestamp));
        bond.unbonding = 0;
        emit Withdrawn(msg.sender, to, amount);
        IERC20(usdc).safeTransfer(to, amount);
    }

    // --- keys and endpoints

    /// @inheritdoc IStakeVault
    function registerHotKey(address key, bytes calldata signature) external {
        address owner = _keys[key].owner;
        require(owner == address(0), HotKeyTaken(key, owner));
        bytes32 digest = MessageHashUtils.toTypedDataHash(
            IExecutionCoordinator(coordinator).domainSeparator(),
            Messages.structHash(HotKey({owner: msg.sender, key: key}))
        );
        address recovered = ECDSA.recoverCalldata(digest, signature);
        require(recovered == key, WrongKeySignature(recovered, key));
        uint64 epoch = currentEpoch();
        _keys[key] = KeyRecord({owner: msg.sender, fromEpoch: uint48(epoch), revokedAt: 0});
        emit HotKeyRegistered(msg.sender, key, epoch);
    }

    /// @inheritdoc IStakeVault
    function revokeHotKey(address key) external {
        KeyRecord storage record = _keys[key];
        require(record.owner == msg.sender, NotKeyOwner(key, record.owner, msg.sender));
        require(record.revokedAt == 0, KeyAlreadyRevoked(key, uint64(record.revokedAt / epochLength)));
        record.revokedAt = uint48(block.timestamp);
        emit HotKeyRevoked(msg.sender, key, currentEpoch());
    }

    /// @inheritdoc IStakeVault
    function recordEndpoint(bytes32 digest) external {
        endpointOf[msg.sender] = digest;
        emit EndpointRecorded(msg.sender, digest);
    }

    // --- penalties

    /// @inheritdoc IStakeVault
    function slash(address owner, uint256 amount) external onlyArbiter nonReentrant returns (uint256 taken) {
        Bond storage bond = _bonds[owner];
        uint256 before = _unitsOf(bond);
        uint256 fromBonded = amount < bond.bonded ? amount : bond.bonded;
        uint256 rest = amount - fromBonded;
        uint256 fromUnbonding = rest < bond.unbonding ? rest : bond.unbonding;
        bond.bonded -= uint96(fromBonded);
        bond.unbonding -= uint96(fromUnbonding);
        taken = fromBonded + fromUnbonding;
        emit Slashed(owner, msg.sender, taken);
        if (fromBonded != 0) _unitsChanged(owner, bond, before);
        if (taken != 0) IERC20(usdc).safeTransfer(msg.sender, taken);
    }

    /// @inheritdoc IStakeVault
    function jail(address owner) external onlyArbiter {
        Bond storage bond = _bonds[owner];
        require(!bond.jailed, AlreadyJailed(owner));
        uint256 before = _unitsOf(bond);
        bond.jailed = true;
        emit Jailed(owner, msg.sender);
        _unitsChanged(owner, bond, before);
    }

    /// @inheritdoc IStakeVault
    function lockStake(address owner) external onlyArbiter {
        uint16 locks = ++_bonds[owner].locks;
        emit StakeLocked(owner, msg.sender, locks);
    }

    /// @inheritdoc IStakeVault
    function unlockStake(address owner) external onlyArbiter {
        Bond storage bond = _bonds[owner];
        require(bond.locks != 0, NotLocked(owner));
        uint16 locks = --bond.locks;
        emit StakeUnlocked(owner, msg.sender, locks);
    }

    // --- views

    /// @inheritdoc IStakeVault
    function requireGateway(address gateway, address caller) external view {
        if (caller != gateway) {
            KeyRecord storage record = _keys[caller];
            require(record.owner == gateway && record.revokedAt == 0, NotOperator(gateway, caller));
        }
        Bond storage bond = _bonds[gateway];
        require(!bond.jailed, IsJailed(gateway));
        uint256 minimum = uint256(gatewayMinimum) * unit;
        require(bond.bonded >= minimum, BelowMinimumStake(bond.bonded, minimum));
    }

    /// @inheritdoc IStakeVault
    function isWorker(address owner) external view returns (bool) {
        return _unitsOf(_bonds[owner]) >= workerMinimum;
    }

    /// @inheritdoc IStakeVault
    function isGateway(address owner) external view returns (bool) {
        return _unitsOf(_bonds[owner]) >= gatewayMinimum;
    }

    /// @inheritdoc IStakeVault
    function isJailed(address owner) external view returns (bool) {
        return _bonds[owner].jailed;
    }

    /// @inheritdoc IStakeVault
    function bondOf(address owner) external view returns (Bond memory) {
        return _bonds[owner];
    }

    /// @inheritdoc IStakeVault
    function unitsOf(address owner) external view returns (uint256) {
        return _unitsOf(_bonds[owner]);
    }

    /// @inheritdoc IStakeVault
    function unitsAt(address owner, uint64 epoch) public view returns (uint256) {
        return _units[owner].upperLookupRecent(uint256(epoch).toUint48());
    }

    /// @inheritdoc IStakeVault
    function totalUnitsAt(uint64 epoch) public view returns (uint256) {
        return _totalUnits.upperLookupRecent(uint256(epoch).toUint48());
    }

    /// @inheritdoc IStakeVault
    function isDrawn(
        bytes32 seed,
        bytes32 purpose,
        uint256 round,
        address owner,
        uint256 unitIndex,
        uint256 seats,
        uint64 epoch
    ) external view returns (bool) {
        return unitIndex < unitsAt(owner, epoch)
            && Sortition.drawn(seed, purpose, round, owner, unitIndex, seats, totalUnitsAt(epoch));
    }

    /// @inheritdoc IStakeVault
    function hotKey(address key)
        external
        view
        returns (address owner, uint64 fromEpoch, uint64 untilEpoch, uint64 revokedAt)
    {
        KeyRecord storage record = _keys[key];
        return (record.owner, record.fromEpoch, _untilEpoch(record), record.revokedAt);
    }

    /// @inheritdoc IStakeVault
    function hotKeyOwnerAt(address key, uint64 epoch) external view returns (address) {
        KeyRecord storage record = _keys[key];
        return epoch >= record.fromEpoch && epoch <= _untilEpoch(record) ? record.owner : address(0);
    }

    /// @inheritdoc IStakeVault
    function currentEpoch() public view returns (uint64) {
        return uint64(block.timestamp / epochLength);
    }

    // --- inside

    function _untilEpoch(KeyRecord storage record) private view returns (uint64) {
        return record.revokedAt == 0 ? type(uint64).max : uint64(record.revokedAt / epochLength);
    }

    function _requireMinimum(uint256 bonded) private view {
        uint256 minimum = uint256(workerMinimum) * unit;
        require(bonded >= minimum, BelowMinimumStake(bonded, minimum));
    }

    function _unitsOf(Bond storage bond) private view returns (uint256) {
        return bond.jailed ? 0 : bond.bonded / unit;
    }

    function _unitsChanged(address owner, Bond storage bond, uint256 before) private {
        uint256 units = _unitsOf(bond);
        uint64 fromEpoch = currentEpoch() + _DELAY;
        if (units != before) {
            _units[owner].push(uint48(fromEpoch), units.toUint208());
            _totalUnits.push(uint48(fromEpoch), (_totalUnits.latest() + units - before).toUint208());
        }
        emit UnitsChanged(owner, units, bond.bonded, fromEpoch);
    }
}
