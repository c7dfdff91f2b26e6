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
    error SumOverflow(uint256 sum);

    /// @notice A leaf of the receipts tree.
    function receiptLeaf(bytes32 receiptHash, bytes32 paymentRef, uint96 weight) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x00), receiptHash, paymentRef, weight));
    }

    /// @notice A leaf of the earnings tree.
    function earningsLeaf(address worker, uint96 cumulative) internal pure returns (bytes32) {
        return receiptLeaf(bytes32(uint256(uint160(worker))), bytes32(0), cumulative);
    }

    function node(bytes32 left, uint96 leftSum, bytes32 right, uint96 rightSum) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x01), left, leftSum, right, rightSum));
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
        bytes32 top = leaf;
        sum = weight;
        for (uint256 i = 0; i < depth; ++i) {
            SumNode calldata sibling = proof.siblings[i];
            top = index & 1 == 0
                ? node(top, sum, sibling.hash, sibling.sum)
                : node(sibling.hash, sibling.sum, top, sum);
            sum = _add(sum, sibling.sum);
            index >>= 1;
        }
        root = rootOf(count, top, sum);
    }

    function _add(uint96 a, uint96 b) private pure returns (uint96) {
        uint256 sum = uint256(a) + b;
        require(sum <= type(uint96).max, SumOverflow(sum));
        return uint96(sum);
    }
}
