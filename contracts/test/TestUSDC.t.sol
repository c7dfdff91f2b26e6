// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {TestUSDC} from "../src/TestUSDC.sol";
import {Test} from "./support/Test.sol";

contract TestUSDCTest is Test {
    address private constant PLACE = 0x036CbD53842c5426634e7929541eC2318f3dCF7e;
    bytes32 private constant TRANSFER = keccak256(
        "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );
    bytes32 private constant RECEIVE = keccak256(
        "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );

    TestUSDC private usdc = TestUSDC(PLACE);
    address private payer = vm.addr(5);
    address private payee = makeAddr("payee");

    /// @dev Its code alone, at another address and without its constructor's storage: as `peerhost dev` places it.
    function setUp() public {
        vm.warp(1_800_000_000);
        vm.etch(PLACE, address(new TestUSDC()).code);
    }

    function test_placedCodeIsUsdc() public view {
        assertEq(keccak256(bytes(usdc.name())), keccak256("USDC"), "name");
        assertEq(keccak256(bytes(usdc.symbol())), keccak256("USDC"), "symbol");
        assertEq(keccak256(bytes(usdc.version())), keccak256("2"), "version");
        assertEq(usdc.decimals(), 6, "decimals");
        assertEq(usdc.DOMAIN_SEPARATOR(), domain(), "domain");
        (, string memory name, string memory version,, address at,,) = usdc.eip712Domain();
        assertEq(keccak256(bytes(name)), keccak256("USDC"), "domain name");
        assertEq(keccak256(bytes(version)), keccak256("2"), "domain version");
        assertEq(at, PLACE, "domain address");
    }

    function test_fuzz_transferWithAuthorization(
        uint96 value,
        uint64 validAfter,
        uint64 validBefore,
        bytes32 nonce,
        bool used,
        bool forged
    ) public {
        validAfter = uint64(bound(validAfter, block.timestamp - 10, block.timestamp + 10));
        validBefore = uint64(bound(validBefore, block.timestamp - 10, block.timestamp + 10));
        usdc.mint(payer, 1e12);
        value = uint96(bound(value, 0, 2e12));
        if (used) {
            bytes memory cancel = signature(
                5,
                MessageHashUtils.toTypedDataHash(
                    domain(),
                    keccak256(
                        abi.encode(keccak256("CancelAuthorization(address authorizer,bytes32 nonce)"), payer, nonce)
                    )
                )
            );
            usdc.cancelAuthorization(payer, nonce, cancel);
        }
        bytes memory proof =
            signature(forged ? 6 : 5, digest(TRANSFER, payee, value, validAfter, validBefore, nonce));
        bool fails = true;
        if (forged) {
            vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        } else if (block.timestamp <= validAfter || block.timestamp >= validBefore) {
            vm.expectRevert(
                abi.encodeWithSelector(ERC3009.ERC3009InvalidAuthorizationTime.selector, validAfter, validBefore)
            );
        } else if (used) {
            vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009UsedAuthorization.selector, payer, nonce));
        } else if (value > 1e12) {
            vm.expectRevert(
                abi.encodeWithSignature("ERC20InsufficientBalance(address,uint256,uint256)", payer, 1e12, value)
            );
        } else {
            fails = false;
        }
        usdc.transferWithAuthorization(payer, payee, value, validAfter, validBefore, nonce, proof);
        if (fails) return;
        assertEq(usdc.balanceOf(payee), value, "paid");
        assertTrue(usdc.authorizationState(payer, nonce), "used");
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009UsedAuthorization.selector, payer, nonce));
        usdc.transferWithAuthorization(payer, payee, value, validAfter, validBefore, nonce, proof);
    }

    function test_onlyThePayeeReceives() public {
        usdc.mint(payer, 100);
        uint256 later = block.timestamp + 1;
        bytes memory proof = signature(5, digest(RECEIVE, payee, 100, 0, later, keccak256("random")));
        vm.expectRevert(abi.encodeWithSignature("ERC20InvalidReceiver(address)", payee));
        usdc.receiveWithAuthorization(payer, payee, 100, 0, later, keccak256("random"), proof);
        vm.prank(payee);
        usdc.receiveWithAuthorization(payer, payee, 100, 0, later, keccak256("random"), proof);
        assertEq(usdc.balanceOf(payee), 100, "received");
    }

    function test_theFaucetHasALimit() public {
        uint256 limit = usdc.FAUCET_LIMIT();
        usdc.mint(payer, limit);
        vm.expectRevert(abi.encodeWithSelector(TestUSDC.FaucetLimitExceeded.selector, limit + 1, limit));
        usdc.mint(payer, limit + 1);
    }

    function digest(bytes32 typeHash, address to, uint256 value, uint256 from, uint256 until, bytes32 nonce)
        private
        view
        returns (bytes32)
    {
        bytes32 structHash = keccak256(abi.encode(typeHash, payer, to, value, from, until, nonce));
        return MessageHashUtils.toTypedDataHash(domain(), structHash);
    }

    function domain() private view returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("USDC"),
                keccak256("2"),
                block.chainid,
                PLACE
            )
        );
    }
}
