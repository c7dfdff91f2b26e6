// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {StakeVault} from "../src/StakeVault.sol";
import {IStakeVault} from "../src/interfaces/IStakeVault.sol";
import {World} from "./support/World.sol";

contract StakeVaultTest is World {
    address private worker = makeAddr("worker");

    // --- stake

    function test_stakeCountsAtOnceForGatewaysAndLaterForDraws() public {
        uint64 epoch = stakes.currentEpoch();
        bond(worker, 3);
        assertEq(stakes.unitsOf(worker), 3, "units now");
        assertTrue(stakes.isWorker(worker), "is a worker");
        assertTrue(!stakes.isGateway(worker), "is no gateway");
        assertEq(stakes.unitsAt(worker, epoch + 1), 0, "units next epoch");
        assertEq(stakes.unitsAt(worker, epoch + 2), 3, "units next but one epoch");
        assertEq(stakes.totalUnitsAt(epoch + 2), 3, "total");
        bond(worker, 2);
        assertTrue(stakes.isGateway(worker), "is a gateway");
        vm.warp(block.timestamp + 5 * EPOCH);
        assertEq(stakes.unitsAt(worker, stakes.currentEpoch()), 5, "units later");
        assertEq(stakes.unitsAt(worker, epoch + 1), 0, "the past stays as it was");
    }

    function test_fuzz_stake(uint32 units, uint32 minimum, uint96 allowance, bool jailed) public {
        minimum = uint32(bound(minimum, 1, 1000));
        IStakeVault.Parameters memory p = parameters();
        (p.workerMinimum, p.gatewayMinimum) = (minimum, minimum);
        StakeVault vault = new StakeVault(IERC20(address(usdc)), address(this), court, p);
        if (jailed) vault.jail(worker);
        uint256 amount = uint256(units) * UNIT;
        usdc.mint(worker, amount);
        vm.prank(worker);
        usdc.approve(address(vault), allowance);
        vm.prank(worker);
        if (units == 0) {
            vm.expectRevert(abi.encodeWithSelector(IStakeVault.ZeroAmount.selector));
        } else if (jailed) {
            vm.expectRevert(abi.encodeWithSelector(IStakeVault.IsJailed.selector, worker));
        } else if (units < minimum) {
            uint256 least = uint256(minimum) * UNIT;
            vm.expectRevert(abi.encodeWithSelector(IStakeVault.BelowMinimumStake.selector, amount, least));
        } else if (allowance < amount) {
            vm.expectRevert(
                abi.encodeWithSignature(
                    "ERC20InsufficientAllowance(address,uint256,uint256)", address(vault), allowance, amount
                )
            );
        }
        vault.stake(units);
        if (units != 0 && !jailed && units >= minimum && allowance >= amount) {
            assertEq(vault.unitsOf(worker), units, "units");
            assertEq(usdc.balanceOf(address(vault)), amount, "held");
        }
    }

    function test_fuzz_unbond(uint96 amount, bool locked) public {
        bond(worker, 10);
        if (locked) {
            vm.prank(court);
            stakes.lockStake(worker);
        }
        amount = uint96(bound(amount, 0, 11 * UNIT));
        uint256 rest = amount <= 10 * UNIT ? 10 * UNIT - amount : 0;
        bool enough = rest == 0 || rest >= UNIT;
        vm.prank(worker);
        if (amount == 0) {
            vm.expectRevert(abi.encodeWithSelector(IStakeVault.ZeroAmount.selector));
        } else if (locked) {
            vm.expectRevert(abi.encodeWithSelector(IStakeVault.LockedByDispute.selector, worker, 1));
        } else if (amount > 10 * UNIT) {
            vm.expectRevert(abi.encodeWithSelector(IStakeVault.NotEnoughBonded.selector, amount, 10 * UNIT));
        } else if (!enough) {
            vm.expectRevert(abi.encodeWithSelector(IStakeVault.BelowMinimumStake.selector, rest, UNIT));
        }
        stakes.unbond(amount);
        if (amount != 0 && !locked && amount <= 10 * UNIT && enough) {
            assertEq(stakes.unitsOf(worker), rest / UNIT, "units");
            assertEq(stakes.bondOf(worker).unbonding, amount, "unbonding");
            assertEq(stakes.bondOf(worker).withdrawableAt, block.timestamp + UNBONDING, "withdrawable at");
        }
    }

    function test_fuzz_withdraw(uint32 waited, bool locked, bool nothing, bool toNobody) public {
        bond(worker, 4);
        if (!nothing) {
            vm.prank(worker);
            stakes.unbond(4 * UNIT);
        }
        if (locked) {
            vm.prank(court);
            stakes.lockStake(worker);
        }
        uint256 withdrawableAt = block.timestamp + UNBONDING;
        vm.warp(block.timestamp + bound(waited, 0, 2 * UNBONDING));
        address to = toNobody ? address(0) : makeAddr("cold wallet");
        vm.prank(worker);
        if (toNobody) {
            vm.expectRevert(abi.encodeWithSelector(IStakeVault.ZeroAddress.selector));
        } else if (nothing) {
            vm.expectRevert(abi.encodeWithSelector(IStakeVault.NothingToWithdraw.selector, worker));
        } else if (locked) {
            vm.expectRevert(abi.encodeWithSelector(IStakeVault.LockedByDispute.selector, worker, 1));
        } else if (block.timestamp < withdrawableAt) {
            vm.expectRevert(
                abi.encodeWithSelector(IStakeVault.StillUnbonding.selector, withdrawableAt, block.timestamp)
            );
        }
        stakes.withdraw(to);
        if (!toNobody && !nothing && !locked && block.timestamp >= withdrawableAt) {
            assertEq(usdc.balanceOf(to), 4 * UNIT, "paid out");
        }
    }

    function test_anotherUnbondRestartsThePeriod() public {
        bond(worker, 4);
        vm.prank(worker);
        stakes.unbond(UNIT);
        vm.warp(block.timestamp + UNBONDING - 1);
        vm.prank(worker);
        stakes.unbond(UNIT);
        vm.warp(block.timestamp + 1);
        vm.prank(worker);
        vm.expectRevert(
            abi.encodeWithSelector(
                IStakeVault.StillUnbonding.selector, block.timestamp + UNBONDING - 1, block.timestamp
            )
        );
        stakes.withdraw(worker);
    }

    // --- hot keys

    function test_fuzz_registerHotKey(uint256 privateKey, address other, bool wrongOwner, bool taken) public {
        privateKey = bound(privateKey, 1, type(uint128).max);
        vm.assume(other != owner && other != address(0));
        address key = vm.addr(privateKey);
        if (taken) registerHotKey(other, privateKey);
        bytes memory proof = signature(privateKey, hotKeyDigest(wrongOwner ? other : owner, key));
        address recovered = ECDSA.recover(hotKeyDigest(owner, key), proof);
        vm.prank(owner);
        if (taken) {
            vm.expectRevert(abi.encodeWithSelector(IStakeVault.HotKeyTaken.selector, key, other));
        } else if (wrongOwner) {
            vm.expectRevert(abi.encodeWithSelector(IStakeVault.WrongKeySignature.selector, recovered, key));
        }
        stakes.registerHotKey(key, proof);
        if (!taken && !wrongOwner) {
            (address keyOwner, uint64 from, uint64 until, uint64 revokedAt) = stakes.hotKey(key);
            assertEq(keyOwner, owner, "owner");
            assertEq(from, stakes.currentEpoch(), "from");
            assertEq(until, type(uint64).max, "until");
            assertEq(revokedAt, 0, "revoked at");
        }
    }

    function test_aKeySignsForNobodyElse() public {
        address key = vm.addr(7);
        bytes32 digest = hotKeyDigest(owner, key);
        bytes memory foreign = signature(8, digest);
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.WrongKeySignature.selector, vm.addr(8), key));
        stakes.registerHotKey(key, foreign);
    }

    function test_hotKeyHistoryIsKept() public {
        uint64 epoch = stakes.currentEpoch();
        address key = registerHotKey(owner, 7);
        vm.warp(block.timestamp + 3 * EPOCH);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.NotKeyOwner.selector, key, owner, stranger));
        stakes.revokeHotKey(key);
        vm.prank(owner);
        stakes.revokeHotKey(key);
        uint256 revokedAt = block.timestamp;
        assertEq(stakes.hotKeyOwnerAt(key, epoch - 1), address(0), "before");
        assertEq(stakes.hotKeyOwnerAt(key, epoch), owner, "first epoch");
        assertEq(stakes.hotKeyOwnerAt(key, epoch + 3), owner, "the epoch of its revocation");
        assertEq(stakes.hotKeyOwnerAt(key, epoch + 4), address(0), "after");
        vm.warp(block.timestamp + 100 * EPOCH);
        assertEq(stakes.hotKeyOwnerAt(key, epoch + 1), owner, "still known");
        (,,, uint64 ended) = stakes.hotKey(key);
        assertEq(ended, revokedAt, "revoked at");

        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.KeyAlreadyRevoked.selector, key, epoch + 3));
        stakes.revokeHotKey(key);
        bytes memory again = signature(7, hotKeyDigest(owner, key));
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.HotKeyTaken.selector, key, owner));
        stakes.registerHotKey(key, again);
    }

    function test_endpointIsRecorded() public {
        vm.prank(worker);
        stakes.recordEndpoint(keccak256("endpoint"));
        assertEq(stakes.endpointOf(worker), keccak256("endpoint"), "digest");
    }

    // --- who may act for a gateway

    function test_fuzz_requireGateway(uint32 units, bool jailed, uint8 who) public {
        units = uint32(bound(units, 1, 10));
        bond(gateway, units);
        address key = registerHotKey(gateway, 7);
        address ended = registerHotKey(gateway, 8);
        address foreign = registerHotKey(owner, 9);
        vm.prank(gateway);
        stakes.revokeHotKey(ended);
        if (jailed) {
            vm.prank(court);
            stakes.jail(gateway);
        }
        address caller = [gateway, key, ended, foreign, stranger][who % 5];
        if (who % 5 > 1) {
            vm.expectRevert(abi.encodeWithSelector(IStakeVault.NotOperator.selector, gateway, caller));
        } else if (jailed) {
            vm.expectRevert(abi.encodeWithSelector(IStakeVault.IsJailed.selector, gateway));
        } else if (units < 5) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    IStakeVault.BelowMinimumStake.selector, uint256(units) * UNIT, uint256(5) * UNIT
                )
            );
        }
        stakes.requireGateway(gateway, caller);
    }

    // --- penalties

    function test_fuzz_slashTakesAtMostTheStake(uint96 amount, uint96 leaving, bool jailFirst) public {
        bond(worker, 10);
        leaving = uint96(bound(leaving, 0, 9 * UNIT));
        if (leaving != 0) {
            vm.prank(worker);
            stakes.unbond(leaving);
        }
        if (jailFirst) {
            vm.prank(court);
            stakes.jail(worker);
        }
        uint256 stake = 10 * UNIT;
        uint256 expected = amount < stake ? amount : stake;
        vm.prank(court);
        uint256 taken = stakes.slash(worker, amount);
        assertEq(taken, expected, "taken");
        assertEq(usdc.balanceOf(court), expected, "sent to the court");
        IStakeVault.Bond memory b = stakes.bondOf(worker);
        assertEq(uint256(b.bonded) + b.unbonding, stake - expected, "what is left");
        uint256 bonded = stake - leaving;
        assertEq(b.bonded, bonded - (amount < bonded ? amount : bonded), "bonded part first");
        uint64 counts = stakes.currentEpoch() + 2;
        assertEq(stakes.unitsAt(worker, counts), jailFirst ? 0 : b.bonded / UNIT, "units in draws");
        assertEq(stakes.totalUnitsAt(counts), stakes.unitsAt(worker, counts), "total");
    }

    function test_nothingToSlashAfterWithdrawal() public {
        bond(worker, 2);
        vm.prank(worker);
        stakes.unbond(2 * UNIT);
        vm.warp(block.timestamp + UNBONDING);
        vm.prank(worker);
        stakes.withdraw(worker);
        vm.prank(court);
        assertEq(stakes.slash(worker, UNIT), 0, "taken");
    }

    function test_jailIsForEver() public {
        bond(worker, 5);
        vm.prank(court);
        stakes.jail(worker);
        assertTrue(stakes.isJailed(worker), "jailed");
        assertEq(stakes.unitsOf(worker), 0, "units");
        assertTrue(!stakes.isWorker(worker) && !stakes.isGateway(worker), "nothing any more");
        vm.prank(court);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.AlreadyJailed.selector, worker));
        stakes.jail(worker);
        // It may leave with what is left.
        vm.prank(worker);
        stakes.unbond(5 * UNIT);
        vm.warp(block.timestamp + UNBONDING);
        vm.prank(worker);
        assertEq(stakes.withdraw(worker), 5 * UNIT, "withdrawn");
    }

    function test_locksAreCounted() public {
        vm.startPrank(court);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.NotLocked.selector, worker));
        stakes.unlockStake(worker);
        stakes.lockStake(worker);
        stakes.lockStake(worker);
        stakes.unlockStake(worker);
        assertEq(stakes.bondOf(worker).locks, 1, "locks");
        stakes.unlockStake(worker);
        vm.stopPrank();
        assertEq(stakes.bondOf(worker).locks, 0, "locks");
    }

    function test_fuzz_onlyArbitersPunish(address caller) public {
        vm.assume(caller != court && caller != address(coordinator));
        bytes memory expected = abi.encodeWithSelector(IStakeVault.NotArbiter.selector, caller);
        vm.startPrank(caller);
        vm.expectRevert(expected);
        stakes.slash(worker, 1);
        vm.expectRevert(expected);
        stakes.jail(worker);
        vm.expectRevert(expected);
        stakes.lockStake(worker);
        vm.expectRevert(expected);
        stakes.unlockStake(worker);
        vm.stopPrank();
    }

    function test_withoutCourtTheZeroAddressIsNoArbiter() public {
        StakeVault vault = new StakeVault(IERC20(address(usdc)), address(coordinator), address(0), parameters());
        vm.prank(address(0));
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.NotArbiter.selector, address(0)));
        vault.jail(worker);
    }

    // --- draws

    function test_fuzz_drawsCountOnlyUnitsThatAreThere(bytes32 seed, uint256 unit) public {
        uint64 counts = stakes.currentEpoch() + 2;
        bond(worker, 3);
        bond(owner, 1);
        assertTrue(!stakes.isDrawn(seed, 0, 0, worker, bound(unit, 3, type(uint256).max), 4, counts), "no such unit");
        assertTrue(stakes.isDrawn(seed, 0, 0, worker, bound(unit, 0, 2), 4, counts), "as many seats as units");
        assertTrue(!stakes.isDrawn(seed, 0, 0, worker, bound(unit, 0, 2), 0, counts), "no seats");
        assertTrue(!stakes.isDrawn(seed, 0, 0, worker, 0, 4, counts - 1), "not yet");
    }

    // --- parameters

    function test_fuzz_parametersAreChecked(uint8 which, uint64 value) public {
        IStakeVault.Parameters memory p = parameters();
        string memory wrong;
        uint256 given;
        which = which % 7;
        if (which == 0) (p.unit, wrong) = (0, "unit");
        if (which == 1) (p.workerMinimum, wrong) = (0, "workerMinimum");
        if (which == 2) {
            (p.gatewayMinimum, p.workerMinimum, wrong, given) = (4, 5, "gatewayMinimum", 4);
        }
        if (which == 3) (p.epochLength, wrong) = (0, "epochLength");
        if (which == 4) (p.maxAge, wrong) = (0, "maxAge");
        if (which == 5) (p.challengeWindow, wrong) = (0, "challengeWindow");
        if (which == 6) {
            given = bound(value, 0, 600 + 600 + 30 + 180);
            (p.unbondingPeriod, wrong) = (uint64(given), "unbondingPeriod");
        }
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.InvalidParameter.selector, wrong, given));
        new StakeVault(IERC20(address(usdc)), address(coordinator), court, p);
    }
}
