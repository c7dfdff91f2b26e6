// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice A neighbour on the way from a leaf to the top.
struct SumNode {
    bytes32 hash;
    uint96 sum;
}

/// @notice Shows one leaf of a sum tree; `siblings` from the leaf upwards.
struct SumProof {
    uint32 count;
    uint32 index;
    SumNode[] siblings;
}

/// @title MerkleSum
/// @notice Merkle trees whose nodes commit to the sum of the weights below them.
/// @dev leaf = keccak256(0x00 ‖ bytes32 ‖ bytes32 ‖ uint96 weight); node = keccak256(0x01 ‖ left ‖ uint96 its sum ‖
/// right ‖ uint96 its sum); padded to a power of two with (hash 0, sum 0); root = keccak256(0x02 ‖ uint32 count ‖ top ‖
/// uint96 sum). A leaf that can be shown has the sums of its path right, so all leaves that can be shown under one root
/// weigh at most the root's sum, however the rest of the tree was made.
library MerkleSum {
    /// @dev The index is not below the tree's number of leaves.
    error LeafIndexOutOfRange(uint32 index, uint32 count);
    /// @dev A tree of `count` leaves is not `depth` high.
    error WrongProofDepth(uint256 depth, uint32 count);
    /// @dev The sums on the path pass 2^96 - 1.
    error SumOverflow();

    /// @notice A leaf of the receipts tree.
    function receiptLeaf(bytes32 receiptHash, bytes32 paymentRef, uint96 weight) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x00), receiptHash, paymentRef, weight));
    }

    /// @notice A leaf of the earnings tree.
    function earningsLeaf(address worker, uint96 cumulative) internal pure returns (bytes32) {
        return receiptLeaf(bytes32(uint256(uint160(worker))), bytes32(0), cumulative);
    }

    /// @dev abi.encodePacked would take new memory at every step of a path: this reuses the free memory.
    function node(bytes32 left, uint96 leftSum, bytes32 right, uint96 rightSum) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let at := mload(0x40)
            mstore8(at, 0x01)
            mstore(add(at, 1), left)
            mstore(add(at, 33), shl(160, leftSum))
            mstore(add(at, 45), right)
            mstore(add(at, 77), shl(160, rightSum))
            hash := keccak256(at, 89)
        }
    }

    function rootOf(uint32 count, bytes32 top, uint96 sum) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x02), count, top, sum));
    }

    /// @notice The root and total weight of the tree that holds this leaf at `proof.index`.
    function process(bytes32 leaf, uint96 weight, SumProof calldata proof)
        internal
        pure
        returns (bytes32 root, uint96 sum)
    {
        uint32 count = proof.count;
        uint256 index = proof.index;
        uint256 depth = proof.siblings.length;
        require(index < count, LeafIndexOutOfRange(proof.index, count));
        require(
            depth <= 32 && count <= (1 << depth) && (depth == 0 || count > (1 << (depth - 1))),
            WrongProofDepth(depth, count)
        );
        SumNode[] calldata siblings = proof.siblings;
        bytes32 top = leaf;
        uint256 total = weight;
        uint256 beyond;
        // By hand, because a claim is mostly this: reuses the free memory, and looks once at the end whether any sum
        // passed 96 bits (`beyond` gathers what lies above them; such a sum has no meaning until then).
        assembly ("memory-safe") {
            let at := mload(0x40)
            mstore8(at, 0x01)
            let sibling := siblings.offset
            for { let end := add(sibling, shl(6, depth)) } lt(sibling, end) { sibling := add(sibling, 64) } {
                let hash := calldataload(sibling)
                let sum_ := calldataload(add(sibling, 32))
                switch and(index, 1)
                case 0 {
                    mstore(add(at, 1), top)
                    mstore(add(at, 33), shl(160, total))
                    mstore(add(at, 45), hash)
                    mstore(add(at, 77), shl(160, sum_))
                }
                default {
                    mstore(add(at, 1), hash)
                    mstore(add(at, 33), shl(160, sum_))
                    mstore(add(at, 45), top)
                    mstore(add(at, 77), shl(160, total))
                }
                top := keccak256(at, 89)
                index := shr(1, index)
                total := add(total, sum_)
                beyond := or(beyond, shr(96, or(total, sum_)))
            }
        }
        require(beyond == 0, SumOverflow());
        sum = uint96(total);
        root = rootOf(count, top, sum);
    }
}
