// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {ExecutionCoordinator} from "../src/ExecutionCoordinator.sol";
import {PaymentVault} from "../src/PaymentVault.sol";
import {StakeVault} from "../src/StakeVault.sol";
import {TestUSDC} from "../src/TestUSDC.sol";
import {IExecutionCoordinator} from "../src/interfaces/IExecutionCoordinator.sol";
import {IPaymentVault} from "../src/interfaces/IPaymentVault.sol";
import {IStakeVault} from "../src/interfaces/IStakeVault.sol";
import {BatchHeader, Deployment, FunctionSpec, Messages} from "../src/libraries/Messages.sol";
import {World} from "./support/World.sol";

contract ExecutionCoordinatorTest is World {
    uint256 private constant OWNER_KEY = 11;
    uint256 private constant CI_KEY = 12;

    function setUp() public override {
        super.setUp();
        owner = vm.addr(OWNER_KEY);
    }

    // --- deploy

    function test_versionsAreAppended() public {
        bytes32 id = coordinator.serviceIdOf(owner, "shop", "quote");
        assertEq(id, keccak256(abi.encode(owner, "shop", "quote")), "service id");
        FunctionSpec memory s = spec("quote");
        vm.expectEmit(address(coordinator));
        emit IExecutionCoordinator.FunctionDeployed(owner, id, "shop", 1, s);
        vm.prank(owner);
        coordinator.deploy("shop", one(s));
        bytes32 first = keccak256(abi.encode(s));
        s.codeDigest = keccak256("other code");
        vm.prank(owner);
        coordinator.deploy("shop", one(s));
        assertEq(coordinator.latestVersion(id), 2, "latest");
        assertEq(coordinator.specCommitment(id, 1), first, "the first version stays");
        assertEq(coordinator.specCommitment(id, 2), keccak256(abi.encode(s)), "the second");
        assertEq(coordinator.specCommitment(id, 3), 0, "no third");
    }

    function test_retireIsAVersionWithoutCode() public {
        FunctionSpec memory s = spec("quote");
        bytes32 id = coordinator.serviceIdOf(owner, "shop", "quote");
        vm.startPrank(owner);
        coordinator.deploy("shop", one(s));
        s.codeDigest = 0;
        vm.expectEmit(address(coordinator));
        emit IExecutionCoordinator.FunctionDeployed(owner, id, "shop", 2, s);
        coordinator.deploy("shop", one(s));
        vm.stopPrank();
        assertEq(coordinator.latestVersion(id), 2, "latest");
    }

    function test_ownersDoNotShareNames() public {
        vm.prank(owner);
        coordinator.deploy("shop", one(spec("quote")));
        vm.prank(stranger);
        coordinator.deploy("shop", one(spec("quote")));
        assertEq(coordinator.latestVersion(coordinator.serviceIdOf(owner, "shop", "quote")), 1, "owner's");
        assertEq(coordinator.latestVersion(coordinator.serviceIdOf(stranger, "shop", "quote")), 1, "stranger's");
    }

    function test_fuzz_deploy(string calldata name, uint128 price, uint8 class, bytes32 codeDigest, bool known) public {
        FunctionSpec memory s = FunctionSpec(name, codeDigest, keccak256("m"), price, class, keccak256("r"));
        vm.startPrank(owner);
        bool named = bytes(name).length != 0;
        if (known && named) {
            FunctionSpec memory before = spec(name);
            coordinator.deploy("shop", one(before));
        }
        bool fails = true;
        if (!named) {
            vm.expectRevert(abi.encodeWithSelector(IExecutionCoordinator.EmptyName.selector, 0));
        } else if (class > 2) {
            vm.expectRevert(abi.encodeWithSelector(IExecutionCoordinator.UnknownClass.selector, name, class));
        } else if (price > type(uint64).max) {
            vm.expectRevert(
                abi.encodeWithSelector(IExecutionCoordinator.PriceTooHigh.selector, name, price, type(uint64).max)
            );
        } else if (codeDigest == 0 && !known) {
            vm.expectRevert(abi.encodeWithSelector(IExecutionCoordinator.NothingToRetire.selector, name));
        } else {
            fails = false;
        }
        coordinator.deploy("shop", one(s));
        vm.stopPrank();
        if (!fails) {
            bytes32 id = coordinator.serviceIdOf(owner, "shop", name);
            uint32 version = coordinator.latestVersion(id);
            assertEq(version, known ? 2 : 1, "version");
            assertEq(coordinator.specCommitment(id, version), keccak256(abi.encode(s)), "commitment");
        }
    }

    function test_deployNeedsFunctions() public {
        vm.expectRevert(abi.encodeWithSelector(IExecutionCoordinator.NoFunctions.selector));
        coordinator.deploy("shop", new FunctionSpec[](0));
    }

    // --- deployFor

    struct Fault {
        uint32 late;
        uint64 nonce;
        bool otherSpecs;
        bool keyOfOtherProject;
        uint32 keyLate;
        uint8 signer;
    }

    function test_fuzz_deployFor(Fault memory f) public {
        f.late = uint32(bound(f.late, 0, 200));
        f.keyLate = uint32(bound(f.keyLate, 0, 200));
        f.nonce = uint64(bound(f.nonce, 0, 2));
        uint256 signer = [OWNER_KEY, CI_KEY, 13][f.signer % 3];
        uint64 until = uint64(block.timestamp + 100);
        vm.prank(owner);
        coordinator.setDeployKey(f.keyOfOtherProject ? "other" : "shop", vm.addr(CI_KEY), until);
        FunctionSpec[] memory specs = one(spec("quote"));
        bytes32 signed = f.otherSpecs ? keccak256("others") : keccak256(abi.encode(specs));
        Deployment memory d = Deployment(owner, "shop", signed, f.nonce, uint64(block.timestamp + 100));
        bytes memory proof = signature(signer, digestOf(d));
        vm.warp(block.timestamp + (f.late > f.keyLate ? f.late : f.keyLate));
        bool allowed = signer == OWNER_KEY
            || (signer == CI_KEY && !f.keyOfOtherProject && block.timestamp <= until);
        bool fails = true;
        if (block.timestamp > d.deadline) {
            vm.expectRevert(
                abi.encodeWithSelector(IExecutionCoordinator.DeploymentExpired.selector, d.deadline, block.timestamp)
            );
        } else if (f.nonce != 0) {
            vm.expectRevert(abi.encodeWithSelector(IExecutionCoordinator.WrongDeploymentNonce.selector, f.nonce, 0));
        } else if (f.otherSpecs) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    IExecutionCoordinator.WrongSpecsHash.selector, signed, keccak256(abi.encode(specs))
                )
            );
        } else if (!allowed) {
            vm.expectRevert(
                abi.encodeWithSelector(IExecutionCoordinator.UnauthorizedDeployer.selector, vm.addr(signer), owner)
            );
        } else {
            fails = false;
        }
        vm.prank(stranger);
        coordinator.deployFor(d, specs, proof);
        assertEq(coordinator.nonces(owner, "shop"), fails ? 0 : 1, "nonce");
        assertEq(
            coordinator.latestVersion(coordinator.serviceIdOf(owner, "shop", "quote")), fails ? 0 : 1, "registered"
        );
    }

    function test_aDeploymentIsUsedOnce() public {
        FunctionSpec[] memory specs = one(spec("quote"));
        Deployment memory d =
            Deployment(owner, "shop", keccak256(abi.encode(specs)), 0, uint64(block.timestamp + 100));
        bytes memory proof = signature(OWNER_KEY, digestOf(d));
        coordinator.deployFor(d, specs, proof);
        vm.expectRevert(abi.encodeWithSelector(IExecutionCoordinator.WrongDeploymentNonce.selector, 0, 1));
        coordinator.deployFor(d, specs, proof);
    }

    function test_aDeployKeyExpiresAndIsTakenBack() public {
        vm.startPrank(owner);
        coordinator.setDeployKey("shop", vm.addr(CI_KEY), uint64(block.timestamp + 10));
        assertEq(coordinator.deployKeys(owner, "shop", vm.addr(CI_KEY)), block.timestamp + 10, "until");
        vm.stopPrank();
        FunctionSpec[] memory specs = one(spec("quote"));
        Deployment memory d =
            Deployment(owner, "shop", keccak256(abi.encode(specs)), 0, uint64(block.timestamp + 1000));
        bytes memory proof = signature(CI_KEY, digestOf(d));
        vm.warp(block.timestamp + 11);
        bytes memory refused =
            abi.encodeWithSelector(IExecutionCoordinator.UnauthorizedDeployer.selector, vm.addr(CI_KEY), owner);
        vm.expectRevert(refused);
        coordinator.deployFor(d, specs, proof);
        vm.startPrank(owner);
        coordinator.setDeployKey("shop", vm.addr(CI_KEY), uint64(block.timestamp + 1000));
        coordinator.setDeployKey("shop", vm.addr(CI_KEY), 0);
        vm.stopPrank();
        vm.expectRevert(refused);
        coordinator.deployFor(d, specs, proof);
    }

    function test_aMalleatedSignatureIsRefused() public {
        FunctionSpec[] memory specs = one(spec("quote"));
        Deployment memory d =
            Deployment(owner, "shop", keccak256(abi.encode(specs)), 0, uint64(block.timestamp + 100));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(OWNER_KEY, digestOf(d));
        uint256 n = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
        bytes32 high = bytes32(n - uint256(s));
        vm.expectRevert(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureS.selector, high));
        coordinator.deployFor(d, specs, abi.encodePacked(r, high, v == 27 ? uint8(28) : uint8(27)));
        vm.expectRevert(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureLength.selector, 64));
        coordinator.deployFor(d, specs, abi.encodePacked(r, s));
    }

    function test_theDomainFollowsTheChain() public {
        bytes32 before = coordinator.domainSeparator();
        assertEq(before, Messages.domainSeparator(block.chainid, address(coordinator)), "domain");
        vm.chainId(137);
        assertEq(coordinator.domainSeparator(), Messages.domainSeparator(137, address(coordinator)), "after a fork");
    }

    // --- anchor

    function test_batchesFormAChain() public {
        bond(gateway, 5);
        BatchHeader memory first = firstHeader(gateway);
        vm.expectEmit(address(coordinator));
        emit IExecutionCoordinator.BatchAnchored(gateway, 0, hashOf(first), first);
        anchor(first);
        BatchHeader memory second = next(first);
        anchor(second);
        (bytes28 stored, uint32 anchoredAt) = coordinator.batchOf(gateway, 1);
        assertEq(bytes32(stored), bytes32(bytes28(hashOf(second))), "hash");
        assertEq(anchoredAt, block.timestamp, "time");

        vm.prank(gateway);
        vm.expectRevert(abi.encodeWithSelector(IExecutionCoordinator.BatchExists.selector, gateway, 1));
        coordinator.anchor(second);
        vm.prank(gateway);
        vm.expectRevert(abi.encodeWithSelector(IExecutionCoordinator.BatchExists.selector, gateway, 0));
        coordinator.anchor(first);
    }

    function test_aHotKeyAnchors() public {
        bond(gateway, 5);
        address key = registerHotKey(gateway, 7);
        vm.prank(key);
        coordinator.anchor(firstHeader(gateway));
        (, uint32 anchoredAt) = coordinator.batchOf(gateway, 0);
        assertEq(anchoredAt, block.timestamp, "time");
    }

    function test_fuzz_anchor(uint64 index, bytes32 predecessor, bytes32 reserved, uint32 count, uint8 good) public {
        bond(gateway, 5);
        BatchHeader memory first = firstHeader(gateway);
        anchor(first);
        BatchHeader memory h = next(first);
        if (good & 1 == 0) h.index = index = uint64(bound(index, 0, 4));
        if (good & 2 == 0) h.predecessor = predecessor;
        if (good & 4 == 0) h.reserved = reserved;
        if (good & 8 == 0) h.count = count;
        bytes28 before = h.index == 1 ? bytes28(hashOf(first)) : bytes28(0);
        bool fits = h.index == 0
            ? h.predecessor == 0
            : h.index == 1 && bytes28(h.predecessor) == before;
        vm.prank(gateway);
        if (h.count == 0) {
            vm.expectRevert(abi.encodeWithSelector(IExecutionCoordinator.EmptyBatch.selector));
        } else if (h.reserved != 0) {
            vm.expectRevert(abi.encodeWithSelector(IExecutionCoordinator.ReservedNotZero.selector, h.reserved));
        } else if (!fits) {
            vm.expectRevert(
                abi.encodeWithSelector(IExecutionCoordinator.WrongPredecessor.selector, h.predecessor, before)
            );
        } else if (h.index == 0) {
            vm.expectRevert(abi.encodeWithSelector(IExecutionCoordinator.BatchExists.selector, gateway, 0));
        }
        coordinator.anchor(h);
    }

    /// @dev What is kept of a batch that does not exist is 0: a predecessor that starts with zeros must not match it.
    function test_noBatchFollowsNothing() public {
        bond(gateway, 5);
        BatchHeader memory h = firstHeader(gateway);
        h.index = 7;
        h.predecessor = bytes32(uint256(1));
        vm.prank(gateway);
        vm.expectRevert(
            abi.encodeWithSelector(IExecutionCoordinator.WrongPredecessor.selector, h.predecessor, bytes28(0))
        );
        coordinator.anchor(h);
    }

    function test_strangersAndTheUnbondedDoNotAnchor() public {
        BatchHeader memory h = firstHeader(gateway);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.NotOperator.selector, gateway, stranger));
        coordinator.anchor(h);
        vm.prank(gateway);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.BelowMinimumStake.selector, 0, uint256(5) * UNIT));
        coordinator.anchor(h);
    }

    // --- final and void

    function test_fuzz_final(uint16 waited, uint64 voided, bool other, uint64 index) public {
        bond(gateway, 5);
        BatchHeader memory h = firstHeader(gateway);
        anchor(h);
        BatchHeader memory second = next(h);
        anchor(second);
        index = uint64(bound(index, 0, 1));
        bytes32 headerHash = other ? keccak256("another") : hashOf(index == 0 ? h : second);
        voided = uint64(bound(voided, 0, 3));
        uint256 finalAt = block.timestamp + WINDOW;
        if (voided < 3) {
            vm.prank(court);
            coordinator.voidBatches(gateway, voided);
        }
        vm.warp(block.timestamp + bound(waited, 0, 2 * WINDOW));
        bool ok = !other && index < voided && block.timestamp > finalAt;
        assertTrue(coordinator.isFinal(gateway, index, headerHash) == ok, "isFinal");
        if (other) {
            vm.expectRevert(abi.encodeWithSelector(IExecutionCoordinator.UnknownBatch.selector, headerHash));
        } else if (index >= voided) {
            vm.expectRevert(abi.encodeWithSelector(IExecutionCoordinator.BatchVoid.selector, gateway, index, voided));
        } else if (block.timestamp <= finalAt) {
            vm.expectRevert(
                abi.encodeWithSelector(IExecutionCoordinator.BatchNotFinal.selector, gateway, index, finalAt)
            );
        }
        coordinator.requireFinal(gateway, index, headerHash);
    }

    function test_aVoidBatchVoidsItsSuccessorsAndJailsTheGateway() public {
        bond(gateway, 5);
        BatchHeader memory h = firstHeader(gateway);
        anchor(h);
        anchor(next(h));
        assertEq(coordinator.voidFrom(gateway), type(uint64).max, "none is void");
        vm.prank(court);
        coordinator.voidBatches(gateway, 1);
        assertEq(coordinator.voidFrom(gateway), 1, "void from");
        assertTrue(stakes.isJailed(gateway), "jailed");
        vm.prank(gateway);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.IsJailed.selector, gateway));
        coordinator.anchor(next(next(h)));

        vm.startPrank(court);
        vm.expectRevert(abi.encodeWithSelector(IExecutionCoordinator.AlreadyVoid.selector, gateway, 1));
        coordinator.voidBatches(gateway, 1);
        coordinator.voidBatches(gateway, 0);
        vm.stopPrank();
        assertEq(coordinator.voidFrom(gateway), 0, "from an earlier one");
    }

    function test_fuzz_onlyTheCourtVoids(address caller) public {
        vm.assume(caller != court);
        vm.prank(caller);
        vm.expectRevert(abi.encodeWithSelector(IExecutionCoordinator.NotCourt.selector, caller));
        coordinator.voidBatches(gateway, 0);
    }

    // --- construction

    function test_fuzz_contractsMustNameEachOther(uint8 which) public {
        which = which % 6;
        address me = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + (which == 3 ? 4 : 3));
        IERC20 token = IERC20(address(usdc));
        StakeVault s = new StakeVault(token, which == 0 ? stranger : me, which == 4 ? stranger : court, parameters());
        if (which == 3) token = IERC20(address(new TestUSDC()));
        PaymentVault p = new PaymentVault(
            token, which == 1 ? stranger : me, which == 2 ? stakes : s, which == 5 ? stranger : court
        );
        string[6] memory wrong = [
            "StakeVault.coordinator",
            "PaymentVault.coordinator",
            "PaymentVault.stakeVault",
            "usdc",
            "StakeVault.court",
            "PaymentVault.court"
        ];
        // One more contract in between, so that `me` is the last one.
        new TestUSDC();
        vm.expectRevert(abi.encodeWithSelector(IExecutionCoordinator.ContractsMismatch.selector, wrong[which]));
        new ExecutionCoordinator(s, p, court, 300);
    }

    function test_fuzz_anchorByMustBeShorterThanMaxAge(uint64 anchorBy) public {
        vm.assume(anchorBy == 0 || anchorBy >= 600);
        address me = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 2);
        StakeVault s = new StakeVault(IERC20(address(usdc)), me, court, parameters());
        PaymentVault p = new PaymentVault(IERC20(address(usdc)), me, s, court);
        vm.expectRevert(abi.encodeWithSelector(IExecutionCoordinator.InvalidParameter.selector, "anchorBy", anchorBy));
        new ExecutionCoordinator(IStakeVault(s), IPaymentVault(p), court, anchorBy);
    }

    function digestOf(Deployment memory d) private view returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(coordinator.domainSeparator(), Messages.structHash(d));
    }
}
