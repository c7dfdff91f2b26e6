// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {PaymentAccount} from "./PaymentAccount.sol";
import {IExecutionCoordinator} from "./interfaces/IExecutionCoordinator.sol";
import {IPaymentVault} from "./interfaces/IPaymentVault.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {MerkleSum, SumProof} from "./libraries/MerkleSum.sol";
import {BatchHeader, Messages} from "./libraries/Messages.sol";

/// @title PaymentVault
/// @notice Splits what payers pay, keeps what everyone is owed, and pays it out when asked.
/// @dev A developer's share depends on arriving payments alone, never on what a gateway anchors. A pot pays out at most
/// what it took in, whatever a gateway's earnings trees say, so no gateway can reach another one's money.
contract PaymentVault is IPaymentVault, ReentrancyGuardTransient {
    using SafeCast for uint256;
    using SafeERC20 for IERC20;

    uint256 public constant OWNER_PERCENT = 70;
    uint256 public constant GATEWAY_PERCENT = 5;
    uint256 public constant POT_PERCENT = 20;
    /// @notice The pot's share of a grant's draw; the gateway's is GATEWAY_PERCENT.
    uint256 public constant GRANT_POT_PERCENT = 90;
    /// @notice Weights are counted in 1/100 atomic USDC.
    uint256 public constant WEIGHT_SCALE = 100;
    uint64 private constant _REVOCATION_DELAY = 2;

    address public immutable usdc;
    address public immutable coordinator;
    address public immutable stakeVault;
    address public immutable court;
    address public immutable accountImplementation;
    uint64 public immutable epochLength;

    /// @inheritdoc IPaymentVault
    mapping(address account => uint256) public balanceOf;
    mapping(address gateway => Pot) private _pots;
    mapping(address gateway => mapping(address worker => Earnings)) private _earnings;
    mapping(address owner => mapping(address gateway => Grant)) private _grants;
    /// @inheritdoc IPaymentVault
    uint256 public auditPool;

    /// @param coordinator_ its address, which may be known before it has code
    /// @param court_ may be 0, where there is no dispute court
    constructor(IERC20 usdc_, address coordinator_, IStakeVault stakeVault_, address court_) {
        require(address(usdc_) != address(0) && coordinator_ != address(0), ZeroAddress());
        usdc = address(usdc_);
        coordinator = coordinator_;
        stakeVault = address(stakeVault_);
        court = court_;
        epochLength = stakeVault_.epochLength();
        accountImplementation = address(new PaymentAccount(usdc_));
    }

    // --- accounts

    /// @inheritdoc IPaymentVault
    function accountOf(address gateway, address owner) public view returns (address) {
        return Clones.predictDeterministicAddress(accountImplementation, _salt(gateway, owner));
    }

    /// @inheritdoc IPaymentVault
    function sweep(address gateway, address owner) external nonReentrant returns (uint256 amount) {
        require(gateway != address(0) && owner != address(0), ZeroAddress());
        address account = accountOf(gateway, owner);
        if (account.code.length == 0) {
            Clones.cloneDeterministic(accountImplementation, _salt(gateway, owner));
            emit AccountCreated(gateway, owner, account);
        }
        amount = PaymentAccount(account).empty();
        require(amount != 0, NothingToSweep(account));
        uint256 toOwner = amount * OWNER_PERCENT / 100;
        uint256 toGateway = amount * GATEWAY_PERCENT / 100;
        // Rounded up, so that many small payments never leave a pot short of what their leaves weigh.
        uint256 toPot = Math.ceilDiv(amount * POT_PERCENT, 100);
        uint256 toPool = amount - toOwner - toGateway - toPot;
        balanceOf[owner] += toOwner;
        balanceOf[gateway] += toGateway;
        _pots[gateway].received += toPot.toUint128();
        auditPool += toPool;
        emit Swept(gateway, owner, amount, toOwner, toGateway, toPot, toPool);
    }

    // --- pots

    /// @inheritdoc IPaymentVault
    function claim(BatchHeader calldata header, address worker, uint96 cumulative, SumProof calldata proof)
        external
        returns (uint256 amount)
    {
        address gateway = header.gateway;
        IExecutionCoordinator(coordinator).requireFinal(gateway, header.index, Messages.headerHash(header));
        _requireEarned(header, worker, cumulative, proof);
        Pot memory pot = _pots[gateway];
        uint256 covered = pot.received * WEIGHT_SCALE;
        require(header.cumulativeWeight <= covered, NotCovered(gateway, header.cumulativeWeight, covered));
        Earnings storage earned = _earnings[gateway][worker];
        uint256 before = earned.claimed;
        uint256 total = cumulative / WEIGHT_SCALE;
        require(total > before, NothingToClaim(gateway, worker, before));
        amount = total - before;
        uint256 left = pot.received - pot.paid;
        require(amount <= left, PotExhausted(gateway, amount, left));
        earned.claimed = uint128(total);
        _pots[gateway].paid = pot.paid + uint128(amount);
        emit Claimed(gateway, worker, header.index, cumulative, amount);
    }

    /// @dev The worker's leaf lies under the batch's earnings root, and that tree weighs what the header says.
    function _requireEarned(BatchHeader calldata header, address worker, uint96 cumulative, SumProof calldata proof)
        private
        pure
    {
        (bytes32 root, uint96 sum) = MerkleSum.process(MerkleSum.earningsLeaf(worker, cumulative), cumulative, proof);
        require(root == header.earningsRoot, WrongEarningsProof(root, header.earningsRoot));
        require(sum == header.cumulativeWeight, WrongEarningsSum(sum, header.cumulativeWeight));
    }

    /// @inheritdoc IPaymentVault
    function withdrawEarnings(address worker, address[] calldata gateways)
        external
        nonReentrant
        returns (uint256 amount)
    {
        require(!IStakeVault(stakeVault).isJailed(worker), WorkerJailed(worker));
        for (uint256 i = 0; i < gateways.length; ++i) {
            Earnings storage earned = _earnings[gateways[i]][worker];
            amount += earned.claimed - earned.withdrawn;
            earned.withdrawn = earned.claimed;
        }
        require(amount != 0, ZeroAmount());
        emit EarningsWithdrawn(worker, amount);
        IERC20(usdc).safeTransfer(worker, amount);
    }

    /// @inheritdoc IPaymentVault
    function addToPot(address gateway, uint128 amount) external nonReentrant {
        require(amount != 0, ZeroAmount());
        require(gateway != address(0), ZeroAddress());
        _pots[gateway].received += amount;
        emit PotIncreased(gateway, msg.sender, amount);
        IERC20(usdc).safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @inheritdoc IPaymentVault
    function addToAuditPool(uint128 amount) external nonReentrant {
        require(amount != 0, ZeroAmount());
        auditPool += amount;
        emit PoolIncreased(msg.sender, amount);
        IERC20(usdc).safeTransferFrom(msg.sender, address(this), amount);
    }

    // --- grants

    /// @inheritdoc IPaymentVault
    function grant(address gateway, uint96 amount, uint96 capPerEpoch) external nonReentrant {
        require(amount != 0 && capPerEpoch != 0, ZeroAmount());
        require(gateway != address(0), ZeroAddress());
        Grant storage g = _grants[msg.sender][gateway];
        require(g.revokedFrom == 0, GrantIsRevoked(msg.sender, gateway, g.revokedFrom));
        require(capPerEpoch >= g.capPerEpoch, GrantCapLowered(capPerEpoch, g.capPerEpoch));
        g.remaining += amount;
        g.capPerEpoch = capPerEpoch;
        emit GrantIncreased(msg.sender, gateway, amount, g.remaining, capPerEpoch);
        IERC20(usdc).safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @inheritdoc IPaymentVault
    function revokeGrant(address gateway) external {
        Grant storage g = _grants[msg.sender][gateway];
        require(g.capPerEpoch != 0, NoGrant(msg.sender, gateway));
        require(g.revokedFrom == 0, GrantIsRevoked(msg.sender, gateway, g.revokedFrom));
        g.revokedFrom = _epoch() + _REVOCATION_DELAY;
        emit GrantRevoked(msg.sender, gateway, g.revokedFrom);
    }

    /// @inheritdoc IPaymentVault
    function reclaimGrant(address gateway) external returns (uint256 amount) {
        Grant storage g = _grants[msg.sender][gateway];
        require(g.revokedFrom != 0, GrantNotRevoked(msg.sender, gateway));
        require(_epoch() >= g.revokedFrom, GrantStillInForce(_epoch(), g.revokedFrom));
        amount = g.remaining;
        delete _grants[msg.sender][gateway];
        balanceOf[msg.sender] += amount;
        emit GrantReclaimed(msg.sender, gateway, amount);
    }

    /// @inheritdoc IPaymentVault
    function drawGrant(address gateway, address owner, uint96 amount) external {
        require(amount != 0, ZeroAmount());
        IStakeVault(stakeVault).requireGateway(gateway, msg.sender);
        Grant storage g = _grants[owner][gateway];
        require(g.capPerEpoch != 0, NoGrant(owner, gateway));
        uint64 epoch = _epoch();
        require(g.revokedFrom == 0 || epoch < g.revokedFrom, GrantIsRevoked(owner, gateway, g.revokedFrom));
        uint96 drawn = g.drawnEpoch == epoch ? g.drawn : 0;
        require(amount <= g.capPerEpoch - drawn, GrantCapExceeded(amount, g.capPerEpoch - drawn));
        require(amount <= g.remaining, GrantExceeded(amount, g.remaining));
        g.remaining -= amount;
        g.drawn = drawn + amount;
        g.drawnEpoch = epoch;
        uint256 toGateway = uint256(amount) * GATEWAY_PERCENT / 100;
        uint256 toPot = Math.ceilDiv(uint256(amount) * GRANT_POT_PERCENT, 100);
        balanceOf[gateway] += toGateway;
        _pots[gateway].received += uint128(toPot);
        auditPool += amount - toGateway - toPot;
        emit GrantDrawn(owner, gateway, epoch, amount, toPot, toGateway);
    }

    // --- balances

    /// @inheritdoc IPaymentVault
    function withdraw(address to, uint256 amount) external nonReentrant {
        require(to != address(0), ZeroAddress());
        _withdraw(msg.sender, to, amount);
    }

    /// @inheritdoc IPaymentVault
    function withdrawFor(address account) external nonReentrant returns (uint256 amount) {
        amount = balanceOf[account];
        _withdraw(account, account, amount);
    }

    function _withdraw(address account, address to, uint256 amount) private {
        require(amount != 0, ZeroAmount());
        uint256 balance = balanceOf[account];
        require(amount <= balance, NotEnoughBalance(account, amount, balance));
        balanceOf[account] = balance - amount;
        emit BalanceWithdrawn(account, to, amount);
        IERC20(usdc).safeTransfer(to, amount);
    }

    // --- views

    /// @inheritdoc IPaymentVault
    function earningsOf(address gateway, address worker) external view returns (Earnings memory) {
        return _earnings[gateway][worker];
    }

    /// @inheritdoc IPaymentVault
    function claimed(address gateway, address worker) external view returns (uint256) {
        return _earnings[gateway][worker].claimed;
    }

    /// @inheritdoc IPaymentVault
    function potOf(address gateway) external view returns (Pot memory) {
        return _pots[gateway];
    }

    /// @inheritdoc IPaymentVault
    function potReceived(address gateway) external view returns (uint256) {
        return _pots[gateway].received;
    }

    /// @inheritdoc IPaymentVault
    function grantOf(address owner, address gateway) external view returns (Grant memory) {
        return _grants[owner][gateway];
    }

    /// @inheritdoc IPaymentVault
    function drawable(address owner, address gateway) external view returns (uint256) {
        Grant storage g = _grants[owner][gateway];
        uint64 epoch = _epoch();
        if (g.revokedFrom != 0 && epoch >= g.revokedFrom) return 0;
        uint256 left = g.drawnEpoch == epoch ? g.capPerEpoch - g.drawn : g.capPerEpoch;
        return Math.min(left, g.remaining);
    }

    function _epoch() private view returns (uint64) {
        return uint64(block.timestamp / epochLength);
    }

    function _salt(address gateway, address owner) private pure returns (bytes32) {
        return keccak256(abi.encode(gateway, owner));
    }
}
