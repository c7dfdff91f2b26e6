// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BatchHeader} from "../libraries/Messages.sol";
import {SumProof} from "../libraries/MerkleSum.sol";

/// @title IPaymentVault
/// @notice The money: accounts that receive payments, their split, workers' pots, grants and balances.
/// @dev All amounts are atomic USDC, all weights 1/100 of it.
interface IPaymentVault {
    /// @notice A gateway's pot for its workers.
    /// @param received all it ever took in, which is what batches are covered by
    /// @param paid all it ever paid out, never above `received`
    struct Pot {
        uint128 received;
        uint128 paid;
    }

    /// @notice A worker's pay at one gateway, in one slot: a claim writes it and the pot, nothing else.
    /// @param claimed taken from the pot so far
    /// @param withdrawn of it, paid out
    struct Earnings {
        uint128 claimed;
        uint128 withdrawn;
    }

    /// @notice What a developer pays for calls of his free functions at one gateway.
    /// @param remaining not yet drawn
    /// @param capPerEpoch what the gateway may draw in one epoch
    /// @param revokedFrom epoch from which nothing can be drawn, 0 if not revoked
    /// @param drawn in `drawnEpoch`
    struct Grant {
        uint96 remaining;
        uint96 capPerEpoch;
        uint64 revokedFrom;
        uint96 drawn;
        uint64 drawnEpoch;
    }

    event AccountCreated(address indexed gateway, address indexed owner, address account);
    event Swept(
        address indexed gateway,
        address indexed owner,
        uint256 amount,
        uint256 toOwner,
        uint256 toGateway,
        uint256 toPot,
        uint256 toPool
    );
    event PotIncreased(address indexed gateway, address indexed from, uint256 amount);
    event PoolIncreased(address indexed from, uint256 amount);
    event Claimed(address indexed gateway, address indexed worker, uint64 index, uint96 cumulative, uint256 amount);
    event EarningsWithdrawn(address indexed worker, uint256 amount);
    event BalanceWithdrawn(address indexed account, address indexed to, uint256 amount);
    event GrantIncreased(
        address indexed owner, address indexed gateway, uint256 amount, uint256 remaining, uint256 capPerEpoch
    );
    event GrantRevoked(address indexed owner, address indexed gateway, uint64 fromEpoch);
    event GrantReclaimed(address indexed owner, address indexed gateway, uint256 amount);
    event GrantDrawn(
        address indexed owner, address indexed gateway, uint64 epoch, uint256 amount, uint256 toPot, uint256 toGateway
    );

    error ZeroAmount();
    error ZeroAddress();
    error NothingToSweep(address account);
    error NotCovered(address gateway, uint256 cumulativeWeight, uint256 coveredWeight);
    error WrongEarningsProof(bytes32 root, bytes32 expected);
    /// @dev The earnings tree's sum is not the header's cumulative weight.
    error WrongEarningsSum(uint96 sum, uint96 expected);
    error NothingToClaim(address gateway, address worker, uint256 claimed);
    error PotExhausted(address gateway, uint256 amount, uint256 left);
    /// @dev A jailed worker's earnings are not paid out.
    error WorkerJailed(address worker);
    error NotEnoughBalance(address account, uint256 amount, uint256 balance);
    error GrantCapLowered(uint256 capPerEpoch, uint256 present);
    error GrantIsRevoked(address owner, address gateway, uint64 fromEpoch);
    error GrantNotRevoked(address owner, address gateway);
    error GrantStillInForce(uint64 epoch, uint64 revokedFrom);
    error GrantExceeded(uint256 amount, uint256 remaining);
    error GrantCapExceeded(uint256 amount, uint256 leftInEpoch);
    error NoGrant(address owner, address gateway);

    /// @notice Address of the account of (gateway, owner), whether it exists yet or not: x402 `payTo`.
    function accountOf(address gateway, address owner) external view returns (address);
    /// @notice Splits all that has arrived in an account: 70 % owner, 5 % gateway, 20 % pot, the rest audit pool.
    /// Anyone may call it; the account is created at the first time.
    function sweep(address gateway, address owner) external returns (uint256 amount);

    /// @notice Takes from the pot what a final, covered batch says a worker has earned in all, less what it claimed
    /// before; `withdrawEarnings` pays it out. Anyone may call it.
    function claim(BatchHeader calldata header, address worker, uint96 cumulative, SumProof calldata proof)
        external
        returns (uint256 amount);

    /// @notice Sends a worker what it has claimed at these gateways and not yet withdrawn; anyone may call it. Nothing
    /// is paid to a jailed worker.
    function withdrawEarnings(address worker, address[] calldata gateways) external returns (uint256 amount);

    /// @notice Adds the caller's USDC to a gateway's pot.
    function addToPot(address gateway, uint128 amount) external;
    /// @notice Adds the caller's USDC to the audit pool.
    function addToAuditPool(uint128 amount) external;

    /// @notice Adds `amount` to the caller's grant to a gateway. The cap can be raised, never lowered, before a
    /// revocation.
    function grant(address gateway, uint96 amount, uint96 capPerEpoch) external;
    /// @notice Ends the caller's grant from the next-but-one epoch on.
    function revokeGrant(address gateway) external;
    /// @notice Moves what is left of a revoked grant to the caller's balance.
    function reclaimGrant(address gateway) external returns (uint256 amount);
    /// @notice Draws from a grant: 90 % pot, 5 % gateway, the rest audit pool. Only the gateway or a hot key of its.
    function drawGrant(address gateway, address owner, uint96 amount) external;

    /// @notice Sends `amount` of the caller's balance to `to`.
    function withdraw(address to, uint256 amount) external;
    /// @notice Sends the whole balance of `account` to `account`; anyone may call it.
    function withdrawFor(address account) external returns (uint256 amount);

    function balanceOf(address account) external view returns (uint256);
    function earningsOf(address gateway, address worker) external view returns (Earnings memory);
    function potOf(address gateway) external view returns (Pot memory);
    function potReceived(address gateway) external view returns (uint256);
    /// @notice What a worker has claimed from a gateway's pot in all.
    function claimed(address gateway, address worker) external view returns (uint256);
    function grantOf(address owner, address gateway) external view returns (Grant memory);
    /// @notice What a gateway may draw from a grant now.
    function drawable(address owner, address gateway) external view returns (uint256);
    function auditPool() external view returns (uint256);

    function usdc() external view returns (address);
    function coordinator() external view returns (address);
    function stakeVault() external view returns (address);
    function court() external view returns (address);
    /// @notice The code behind every account.
    function accountImplementation() external view returns (address);
    function epochLength() external view returns (uint64);
}
