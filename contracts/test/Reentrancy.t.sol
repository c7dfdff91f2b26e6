// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IPaymentVault} from "../src/interfaces/IPaymentVault.sol";
import {IStakeVault} from "../src/interfaces/IStakeVault.sol";
import {BatchHeader} from "../src/libraries/Messages.sol";
import {SumProof} from "../src/libraries/MerkleSum.sol";
import {World} from "./support/World.sol";

/// @notice A token that, in the middle of a transfer, calls what it was told: it is worker, owner and court at once.
contract HostileToken is ERC20("Hostile", "BAD") {
    address private _target;
    bytes private _message;
    bool public called;
    bool public succeeded;
    bytes public answer;

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    /// @dev Approvals without asking: the token is on the attacker's side.
    function allowance(address, address) public pure override returns (uint256) {
        return type(uint256).max;
    }

    /// @dev At the next transfer that is no mint.
    function attack(address target, bytes calldata message) external {
        (_target, _message, called, succeeded) = (target, message, false, false);
    }

    function run(address target, bytes calldata message) external returns (bytes memory) {
        (bool ok, bytes memory data) = target.call(message);
        if (!ok) {
            assembly ("memory-safe") {
                revert(add(data, 32), mload(data))
            }
        }
        return data;
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (from == address(0) || _target == address(0)) return;
        address target = _target;
        _target = address(0);
        called = true;
        (succeeded, answer) = target.call(_message);
    }
}

contract ReentrancyTest is World {
    HostileToken private token;
    bytes32 private constant GUARDED =
        keccak256(abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector));

    function setUp() public override {
        vm.warp(1_800_000_000);
        token = new HostileToken();
        court = address(token);
        deployWith(IERC20(address(token)));
        token.mint(address(token), 1e12);
        // What is to be stolen.
        token.mint(address(stakes), 1e12);
        token.mint(address(payments), 1e12);
    }

    /// @dev Runs `first` as the token; in its transfer the token calls `second`, which the guard must refuse.
    function refuses(address vault, bytes memory first, bytes memory second) private {
        token.attack(vault, second);
        token.run(vault, first);
        assertTrue(token.called(), "the token called in");
        assertTrue(!token.succeeded(), "and was refused");
        assertEq(keccak256(token.answer()), GUARDED, "by the guard");
    }

    function test_stakeVaultIsNotReentered() public {
        bytes[4] memory calls = [
            abi.encodeCall(IStakeVault.stake, (2)),
            abi.encodeCall(IStakeVault.withdraw, (address(token))),
            abi.encodeCall(IStakeVault.slash, (address(token), 1e6)),
            abi.encodeCall(IStakeVault.stake, (1))
        ];
        token.run(address(stakes), abi.encodeCall(IStakeVault.stake, (8)));
        for (uint256 i = 0; i < calls.length; ++i) {
            for (uint256 j = 0; j < 3; ++j) {
                token.run(address(stakes), abi.encodeCall(IStakeVault.stake, (1)));
                token.run(address(stakes), abi.encodeCall(IStakeVault.unbond, (uint96(1e6))));
                vm.warp(block.timestamp + UNBONDING);
                refuses(address(stakes), calls[i], calls[j]);
            }
        }
    }

    /// @dev What is not guarded has taken effect before the transfer: unbonding what is being slashed fails.
    function test_aSlashIsDoneBeforeItsTransfer() public {
        token.run(address(stakes), abi.encodeCall(IStakeVault.stake, (2)));
        token.attack(address(stakes), abi.encodeCall(IStakeVault.unbond, (uint96(2 * UNIT))));
        token.run(address(stakes), abi.encodeCall(IStakeVault.slash, (address(token), 2 * UNIT)));
        assertTrue(token.called() && !token.succeeded(), "refused");
        bytes memory expected = abi.encodeWithSelector(IStakeVault.NotEnoughBonded.selector, 2 * UNIT, 0);
        assertEq(keccak256(token.answer()), keccak256(expected), "nothing is bonded any more");
    }

    function test_paymentVaultIsNotReentered() public {
        address[] memory gateways = new address[](1);
        gateways[0] = gateway;
        bytes[7] memory calls = [
            abi.encodeCall(IPaymentVault.sweep, (gateway, address(token))),
            abi.encodeCall(IPaymentVault.withdraw, (address(token), 10)),
            abi.encodeCall(IPaymentVault.withdrawFor, (address(token))),
            abi.encodeCall(IPaymentVault.withdrawEarnings, (address(token), gateways)),
            abi.encodeCall(IPaymentVault.addToPot, (gateway, 10)),
            abi.encodeCall(IPaymentVault.addToAuditPool, (10)),
            abi.encodeCall(IPaymentVault.grant, (gateway, 10, 10))
        ];
        stakeGateway();
        uint96 cumulative;
        BatchHeader memory header = firstHeader(gateway);
        for (uint256 i = 0; i < calls.length; ++i) {
            for (uint256 j = 0; j < calls.length; ++j) {
                // So that each of them would succeed: something in the account, a balance, earnings.
                token.mint(payments.accountOf(gateway, address(token)), 10_000);
                payments.sweep(gateway, address(token));
                token.mint(payments.accountOf(gateway, address(token)), 10_000);
                cumulative += 10_000;
                SumProof memory proof = earn(header, address(token), cumulative);
                anchor(header);
                vm.warp(block.timestamp + WINDOW + 1);
                payments.claim(header, address(token), cumulative, proof);
                header = next(header);
                refuses(address(payments), calls[i], calls[j]);
            }
        }
    }

    /// @dev A claim in the middle of the payment of earnings counts once.
    function test_earningsAreWithdrawnOnce() public {
        stakeGateway();
        address[] memory gateways = new address[](1);
        gateways[0] = gateway;
        token.mint(payments.accountOf(gateway, owner), 1e6);
        payments.sweep(gateway, owner);
        BatchHeader memory header = firstHeader(gateway);
        SumProof memory proof = earn(header, address(token), 100_000);
        anchor(header);
        vm.warp(block.timestamp + WINDOW + 1);
        payments.claim(header, address(token), 100_000, proof);
        token.attack(address(payments), abi.encodeCall(IPaymentVault.claim, (header, address(token), 100_000, proof)));
        uint256 before = token.balanceOf(address(token));
        payments.withdrawEarnings(address(token), gateways);
        assertTrue(token.called() && !token.succeeded(), "nothing more to claim");
        assertEq(token.balanceOf(address(token)) - before, 1000, "once");
    }

    function stakeGateway() private {
        token.mint(gateway, 5 * UNIT);
        vm.prank(gateway);
        stakes.stake(5);
    }
}
