// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ExecutionCoordinator} from "../src/ExecutionCoordinator.sol";
import {PaymentVault} from "../src/PaymentVault.sol";
import {StakeVault} from "../src/StakeVault.sol";
import {TestUSDC} from "../src/TestUSDC.sol";
import {IPaymentVault} from "../src/interfaces/IPaymentVault.sol";
import {IStakeVault} from "../src/interfaces/IStakeVault.sol";
import {BatchHeader} from "../src/libraries/Messages.sol";
import {SumProof} from "../src/libraries/MerkleSum.sol";
import {SumTreeBuilder} from "./support/SumTreeBuilder.sol";
import {Test} from "./support/Test.sol";
import {World} from "./support/World.sol";

/// @notice What people do with the contracts, honest or not, in any order. Gateways anchor whatever earnings they like.
/// @dev It keeps its own account of what was paid in and out, which the invariants compare with.
contract Handler is Test {
    uint96 private constant UNIT = 100e6;
    uint64 private constant EPOCH = 600;

    struct Anchored {
        BatchHeader header;
        address[] workers;
        uint96[] cumulative;
    }

    TestUSDC private immutable usdc;
    StakeVault private immutable stakes;
    PaymentVault private immutable payments;
    ExecutionCoordinator private immutable coordinator;
    address private immutable court;

    address[3] private gateways = [makeAddr("gateway 1"), makeAddr("gateway 2"), makeAddr("gateway 3")];
    address[3] private owners = [makeAddr("owner 1"), makeAddr("owner 2"), makeAddr("owner 3")];
    address[3] private workers = [makeAddr("worker 1"), makeAddr("worker 2"), makeAddr("worker 3")];

    Anchored[] private _anchored;
    mapping(address gateway => BatchHeader) private _last;
    mapping(address gateway => bool) private _hasBatch;

    // --- what the handler knows
    mapping(address => uint256) public staked;
    mapping(address => uint256) public slashed;
    mapping(address => uint256) public withdrawn;
    /// @dev A developer's due: 70 % of each sweep and reclaimed grants, less what he withdrew. No anchoring in it.
    mapping(address owner => uint256) public due;
    mapping(address gateway => mapping(address worker => uint256)) public highest;
    mapping(string => uint256) public calls;

    constructor(TestUSDC usdc_, StakeVault stakes_, PaymentVault payments_, ExecutionCoordinator c, address court_) {
        (usdc, stakes, payments, coordinator, court) = (usdc_, stakes_, payments_, c, court_);
    }

    // --- stake

    function stake(uint8 who, uint8 units) external {
        address a = anyone(who);
        units = uint8(bound(units, 1, 20));
        if (stakes.isJailed(a)) return;
        usdc.mint(a, uint256(units) * UNIT);
        vm.startPrank(a);
        usdc.approve(address(stakes), uint256(units) * UNIT);
        stakes.stake(units);
        vm.stopPrank();
        staked[a] += uint256(units) * UNIT;
        ++calls["stake"];
    }

    function unbond(uint8 who, uint96 amount) external {
        address a = anyone(who);
        uint256 bonded = stakes.bondOf(a).bonded;
        if (bonded == 0 || stakes.bondOf(a).locks != 0) return;
        amount = uint96(bound(amount, 1, bonded));
        if (bonded - amount < UNIT) amount = uint96(bonded);
        vm.prank(a);
        stakes.unbond(amount);
        ++calls["unbond"];
    }

    function withdrawStake(uint8 who) external {
        address a = anyone(who);
        IStakeVault.Bond memory b = stakes.bondOf(a);
        if (b.unbonding == 0 || b.locks != 0 || block.timestamp < b.withdrawableAt) return;
        vm.prank(a);
        withdrawn[a] += stakes.withdraw(a);
        ++calls["withdrawStake"];
    }

    function slash(uint8 who, uint96 amount) external {
        address a = anyone(who);
        vm.prank(court);
        slashed[a] += stakes.slash(a, bound(amount, 0, 400e6));
        ++calls["slash"];
    }

    function jail(uint8 who) external {
        // Seldom, or soon nobody would be left to do anything.
        if (who % 16 != 0) return;
        address a = anyone(who / 16);
        if (stakes.isJailed(a)) return;
        vm.prank(court);
        stakes.jail(a);
        ++calls["jail"];
    }

    function lock(uint8 who, bool on) external {
        address a = anyone(who);
        if (!on && stakes.bondOf(a).locks == 0) return;
        vm.prank(court);
        if (on) stakes.lockStake(a);
        else stakes.unlockStake(a);
    }

    // --- payments

    function pay(uint8 g, uint8 o, uint32 amount, bool andSweep) external {
        // About as much as the earnings that gateways make up, so that some pots are short.
        usdc.mint(payments.accountOf(gateways[g % 3], owners[o % 3]), bound(amount, 0, 1e8));
        if (andSweep) sweep(g, o);
    }

    function sweep(uint8 g, uint8 o) public {
        address account = payments.accountOf(gateways[g % 3], owners[o % 3]);
        uint256 amount = usdc.balanceOf(account);
        if (amount == 0) return;
        payments.sweep(gateways[g % 3], owners[o % 3]);
        due[owners[o % 3]] += amount * 70 / 100;
        ++calls["sweep"];
    }

    function addToPot(uint8 g, uint32 amount) external {
        amount = uint32(bound(amount, 1, 1e6));
        usdc.mint(address(this), amount);
        usdc.approve(address(payments), amount);
        payments.addToPot(gateways[g % 3], amount);
    }

    function withdrawBalance(uint8 who, uint256 amount) external {
        address a = who % 2 == 0 ? owners[who / 2 % 3] : gateways[who / 2 % 3];
        uint256 balance = payments.balanceOf(a);
        if (balance == 0) return;
        amount = bound(amount, 1, balance);
        vm.prank(a);
        payments.withdraw(a, amount);
        if (who % 2 == 0) due[a] -= amount;
        ++calls["withdrawBalance"];
    }

    // --- batches

    /// @dev Any earnings, also smaller than before, also without somebody who was in them.
    function anchor(uint8 g, uint256 seed, uint8 count) external {
        address gateway = gateways[g % 3];
        if (!stakes.isGateway(gateway)) return;
        Anchored storage a = _anchored.push();
        uint256 size = 1 + count % 3;
        uint256 covered = payments.potReceived(gateway) * 100;
        for (uint256 i = 0; i < size; ++i) {
            a.workers.push(workers[i]);
            // Mostly covered, and more than the pot has if the next batch names others.
            a.cumulative.push(uint96(uint256(keccak256(abi.encode(seed, i))) % (covered / 2 + 1000)));
        }
        BatchHeader memory h;
        if (_hasBatch[gateway]) {
            h.index = _last[gateway].index + 1;
            h.predecessor = keccak256(abi.encode(_last[gateway]));
        }
        h.gateway = gateway;
        h.count = 1;
        (h.earningsRoot, h.cumulativeWeight) = SumTreeBuilder.build(leavesOf(a), a.cumulative);
        vm.prank(gateway);
        coordinator.anchor(h);
        a.header = h;
        _last[gateway] = h;
        _hasBatch[gateway] = true;
        ++calls["anchor"];
    }

    /// @dev All earnings of one batch.
    function claim(uint256 which, bool andWithdraw) external {
        if (_anchored.length == 0) return;
        Anchored storage a = _anchored[which % _anchored.length];
        vm.warp(block.timestamp + 20); // over the challenge window now and then
        for (uint32 i = 0; i < a.workers.length; ++i) {
            _claim(a, i);
            if (andWithdraw) withdrawEarnings(i);
        }
    }

    function _claim(Anchored storage a, uint32 index) private {
        uint96 cumulative = a.cumulative[index];
        SumProof memory proof = SumTreeBuilder.proofOf(leavesOf(a), a.cumulative, index);
        try payments.claim(a.header, a.workers[index], cumulative, proof) {
            if (cumulative / 100 > highest[a.header.gateway][a.workers[index]]) {
                highest[a.header.gateway][a.workers[index]] = cumulative / 100;
            }
            ++calls["claim"];
        } catch {}
    }

    function withdrawEarnings(uint32 w) public {
        address[] memory all = new address[](3);
        for (uint256 i = 0; i < 3; ++i) {
            all[i] = gateways[i];
        }
        try payments.withdrawEarnings(workers[w % 3], all) {
            ++calls["withdrawEarnings"];
        } catch {}
    }

    function voidBatches(uint8 g, uint64 from) external {
        if (g % 16 != 0) return;
        from = uint64(bound(from, 0, 3));
        if (from >= coordinator.voidFrom(gateways[g / 16 % 3])) return;
        vm.prank(court);
        coordinator.voidBatches(gateways[g / 16 % 3], from);
        ++calls["voidBatches"];
    }

    // --- grants

    function grant(uint8 o, uint8 g, uint32 amount, uint32 cap) external {
        address owner = owners[o % 3];
        IPaymentVault.Grant memory present = payments.grantOf(owner, gateways[g % 3]);
        if (present.revokedFrom != 0) return;
        amount = uint32(bound(amount, 1, 1e7));
        uint96 capPerEpoch = present.capPerEpoch + uint96(cap) + 1;
        usdc.mint(owner, amount);
        vm.startPrank(owner);
        usdc.approve(address(payments), amount);
        payments.grant(gateways[g % 3], amount, capPerEpoch);
        vm.stopPrank();
        ++calls["grant"];
    }

    function drawGrant(uint8 o, uint8 g, uint96 amount) external {
        address gateway = gateways[g % 3];
        uint256 most = payments.drawable(owners[o % 3], gateway);
        if (most == 0 || !stakes.isGateway(gateway)) return;
        amount = uint96(bound(amount, 1, most));
        vm.prank(gateway);
        payments.drawGrant(gateway, owners[o % 3], amount);
        ++calls["drawGrant"];
    }

    /// @dev Revokes it, or takes it back if it was revoked, waiting for the epoch if `patient`.
    function endGrant(uint8 o, uint8 g, bool patient) external {
        address owner = owners[o % 3];
        IPaymentVault.Grant memory present = payments.grantOf(owner, gateways[g % 3]);
        if (present.capPerEpoch == 0) return;
        if (present.revokedFrom == 0) {
            vm.prank(owner);
            payments.revokeGrant(gateways[g % 3]);
            return;
        }
        if (block.timestamp / EPOCH < present.revokedFrom) {
            if (!patient) return;
            vm.warp(present.revokedFrom * EPOCH);
        }
        vm.prank(owner);
        due[owner] += payments.reclaimGrant(gateways[g % 3]);
        ++calls["reclaimGrant"];
    }

    function pass(uint16 time) external {
        vm.warp(block.timestamp + bound(time, 1, 3 * EPOCH));
    }

    // --- helpers

    function everyone() external view returns (address[] memory all) {
        all = new address[](9);
        for (uint256 i = 0; i < 3; ++i) {
            (all[i], all[3 + i], all[6 + i]) = (gateways[i], owners[i], workers[i]);
        }
    }

    /// @dev A worker or a gateway.
    function anyone(uint8 who) private view returns (address) {
        return who % 2 == 0 ? gateways[who / 2 % 3] : workers[who / 2 % 3];
    }

    function leavesOf(Anchored storage a) private view returns (bytes32[] memory) {
        return SumTreeBuilder.earningsLeaves(a.workers, a.cumulative);
    }
}

contract InvariantsTest is World {
    Handler private handler;
    address[] private everyone;

    function setUp() public override {
        super.setUp();
        handler = new Handler(usdc, stakes, payments, coordinator, court);
        everyone = handler.everyone();
        for (uint8 i = 0; i < 3; ++i) {
            handler.stake(i * 2, 6); // the gateways, or nothing could be anchored at first
        }
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev Bonds, to the last atom.
    function invariant_theStakeVaultHoldsAllBonds() public view {
        uint256 bonds;
        for (uint256 i = 0; i < everyone.length; ++i) {
            IStakeVault.Bond memory b = stakes.bondOf(everyone[i]);
            bonds += uint256(b.bonded) + b.unbonding;
        }
        assertEq(usdc.balanceOf(address(stakes)), bonds, "bonds");
    }

    /// @dev Balances, pots, earnings not yet withdrawn, grants and pool, to the last atom.
    function invariant_thePaymentVaultHoldsAllItOwes() public view {
        uint256 owed = payments.auditPool();
        for (uint256 i = 0; i < everyone.length; ++i) {
            address a = everyone[i];
            owed += payments.balanceOf(a);
            IPaymentVault.Pot memory pot = payments.potOf(a);
            owed += pot.received - pot.paid;
            for (uint256 j = 0; j < everyone.length; ++j) {
                IPaymentVault.Earnings memory e = payments.earningsOf(a, everyone[j]);
                owed += e.claimed - e.withdrawn;
                owed += payments.grantOf(a, everyone[j]).remaining;
            }
        }
        assertEq(usdc.balanceOf(address(payments)), owed, "owed");
    }

    function invariant_aPotPaysAtMostWhatItTookIn() public view {
        for (uint256 i = 0; i < everyone.length; ++i) {
            IPaymentVault.Pot memory pot = payments.potOf(everyone[i]);
            assertLe(pot.paid, pot.received, "pot");
            uint256 claimed;
            for (uint256 j = 0; j < everyone.length; ++j) {
                claimed += payments.claimed(everyone[i], everyone[j]);
            }
            assertEq(claimed, pot.paid, "claims come from the pot");
        }
    }

    /// @dev What a worker got in all is the highest cumulative it ever showed: no leaf twice.
    function invariant_aCumulativeIsPaidOnce() public view {
        for (uint256 i = 0; i < 3; ++i) {
            for (uint256 j = 6; j < 9; ++j) {
                uint256 highest = handler.highest(everyone[i], everyone[j]);
                assertEq(payments.claimed(everyone[i], everyone[j]), highest, "claimed");
            }
        }
    }

    /// @dev Sweeps and his own grants alone: whatever gateways anchor, however often workers claim.
    function invariant_aDevelopersBalanceDependsOnPaymentsAlone() public view {
        for (uint256 i = 3; i < 6; ++i) {
            assertEq(payments.balanceOf(everyone[i]), handler.due(everyone[i]), "developer");
        }
    }

    function invariant_noSlashAboveTheStake() public view {
        for (uint256 i = 0; i < everyone.length; ++i) {
            address a = everyone[i];
            IStakeVault.Bond memory b = stakes.bondOf(a);
            assertEq(
                uint256(b.bonded) + b.unbonding + handler.slashed(a) + handler.withdrawn(a), handler.staked(a), "stake"
            );
        }
    }

    function invariant_checkpointsAddUp() public view {
        uint64 counts = stakes.currentEpoch() + 2;
        uint256 total;
        for (uint256 i = 0; i < everyone.length; ++i) {
            assertEq(stakes.unitsAt(everyone[i], counts), stakes.unitsOf(everyone[i]), "units");
            total += stakes.unitsOf(everyone[i]);
        }
        assertEq(stakes.totalUnitsAt(counts), total, "total");
    }
}
