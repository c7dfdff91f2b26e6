// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MerkleSum, SumNode, SumProof} from "../../src/libraries/MerkleSum.sol";

/// @notice Builds sum trees and proofs the long way, for the tests.
library SumTreeBuilder {
    function build(bytes32[] memory leaves, uint96[] memory weights)
        internal
        pure
        returns (bytes32 root, uint96 sum)
    {
        SumNode[] memory level = _bottom(leaves, weights);
        while (level.length > 1) level = _up(level);
        return (MerkleSum.rootOf(uint32(leaves.length), level[0].hash, level[0].sum), level[0].sum);
    }

    function proofOf(bytes32[] memory leaves, uint96[] memory weights, uint32 index)
        internal
        pure
        returns (SumProof memory proof)
    {
        SumNode[] memory level = _bottom(leaves, weights);
        uint256 depth;
        while (1 << depth < level.length) ++depth;
        proof.count = uint32(leaves.length);
        proof.index = index;
        proof.siblings = new SumNode[](depth);
        for (uint256 i = 0; i < depth; ++i) {
            proof.siblings[i] = level[(index >> i) ^ 1];
            level = _up(level);
        }
    }

    function earningsLeaves(address[] memory workers, uint96[] memory cumulative)
        internal
        pure
        returns (bytes32[] memory leaves)
    {
        leaves = new bytes32[](workers.length);
        for (uint256 i = 0; i < workers.length; ++i) {
            leaves[i] = MerkleSum.earningsLeaf(workers[i], cumulative[i]);
        }
    }

    function _bottom(bytes32[] memory leaves, uint96[] memory weights) private pure returns (SumNode[] memory level) {
        uint256 width = 1;
        while (width < leaves.length) width <<= 1;
        level = new SumNode[](width);
        for (uint256 i = 0; i < leaves.length; ++i) {
            level[i] = SumNode(leaves[i], weights[i]);
        }
    }

    function _up(SumNode[] memory level) private pure returns (SumNode[] memory next) {
        next = new SumNode[](level.length / 2);
        for (uint256 i = 0; i < next.length; ++i) {
            SumNode memory left = level[2 * i];
            SumNode memory right = level[2 * i + 1];
            next[i] = SumNode(MerkleSum.node(left.hash, left.sum, right.hash, right.sum), left.sum + right.sum);
        }
    }
}
