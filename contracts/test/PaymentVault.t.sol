// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {PaymentAccount} from "../src/PaymentAccount.sol";
import {PaymentVault} from "../src/PaymentVault.sol";
import {IExecutionCoordinator} from "../src/interfaces/IExecutionCoordinator.sol";
import {IPaymentVault} from "../src/interfaces/IPaymentVault.sol";
import {IStakeVault} from "../src/interfaces/IStakeVault.sol";
import {BatchHeader} from "../src/libraries/Messages.sol";
import {MerkleSum, SumProof} from "../src/libraries/MerkleSum.sol";
import {SumTreeBuilder} from "./support/SumTreeBuilder.sol";
import {World} from "./support/World.sol";

contract PaymentVaultTest is World {
    address private worker = makeAddr("worker");

    // --- accounts

    function test_fuzz_sweepSplitsWhateverArrived(uint96 amount, address who, address serviceOwner) public {
        amount = uint96(bound(amount, 1, 1e18));
        vm.assume(who != address(0) && serviceOwner != address(0) && who != serviceOwner);
        address account = payments.accountOf(who, serviceOwner);
        assertEq(account.code.length, 0, "no code yet");
        usdc.mint(account, amount);
        vm.prank(stranger);
        assertEq(payments.sweep(who, serviceOwner), amount, "swept");
        uint256 toOwner = uint256(amount) * 70 / 100;
        uint256 toGateway = uint256(amount) * 5 / 100;
        uint256 toPot = (uint256(amount) * 20 + 99) / 100;
        assertEq(payments.balanceOf(serviceOwner), toOwner, "70 % to the owner");
        assertEq(payments.balanceOf(who), toGateway, "5 % to the gateway");
        assertEq(payments.potReceived(who), toPot, "20 % to the pot");
        assertEq(payments.auditPool(), amount - toOwner - toGateway - toPot, "the rest to the pool");
        assertEq(usdc.balanceOf(account), 0, "the account is empty");
        assertEq(usdc.balanceOf(address(payments)), amount, "the vault holds it");
        assertTrue(account.code.length != 0, "the account exists");
    }

    /// @dev However payments are swept, the pot is never short of 20 % of them.
    function test_fuzz_manySmallSweepsKeepThePotWhole(uint8[16] memory prices) public {
        uint256 total;
        for (uint256 i = 0; i < prices.length; ++i) {
            if (prices[i] == 0) continue;
            pay(gateway, owner, prices[i]);
            total += prices[i];
        }
        assertTrue(payments.potReceived(gateway) * 100 >= total * 20, "covered");
    }

    function test_sweepNeedsMoneyAndParties() public {
        address account = payments.accountOf(gateway, owner);
        vm.expectRevert(abi.encodeWithSelector(IPaymentVault.NothingToSweep.selector, account));
        payments.sweep(gateway, owner);
        vm.expectRevert(abi.encodeWithSelector(IPaymentVault.ZeroAddress.selector));
        payments.sweep(address(0), owner);
        vm.expectRevert(abi.encodeWithSelector(IPaymentVault.ZeroAddress.selector));
        payments.sweep(gateway, address(0));
    }

    function test_fuzz_onlyTheVaultEmptiesAccounts(address caller) public {
        vm.assume(caller != address(payments));
        pay(gateway, owner, 100);
        PaymentAccount account = PaymentAccount(payments.accountOf(gateway, owner));
        vm.prank(caller);
        vm.expectRevert(abi.encodeWithSelector(PaymentAccount.NotVault.selector, caller));
        account.empty();
    }

    // --- claims

    struct Claim {
        uint96 cumulative;
        uint96 paidIn;
        bool otherWorker;
        bool wrongSum;
        bool early;
        bool unknown;
    }

    function test_fuzz_claim(Claim memory c) public {
        bond(gateway, 5);
        c.cumulative = uint96(bound(c.cumulative, 0, 1e12));
        c.paidIn = uint96(bound(c.paidIn, 1, 1e11));
        pay(gateway, owner, c.paidIn);
        BatchHeader memory h = firstHeader(gateway);
        SumProof memory proof = earn(h, worker, c.cumulative);
        uint96 sum = h.cumulativeWeight;
        if (c.wrongSum) h.cumulativeWeight = sum + 1;
        if (!c.unknown) anchor(h);
        if (!c.early) vm.warp(block.timestamp + WINDOW + 1);

        uint256 pot = payments.potReceived(gateway);
        bool fails = true;
        if (c.unknown) {
            vm.expectRevert(abi.encodeWithSelector(IExecutionCoordinator.UnknownBatch.selector, hashOf(h)));
        } else if (c.early) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    IExecutionCoordinator.BatchNotFinal.selector, gateway, 0, block.timestamp + WINDOW
                )
            );
        } else if (c.otherWorker) {
            bytes32 root = MerkleSum.rootOf(1, MerkleSum.earningsLeaf(stranger, c.cumulative), c.cumulative);
            vm.expectRevert(abi.encodeWithSelector(IPaymentVault.WrongEarningsProof.selector, root, h.earningsRoot));
        } else if (c.wrongSum) {
            vm.expectRevert(abi.encodeWithSelector(IPaymentVault.WrongEarningsSum.selector, sum, sum + 1));
        } else if (c.cumulative > pot * 100) {
            vm.expectRevert(
                abi.encodeWithSelector(IPaymentVault.NotCovered.selector, gateway, c.cumulative, pot * 100)
            );
        } else if (c.cumulative < 100) {
            vm.expectRevert(abi.encodeWithSelector(IPaymentVault.NothingToClaim.selector, gateway, worker, 0));
        } else {
            fails = false;
        }
        vm.prank(stranger);
        payments.claim(h, c.otherWorker ? stranger : worker, c.cumulative, proof);
        if (fails) return;
        assertEq(payments.claimed(gateway, worker), c.cumulative / 100, "claimed");
        assertEq(payments.potOf(gateway).paid, c.cumulative / 100, "from the pot");
        address[] memory gateways = new address[](1);
        gateways[0] = gateway;
        vm.prank(stranger);
        payments.withdrawEarnings(worker, gateways);
        assertEq(usdc.balanceOf(worker), c.cumulative / 100, "paid out");
    }

    function test_aCumulativeIsPaidOnce() public {
        bond(gateway, 5);
        pay(gateway, owner, 1e6);
        BatchHeader memory h = firstHeader(gateway);
        SumProof memory proof = earn(h, worker, 100_000);
        anchor(h);
        BatchHeader memory second = next(h);
        SumProof memory later = earn(second, worker, 250_050);
        anchor(second);
        vm.warp(block.timestamp + WINDOW + 1);
        assertEq(payments.claim(h, worker, 100_000, proof), 1000, "first");
        vm.expectRevert(abi.encodeWithSelector(IPaymentVault.NothingToClaim.selector, gateway, worker, 1000));
        payments.claim(h, worker, 100_000, proof);
        assertEq(payments.claim(second, worker, 250_050, later), 1500, "the difference");
        vm.expectRevert(abi.encodeWithSelector(IPaymentVault.NothingToClaim.selector, gateway, worker, 2500));
        payments.claim(h, worker, 100_000, proof);
    }

    function test_anEarlierCoveredBatchStaysClaimable() public {
        bond(gateway, 5);
        pay(gateway, owner, 1000);
        BatchHeader memory h = firstHeader(gateway);
        SumProof memory proof = earn(h, worker, 20_000);
        anchor(h);
        BatchHeader memory second = next(h);
        SumProof memory later = earn(second, worker, 20_001);
        anchor(second);
        vm.warp(block.timestamp + WINDOW + 1);
        vm.expectRevert(abi.encodeWithSelector(IPaymentVault.NotCovered.selector, gateway, 20_001, 20_000));
        payments.claim(second, worker, 20_001, later);
        assertEq(payments.claim(h, worker, 20_000, proof), 200, "what is covered");
    }

    /// @dev A gateway that drops a worker from its tree and names another one gains nothing beyond its own pot.
    function test_aLyingGatewayCannotOverdrawItsPot() public {
        bond(gateway, 5);
        pay(gateway, owner, 1000);
        pay(stranger, owner, 1e9);
        BatchHeader memory h = firstHeader(gateway);
        SumProof memory proof = earn(h, worker, 20_000);
        anchor(h);
        BatchHeader memory second = next(h);
        SumProof memory accomplice = earn(second, stranger, 20_000);
        anchor(second);
        vm.warp(block.timestamp + WINDOW + 1);
        payments.claim(h, worker, 20_000, proof);
        vm.expectRevert(abi.encodeWithSelector(IPaymentVault.PotExhausted.selector, gateway, 200, 0));
        payments.claim(second, stranger, 20_000, accomplice);
    }

    function test_aVoidBatchPaysNothing() public {
        bond(gateway, 5);
        pay(gateway, owner, 1e6);
        BatchHeader memory h = firstHeader(gateway);
        SumProof memory proof = earn(h, worker, 100_000);
        anchor(h);
        vm.prank(court);
        coordinator.voidBatches(gateway, 0);
        vm.warp(block.timestamp + WINDOW + 1);
        vm.expectRevert(abi.encodeWithSelector(IExecutionCoordinator.BatchVoid.selector, gateway, 0, 0));
        payments.claim(h, worker, 100_000, proof);
    }

    function test_fuzz_eachOfManyWorkersClaimsHisOwn(uint96[7] memory weights, uint8 which) public {
        bond(gateway, 5);
        uint256 count = 1 + which % 7;
        address[] memory workers = new address[](count);
        uint96[] memory cumulative = new uint96[](count);
        for (uint256 i = 0; i < count; ++i) {
            workers[i] = address(uint160(1000 + i));
            cumulative[i] = uint96(bound(weights[i], 100, 1e9));
        }
        bytes32[] memory leaves = SumTreeBuilder.earningsLeaves(workers, cumulative);
        BatchHeader memory h = firstHeader(gateway);
        (h.earningsRoot, h.cumulativeWeight) = SumTreeBuilder.build(leaves, cumulative);
        pay(gateway, owner, uint256(h.cumulativeWeight) / 20 + 5);
        anchor(h);
        vm.warp(block.timestamp + WINDOW + 1);
        for (uint32 i = 0; i < count; ++i) {
            uint256 amount =
                payments.claim(h, workers[i], cumulative[i], SumTreeBuilder.proofOf(leaves, cumulative, i));
            assertEq(amount, cumulative[i] / 100, "amount");
        }
    }

    function test_aJailedWorkerIsNotPaid() public {
        bond(gateway, 5);
        pay(gateway, owner, 1e6);
        BatchHeader memory h = firstHeader(gateway);
        SumProof memory proof = earn(h, worker, 100_000);
        anchor(h);
        vm.warp(block.timestamp + WINDOW + 1);
        payments.claim(h, worker, 100_000, proof);
        vm.prank(court);
        stakes.jail(worker);
        address[] memory gateways = new address[](1);
        gateways[0] = gateway;
        vm.expectRevert(abi.encodeWithSelector(IPaymentVault.WorkerJailed.selector, worker));
        payments.withdrawEarnings(worker, gateways);
    }

    function test_earningsOfSeveralGatewaysAreWithdrawnTogetherAndOnce() public {
        address[] memory gateways = new address[](3);
        (gateways[0], gateways[1], gateways[2]) = (gateway, stranger, gateway);
        for (uint256 i = 0; i < 2; ++i) {
            bond(gateways[i], 5);
            pay(gateways[i], owner, 1e6);
            BatchHeader memory h = firstHeader(gateways[i]);
            SumProof memory proof = earn(h, worker, uint96(100_000 * (i + 1)));
            anchor(h);
            vm.warp(block.timestamp + WINDOW + 1);
            payments.claim(h, worker, uint96(100_000 * (i + 1)), proof);
        }
        assertEq(payments.withdrawEarnings(worker, gateways), 3000, "both, each once");
        vm.expectRevert(abi.encodeWithSelector(IPaymentVault.ZeroAmount.selector));
        payments.withdrawEarnings(worker, gateways);
    }

    // --- pots and pool

    function test_fuzz_anyoneAddsToPotAndPool(uint96 amount, bool nobody) public {
        amount = uint96(bound(amount, 0, 1e18));
        fund(stranger, amount, address(payments));
        vm.startPrank(stranger);
        if (amount == 0) {
            vm.expectRevert(abi.encodeWithSelector(IPaymentVault.ZeroAmount.selector));
        } else if (nobody) {
            vm.expectRevert(abi.encodeWithSelector(IPaymentVault.ZeroAddress.selector));
        }
        payments.addToPot(nobody ? address(0) : gateway, amount);
        vm.stopPrank();
        if (amount != 0 && !nobody) assertEq(payments.potReceived(gateway), amount, "pot");

        fund(stranger, amount, address(payments));
        vm.prank(stranger);
        if (amount == 0) vm.expectRevert(abi.encodeWithSelector(IPaymentVault.ZeroAmount.selector));
        payments.addToAuditPool(amount);
        assertEq(payments.auditPool(), amount, "pool");
    }

    // --- balances

    function test_fuzz_withdraw(uint96 amount, bool toNobody) public {
        pay(gateway, owner, 1000);
        amount = uint96(bound(amount, 0, 1000));
        address to = toNobody ? address(0) : makeAddr("cold wallet");
        bool fails = true;
        vm.prank(owner);
        if (toNobody) {
            vm.expectRevert(abi.encodeWithSelector(IPaymentVault.ZeroAddress.selector));
        } else if (amount == 0) {
            vm.expectRevert(abi.encodeWithSelector(IPaymentVault.ZeroAmount.selector));
        } else if (amount > 700) {
            vm.expectRevert(abi.encodeWithSelector(IPaymentVault.NotEnoughBalance.selector, owner, amount, 700));
        } else {
            fails = false;
        }
        payments.withdraw(to, amount);
        assertEq(payments.balanceOf(owner), fails ? 700 : 700 - amount, "balance");
        if (!fails) assertEq(usdc.balanceOf(to), amount, "received");
    }

    function test_anyoneSendsABalanceToItsOwner() public {
        pay(gateway, owner, 1000);
        vm.prank(stranger);
        assertEq(payments.withdrawFor(owner), 700, "amount");
        assertEq(usdc.balanceOf(owner), 700, "received");
        vm.expectRevert(abi.encodeWithSelector(IPaymentVault.ZeroAmount.selector));
        payments.withdrawFor(owner);
    }

    // --- grants

    function test_fuzz_grant(uint96 amount, uint96 cap, uint96 present, bool revoked, bool nobody) public {
        present = uint96(bound(present, 0, 1e9));
        amount = uint96(bound(amount, 0, 1e18));
        if (present != 0) {
            giveGrant(1, present);
            if (revoked) {
                vm.prank(owner);
                payments.revokeGrant(gateway);
            }
        }
        uint64 revokedFrom = stakes.currentEpoch() + 2;
        fund(owner, amount, address(payments));
        bool fails = true;
        vm.prank(owner);
        if (amount == 0 || cap == 0) {
            vm.expectRevert(abi.encodeWithSelector(IPaymentVault.ZeroAmount.selector));
        } else if (nobody) {
            vm.expectRevert(abi.encodeWithSelector(IPaymentVault.ZeroAddress.selector));
        } else if (present != 0 && revoked) {
            vm.expectRevert(
                abi.encodeWithSelector(IPaymentVault.GrantIsRevoked.selector, owner, gateway, revokedFrom)
            );
        } else if (cap < present) {
            vm.expectRevert(abi.encodeWithSelector(IPaymentVault.GrantCapLowered.selector, cap, present));
        } else {
            fails = false;
        }
        payments.grant(nobody ? address(0) : gateway, amount, cap);
        if (fails) return;
        IPaymentVault.Grant memory g = payments.grantOf(owner, gateway);
        assertEq(g.remaining, uint256(amount) + (present == 0 ? 0 : 1), "remaining");
        assertEq(g.capPerEpoch, cap, "cap");
        assertEq(payments.drawable(owner, gateway), g.remaining < cap ? g.remaining : cap, "drawable");
    }

    function test_fuzz_drawGrant(uint96 amount, uint96 before, uint8 caller, bool none, uint8 revokedFor) public {
        bond(gateway, 5);
        address key = registerHotKey(gateway, 7);
        if (!none) giveGrant(1000, 600);
        before = uint96(bound(before, 0, 600));
        if (before != 0 && !none) {
            vm.prank(key);
            payments.drawGrant(gateway, owner, before);
            vm.warp(block.timestamp + 1); // the same epoch
        }
        revokedFor = revokedFor % 4;
        uint64 revokedFrom = stakes.currentEpoch() + 2;
        if (revokedFor != 0 && !none) {
            vm.prank(owner);
            payments.revokeGrant(gateway);
            vm.warp(block.timestamp + (revokedFor - 1) * EPOCH);
        }
        if (stakes.currentEpoch() + 2 != revokedFrom) before = 0; // another epoch
        uint256 remaining = payments.grantOf(owner, gateway).remaining;
        amount = uint96(bound(amount, 0, 1100));
        address sender = [gateway, key, stranger][caller % 3];
        bool fails = true;
        if (!none && sender != stranger && amount != 0) {
            fails = revokedFor == 3 || amount > 600 - before || amount > remaining;
        }
        if (fails) vm.prank(sender);
        if (amount == 0) {
            vm.expectRevert(abi.encodeWithSelector(IPaymentVault.ZeroAmount.selector));
        } else if (sender == stranger) {
            vm.expectRevert(abi.encodeWithSelector(IStakeVault.NotOperator.selector, gateway, stranger));
        } else if (none) {
            vm.expectRevert(abi.encodeWithSelector(IPaymentVault.NoGrant.selector, owner, gateway));
        } else if (revokedFor == 3) {
            vm.expectRevert(
                abi.encodeWithSelector(IPaymentVault.GrantIsRevoked.selector, owner, gateway, revokedFrom)
            );
        } else if (amount > 600 - before) {
            vm.expectRevert(abi.encodeWithSelector(IPaymentVault.GrantCapExceeded.selector, amount, 600 - before));
        } else if (amount > remaining) {
            vm.expectRevert(abi.encodeWithSelector(IPaymentVault.GrantExceeded.selector, amount, remaining));
        }
        if (fails) payments.drawGrant(gateway, owner, amount);
        else drawAndCheckSplit(amount);
    }

    function drawAndCheckSplit(uint96 amount) private {
        uint256 remaining = payments.grantOf(owner, gateway).remaining;
        uint256 pot = payments.potReceived(gateway);
        uint256 balance = payments.balanceOf(gateway);
        uint256 pool = payments.auditPool();
        vm.prank(gateway);
        payments.drawGrant(gateway, owner, amount);
        uint256 toPot = (uint256(amount) * 90 + 99) / 100;
        uint256 toGateway = uint256(amount) * 5 / 100;
        assertEq(payments.potReceived(gateway) - pot, toPot, "90 % to the pot");
        assertEq(payments.balanceOf(gateway) - balance, toGateway, "5 % to the gateway");
        assertEq(payments.auditPool() - pool, amount - toPot - toGateway, "the rest to the pool");
        assertEq(payments.grantOf(owner, gateway).remaining, remaining - amount, "remaining");
    }

    function test_aRevokedGrantComesBackFromTheNextButOneEpoch() public {
        vm.startPrank(owner);
        vm.expectRevert(abi.encodeWithSelector(IPaymentVault.NoGrant.selector, owner, gateway));
        payments.revokeGrant(gateway);
        vm.stopPrank();
        giveGrant(1000, 600);
        uint64 epoch = stakes.currentEpoch();
        vm.startPrank(owner);
        vm.expectRevert(abi.encodeWithSelector(IPaymentVault.GrantNotRevoked.selector, owner, gateway));
        payments.reclaimGrant(gateway);
        payments.revokeGrant(gateway);
        vm.expectRevert(abi.encodeWithSelector(IPaymentVault.GrantIsRevoked.selector, owner, gateway, epoch + 2));
        payments.revokeGrant(gateway);
        vm.warp((epoch + 2) * EPOCH - 1);
        assertEq(payments.drawable(owner, gateway), 600, "until then");
        vm.expectRevert(abi.encodeWithSelector(IPaymentVault.GrantStillInForce.selector, epoch + 1, epoch + 2));
        payments.reclaimGrant(gateway);
        vm.warp((epoch + 2) * EPOCH);
        assertEq(payments.drawable(owner, gateway), 0, "no more");
        assertEq(payments.reclaimGrant(gateway), 1000, "reclaimed");
        vm.stopPrank();
        assertEq(payments.balanceOf(owner), 1000, "balance");
        giveGrant(10, 10); // and a new one, also with a lower cap
    }

    function test_theCapIsPerEpoch() public {
        bond(gateway, 5);
        giveGrant(1000, 600);
        vm.startPrank(gateway);
        payments.drawGrant(gateway, owner, 600);
        assertEq(payments.drawable(owner, gateway), 0, "this epoch");
        vm.warp(block.timestamp + EPOCH);
        assertEq(payments.drawable(owner, gateway), 400, "next epoch");
        vm.expectRevert(abi.encodeWithSelector(IPaymentVault.GrantExceeded.selector, 500, 400));
        payments.drawGrant(gateway, owner, 500);
        payments.drawGrant(gateway, owner, 400);
        vm.stopPrank();
    }

    function test_constructorNeedsAddresses() public {
        vm.expectRevert(abi.encodeWithSelector(IPaymentVault.ZeroAddress.selector));
        new PaymentVault(IERC20(address(0)), address(coordinator), stakes, court);
        vm.expectRevert(abi.encodeWithSelector(IPaymentVault.ZeroAddress.selector));
        new PaymentVault(IERC20(address(usdc)), address(0), stakes, court);
    }

    function giveGrant(uint96 amount, uint96 cap) private {
        fund(owner, amount, address(payments));
        vm.prank(owner);
        payments.grant(gateway, amount, cap);
    }
}
