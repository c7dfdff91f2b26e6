// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ExecutionCoordinator} from "../../src/ExecutionCoordinator.sol";
import {PaymentVault} from "../../src/PaymentVault.sol";
import {StakeVault} from "../../src/StakeVault.sol";
import {TestUSDC} from "../../src/TestUSDC.sol";
import {IStakeVault} from "../../src/interfaces/IStakeVault.sol";
import {BatchHeader, FunctionSpec, HotKey, Messages} from "../../src/libraries/Messages.sol";
import {SumProof} from "../../src/libraries/MerkleSum.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {SumTreeBuilder} from "./SumTreeBuilder.sol";
import {Test} from "./Test.sol";

/// @notice The contracts, deployed together as on the local network, with a court that is a plain address.
abstract contract World is Test {
    uint96 internal constant UNIT = 100e6;
    uint64 internal constant EPOCH = 600;
    uint64 internal constant WINDOW = 30;
    uint64 internal constant UNBONDING = 1800;

    TestUSDC internal usdc;
    StakeVault internal stakes;
    PaymentVault internal payments;
    ExecutionCoordinator internal coordinator;

    address internal court = makeAddr("court");
    address internal gateway = makeAddr("gateway");
    address internal owner = makeAddr("owner");
    address internal stranger = makeAddr("stranger");

    function setUp() public virtual {
        vm.warp(1_800_000_000);
        usdc = new TestUSDC();
        deployWith(IERC20(address(usdc)));
    }

    function parameters() internal pure returns (IStakeVault.Parameters memory) {
        return IStakeVault.Parameters({
            unit: UNIT,
            workerMinimum: 1,
            gatewayMinimum: 5,
            epochLength: EPOCH,
            unbondingPeriod: UNBONDING,
            maxAge: 600,
            challengeWindow: WINDOW,
            disputePeriod: 180
        });
    }

    function deployWith(IERC20 token) internal {
        address predicted = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 2);
        stakes = new StakeVault(token, predicted, court, parameters());
        payments = new PaymentVault(token, predicted, stakes, court);
        coordinator = new ExecutionCoordinator(stakes, payments, court, 300);
        assertEq(address(coordinator), predicted, "coordinator");
    }

    // --- stake

    function bond(address who, uint32 units) internal {
        fund(who, uint256(units) * UNIT, address(stakes));
        vm.prank(who);
        stakes.stake(units);
    }

    /// @dev Gives USDC to `who` and lets `spender` take it.
    function fund(address who, uint256 amount, address spender) internal {
        usdc.mint(who, amount);
        vm.prank(who);
        usdc.approve(spender, amount);
    }

    function hotKeyDigest(address keyOwner, address key) internal view returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(
            coordinator.domainSeparator(), Messages.structHash(HotKey({owner: keyOwner, key: key}))
        );
    }

    function registerHotKey(address keyOwner, uint256 privateKey) internal returns (address key) {
        key = vm.addr(privateKey);
        bytes memory proof = signature(privateKey, hotKeyDigest(keyOwner, key));
        vm.prank(keyOwner);
        stakes.registerHotKey(key, proof);
    }

    // --- registry

    function spec(string memory name) internal pure returns (FunctionSpec memory) {
        return FunctionSpec(name, keccak256(bytes(name)), keccak256("manifest"), 1000, 0, keccak256("runtime"));
    }

    function one(FunctionSpec memory s) internal pure returns (FunctionSpec[] memory specs) {
        specs = new FunctionSpec[](1);
        specs[0] = s;
    }

    // --- batches

    function firstHeader(address who) internal pure returns (BatchHeader memory h) {
        h.gateway = who;
        h.receiptsRoot = keccak256("receipts");
        h.earningsRoot = keccak256("earnings");
        h.dataDigest = keccak256("data");
        h.count = 1;
    }

    function next(BatchHeader memory h) internal pure returns (BatchHeader memory n) {
        n = firstHeader(h.gateway);
        n.index = h.index + 1;
        n.predecessor = hashOf(h);
        n.earningsRoot = h.earningsRoot;
        n.cumulativeWeight = h.cumulativeWeight;
    }

    function hashOf(BatchHeader memory h) internal pure returns (bytes32) {
        return keccak256(abi.encode(h));
    }

    function anchor(BatchHeader memory h) internal {
        vm.prank(h.gateway);
        coordinator.anchor(h);
    }

    /// @dev Earnings of one worker alone, in a header that is not anchored yet.
    function earn(BatchHeader memory h, address worker, uint96 cumulative)
        internal
        pure
        returns (SumProof memory proof)
    {
        address[] memory workers = new address[](1);
        uint96[] memory weights = new uint96[](1);
        (workers[0], weights[0]) = (worker, cumulative);
        bytes32[] memory leaves = SumTreeBuilder.earningsLeaves(workers, weights);
        (h.earningsRoot, h.cumulativeWeight) = SumTreeBuilder.build(leaves, weights);
        return SumTreeBuilder.proofOf(leaves, weights, 0);
    }

    // --- payments

    /// @dev A payment that somebody made to the account of (who, serviceOwner), swept.
    function pay(address who, address serviceOwner, uint256 amount) internal {
        usdc.mint(payments.accountOf(who, serviceOwner), amount);
        payments.sweep(who, serviceOwner);
    }
}
