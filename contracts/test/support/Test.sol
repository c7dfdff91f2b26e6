// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice The cheat codes that the tests use.
interface Vm {
    function warp(uint256 time) external;
    function prank(address sender) external;
    function startPrank(address sender) external;
    function stopPrank() external;
    function expectRevert(bytes calldata data) external;
    function expectRevert() external;
    function expectEmit(address emitter) external;
    function etch(address target, bytes calldata code) external;
    function addr(uint256 key) external view returns (address);
    function sign(uint256 key, bytes32 digest) external view returns (uint8 v, bytes32 r, bytes32 s);
    function assume(bool condition) external pure;
    function getNonce(address account) external view returns (uint64);
    function computeCreateAddress(address deployer, uint256 nonce) external pure returns (address);
    function chainId(uint256 id) external;
}

/// @notice Assertions and helpers; forge-std's part that is needed here.
abstract contract Test {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    error NotEqual(string what, uint256 actual, uint256 expected);
    error NotEqualWord(string what, bytes32 actual, bytes32 expected);
    error NotTrue(string what);
    error Above(string what, uint256 actual, uint256 maximum);

    function assertEq(uint256 actual, uint256 expected, string memory what) internal pure {
        if (actual != expected) revert NotEqual(what, actual, expected);
    }

    function assertEq(address actual, address expected, string memory what) internal pure {
        if (actual != expected) revert NotEqualWord(what, _word(actual), _word(expected));
    }

    function assertEq(bytes32 actual, bytes32 expected, string memory what) internal pure {
        if (actual != expected) revert NotEqualWord(what, actual, expected);
    }

    function assertTrue(bool condition, string memory what) internal pure {
        if (!condition) revert NotTrue(what);
    }

    function assertLe(uint256 actual, uint256 maximum, string memory what) internal pure {
        if (actual > maximum) revert Above(what, actual, maximum);
    }

    /// @dev Folds a fuzzed value into [minimum, maximum].
    function bound(uint256 value, uint256 minimum, uint256 maximum) internal pure returns (uint256) {
        unchecked {
            uint256 size = maximum - minimum + 1;
            return size == 0 ? value : minimum + value % size;
        }
    }

    function makeAddr(string memory name) internal pure returns (address) {
        return address(uint160(uint256(keccak256(bytes(name)))));
    }

    function signature(uint256 key, bytes32 digest) internal view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function _word(address a) private pure returns (bytes32) {
        return bytes32(uint256(uint160(a)));
    }
}
