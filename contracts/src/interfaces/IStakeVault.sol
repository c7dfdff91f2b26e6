// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IStakeVault
/// @notice Bonds of workers and gateways, their hot keys and endpoint records.
interface IStakeVault {
    /// @param unit atomic USDC of one unit of stake
    /// @param workerMinimum units a worker bonds at least
    /// @param gatewayMinimum units a gateway bonds at least
    /// @param epochLength seconds
    /// @param unbondingPeriod seconds from the request to the withdrawal
    /// @param maxAge seconds, the greatest age of a request's clock when anchored
    /// @param challengeWindow seconds
    /// @param disputePeriod seconds that all rounds of a dispute may take
    struct Parameters {
        uint96 unit;
        uint32 workerMinimum;
        uint32 gatewayMinimum;
        uint64 epochLength;
        uint64 unbondingPeriod;
        uint64 maxAge;
        uint64 challengeWindow;
        uint64 disputePeriod;
    }

    /// @param bonded atomic USDC that counts
    /// @param unbonding atomic USDC on its way out, still liable
    /// @param withdrawableAt seconds
    /// @param locks open disputes that hold the stake
    /// @param jailed for ever
    struct Bond {
        uint96 bonded;
        uint96 unbonding;
        uint40 withdrawableAt;
        uint16 locks;
        bool jailed;
    }

    /// @notice The bond and the units that count at present; sortition sees them from epoch `fromEpoch` on.
    event UnitsChanged(address indexed owner, uint256 units, uint256 bonded, uint64 fromEpoch);
    event Staked(address indexed owner, uint256 amount);
    event UnbondingStarted(address indexed owner, uint256 amount, uint256 unbonding, uint64 withdrawableAt);
    event Withdrawn(address indexed owner, address indexed to, uint256 amount);
    event HotKeyRegistered(address indexed owner, address indexed key, uint64 fromEpoch);
    event HotKeyRevoked(address indexed owner, address indexed key, uint64 untilEpoch);
    event EndpointRecorded(address indexed owner, bytes32 digest);
    event Jailed(address indexed owner, address indexed by);
    event Slashed(address indexed owner, address indexed by, uint256 amount);
    event StakeLocked(address indexed owner, address indexed by, uint16 locks);
    event StakeUnlocked(address indexed owner, address indexed by, uint16 locks);

    error ZeroAmount();
    error BelowMinimumStake(uint256 bonded, uint256 minimum);
    error NotEnoughBonded(uint256 requested, uint256 bonded);
    error NothingToWithdraw(address owner);
    error StillUnbonding(uint256 withdrawableAt, uint256 time);
    error LockedByDispute(address owner, uint16 locks);
    error NotLocked(address owner);
    error IsJailed(address owner);
    error AlreadyJailed(address owner);
    error ZeroAddress();

    error HotKeyTaken(address key, address owner);
    error WrongKeySignature(address recovered, address key);
    error NotKeyOwner(address key, address owner, address caller);
    error KeyAlreadyRevoked(address key, uint64 untilEpoch);
    /// @dev `caller` is neither `owner` nor a hot key of his that is in force.
    error NotOperator(address owner, address caller);
    /// @dev Only the coordinator and the dispute court may do this.
    error NotArbiter(address caller);
    error InvalidParameter(string what, uint256 value);

    /// @notice Bonds `units` x unit of the caller's USDC (allowance needed).
    function stake(uint32 units) external;
    /// @notice Starts to take `amount` (atomic USDC) out. Another call while one is under way restarts the period for all.
    function unbond(uint96 amount) external;
    /// @notice Pays out what has unbonded.
    function withdraw(address to) external returns (uint256 amount);

    /// @notice Registers a hot key of the caller, for ever his, from the present epoch on.
    /// @param signature the key's own, r, s, v in 65 bytes, over the EIP-712 digest of HotKey(caller, key)
    function registerHotKey(address key, bytes calldata signature) external;
    /// @notice Ends a hot key: it acts no more at once, and signs for no later epoch.
    function revokeHotKey(address key) external;
    /// @notice Records the digest of the caller's endpoint description.
    function recordEndpoint(bytes32 digest) external;

    /// @notice Takes up to `amount` of a stake and sends it to the calling arbiter, bonded part first.
    /// @return taken what there was of it
    function slash(address owner, uint256 amount) external returns (uint256 taken);
    /// @notice Excludes an owner from selection, anchoring and the payment of earnings, for ever.
    function jail(address owner) external;
    /// @notice Holds an owner's stake while a dispute is open.
    function lockStake(address owner) external;
    function unlockStake(address owner) external;

    /// @notice Reverts with the reason unless `caller` acts for `gateway`, which has a gateway's bond and is not jailed.
    function requireGateway(address gateway, address caller) external view;
    function isWorker(address owner) external view returns (bool);
    function isGateway(address owner) external view returns (bool);
    function isJailed(address owner) external view returns (bool);
    function bondOf(address owner) external view returns (Bond memory);
    /// @notice Units that count at present (instant mode).
    function unitsOf(address owner) external view returns (uint256);
    /// @notice Units that count in sortition in `epoch`.
    function unitsAt(address owner, uint64 epoch) external view returns (uint256);
    function totalUnitsAt(uint64 epoch) external view returns (uint256);
    /// @notice Whether a unit of stake is drawn in `epoch` (protocol.md, sortition).
    function isDrawn(
        bytes32 seed,
        bytes32 purpose,
        uint256 round,
        address owner,
        uint256 unitIndex,
        uint256 seats,
        uint64 epoch
    ) external view returns (bool);

    /// @notice A key's whole history; `untilEpoch` (inclusive) is 2^64 - 1 and `revokedAt` 0 while it is in force.
    function hotKey(address key)
        external
        view
        returns (address owner, uint64 fromEpoch, uint64 untilEpoch, uint64 revokedAt);
    /// @notice Whose key it was in `epoch`, 0 if nobody's.
    function hotKeyOwnerAt(address key, uint64 epoch) external view returns (address);
    function endpointOf(address owner) external view returns (bytes32);

    function usdc() external view returns (address);
    function coordinator() external view returns (address);
    function court() external view returns (address);
    function unit() external view returns (uint96);
    function workerMinimum() external view returns (uint32);
    function gatewayMinimum() external view returns (uint32);
    function epochLength() external view returns (uint64);
    function currentEpoch() external view returns (uint64);
    function unbondingPeriod() external view returns (uint64);
    function maxAge() external view returns (uint64);
    function challengeWindow() external view returns (uint64);
    function disputePeriod() external view returns (uint64);
}
