// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BodyTree} from "../src/libraries/BodyTree.sol";
import {MerkleSum, SumNode, SumProof} from "../src/libraries/MerkleSum.sol";
import {BatchHeader, Messages} from "../src/libraries/Messages.sol";
import {Sortition} from "../src/libraries/Sortition.sol";
import {SumTreeBuilder} from "./support/SumTreeBuilder.sol";
import {Test} from "./support/Test.sol";

/// @notice Lets the tests call with calldata.
contract LibraryCaller {
    function process(bytes32 leaf, uint96 weight, SumProof calldata proof)
        external
        pure
        returns (bytes32 root, uint96 sum)
    {
        return MerkleSum.process(leaf, weight, proof);
    }

    function headerHash(BatchHeader calldata header) external pure returns (bytes32) {
        return Messages.headerHash(header);
    }
}

contract LibrariesTest is Test {
    LibraryCaller private caller = new LibraryCaller();

    // --- MerkleSum

    function test_fuzz_everyLeafCanBeShown(bytes32[9] memory keys, uint88[9] memory weights, uint8 size) public view {
        (bytes32[] memory leaves, uint96[] memory w) = tree(keys, weights, 1 + size % 9);
        (bytes32 root, uint96 sum) = SumTreeBuilder.build(leaves, w);
        for (uint32 i = 0; i < leaves.length; ++i) {
            (bytes32 got, uint96 total) = caller.process(leaves[i], w[i], SumTreeBuilder.proofOf(leaves, w, i));
            assertEq(got, root, "root");
            assertEq(total, sum, "sum");
        }
    }

    function test_fuzz_nothingElseCanBeShown(
        bytes32[9] memory keys,
        uint88[9] memory weights,
        uint8 size,
        uint256 where,
        uint96 change
    ) public view {
        (bytes32[] memory leaves, uint96[] memory w) = tree(keys, weights, 2 + size % 8);
        (bytes32 root,) = SumTreeBuilder.build(leaves, w);
        uint32 index = uint32(where % leaves.length);
        SumProof memory proof = SumTreeBuilder.proofOf(leaves, w, index);
        change = uint96(bound(change, 1, type(uint88).max));
        (bytes32 heavier,) = caller.process(leaves[index], w[index] + change, proof);
        assertTrue(heavier != root, "a leaf heavier than its hash says changes the tops above it");
        uint256 at = where % proof.siblings.length;
        proof.siblings[at].sum += change;
        (bytes32 other,) = caller.process(leaves[index], w[index], proof);
        assertTrue(other != root, "another sum");
        proof.siblings[at].sum -= change;
        proof.siblings[at].hash = keccak256(abi.encode(proof.siblings[at].hash));
        (other,) = caller.process(leaves[index], w[index], proof);
        assertTrue(other != root, "another sibling");
    }

    function test_fuzz_indexAndDepthMustFit(uint32 index, uint32 count, uint8 depth) public {
        depth = uint8(bound(depth, 0, 40));
        if (depth < 32) count = uint32(bound(count, 0, uint256(4) << depth));
        index = uint32(bound(index, 0, uint256(count) + 1));
        SumProof memory proof = SumProof(count, index, new SumNode[](depth));
        bool fits = depth <= 32 && count <= (1 << uint256(depth))
            && (depth == 0 || count > (1 << (uint256(depth) - 1)));
        if (index >= count) {
            vm.expectRevert(abi.encodeWithSelector(MerkleSum.LeafIndexOutOfRange.selector, index, count));
        } else if (!fits) {
            vm.expectRevert(abi.encodeWithSelector(MerkleSum.WrongProofDepth.selector, depth, count));
        }
        caller.process(keccak256("leaf"), 1, proof);
    }

    function test_fuzz_sumsDoNotOverflow(uint96 a, uint96 b, uint96 c) public {
        SumProof memory proof = SumProof(4, 0, new SumNode[](2));
        proof.siblings[0].sum = b;
        proof.siblings[1].sum = c;
        if (uint256(a) + b + c > type(uint96).max) {
            vm.expectRevert(abi.encodeWithSelector(MerkleSum.SumOverflow.selector));
        }
        (, uint96 sum) = caller.process(keccak256("leaf"), a, proof);
        assertTrue(sum == 0 || uint256(sum) == uint256(a) + b + c, "sum");
    }

    /// @dev A sum that is no uint96 in calldata, which a Solidity caller could not even encode.
    function test_fuzz_aDirtySumIsRefused(uint256 dirty) public {
        vm.assume(dirty > type(uint96).max);
        bytes memory message = abi.encodeCall(
            LibraryCaller.process, (keccak256("leaf"), 1, SumProof(2, 0, new SumNode[](1)))
        );
        assembly ("memory-safe") {
            mstore(add(message, mload(message)), dirty)
        }
        (bool ok, bytes memory reason) = address(caller).call(message);
        assertTrue(!ok, "refused");
        assertEq(keccak256(reason), keccak256(abi.encodeWithSelector(MerkleSum.SumOverflow.selector)), "reason");
    }

    // --- BodyTree

    function test_fuzz_everyChunkCanBeShown(uint16 size, bytes32 seed) public pure {
        size = uint16(bound(size, 0, 5 * 4096));
        bytes memory body = filled(size, seed);
        bytes32 root = BodyTree.root(body);
        if (size == 0) {
            assertEq(root, bytes32(0), "empty");
            return;
        }
        uint256 count = (uint256(size) + 4095) / 4096;
        for (uint256 i = 0; i < count; ++i) {
            (bytes memory chunk, bytes32[] memory path) = chunkPath(body, i);
            assertEq(BodyTree.rootFromChunk(chunk, i, size, path), root, "root");
            chunk[0] = ~chunk[0];
            assertTrue(BodyTree.rootFromChunk(chunk, i, size, path) != root, "another chunk");
        }
    }

    function test_chunksOfTheWrongShapeHaveNoRoot() public pure {
        bytes memory body = filled(4096 * 2 + 1, 0);
        (bytes memory chunk, bytes32[] memory path) = chunkPath(body, 2);
        assertEq(BodyTree.rootFromChunk(chunk, 2, body.length, path), BodyTree.root(body), "right");
        assertEq(BodyTree.rootFromChunk(chunk, 3, body.length, path), bytes32(0), "index");
        assertEq(BodyTree.rootFromChunk(chunk, 1, body.length, path), bytes32(0), "chunk too short");
        assertEq(BodyTree.rootFromChunk(chunk, 2, body.length + 1, path), bytes32(0), "another length");
        assertEq(BodyTree.rootFromChunk(chunk, 2, body.length, new bytes32[](1)), bytes32(0), "path too short");
        assertEq(BodyTree.rootFromChunk(chunk, 2, body.length, new bytes32[](3)), bytes32(0), "path too long");
    }

    // --- Messages

    function test_fuzz_headerHashIsThatOfItsEncoding(BatchHeader calldata header) public view {
        assertEq(caller.headerHash(header), keccak256(abi.encode(header)), "hash");
    }

    // --- Sortition

    function test_fuzz_drawnAsOftenAsSeats(bytes32 seed, uint8 seats) public pure {
        uint256 total = 64;
        seats = uint8(bound(seats, 0, 64));
        uint256 drawn;
        for (uint256 unit = 0; unit < total; ++unit) {
            if (Sortition.drawn(seed, "jury", 0, address(1), unit, seats, total)) ++drawn;
        }
        if (seats == 0) assertEq(drawn, 0, "none");
        if (seats == 64) assertEq(drawn, 64, "all");
    }

    function test_fuzz_drawnIsExact(bytes32 seed, uint128 seats, uint128 total) public pure {
        total = uint128(bound(total, 1, type(uint128).max));
        seats = uint128(bound(seats, 0, total - 1));
        uint256 hash = uint256(keccak256(abi.encode(seed, bytes32("jury"), uint256(1), address(2), uint256(3))));
        // floor(2^256 x seats / total) from halves: 2^128 x seats / total, and its rest once more.
        uint256 high = (uint256(seats) << 128) / total;
        uint256 low = (((uint256(seats) << 128) % total) << 128) / total;
        uint256 threshold = (high << 128) + low;
        bool exact = (((uint256(seats) << 128) % total) << 128) % total == 0;
        bool expected = hash < threshold || (!exact && hash == threshold);
        assertTrue(Sortition.drawn(seed, "jury", 1, address(2), 3, seats, total) == expected, "drawn");
    }

    // --- helpers

    function tree(bytes32[9] memory keys, uint88[9] memory weights, uint256 size)
        private
        pure
        returns (bytes32[] memory leaves, uint96[] memory w)
    {
        leaves = new bytes32[](size);
        w = new uint96[](size);
        for (uint256 i = 0; i < size; ++i) {
            w[i] = weights[i];
            leaves[i] = MerkleSum.receiptLeaf(keys[i], keccak256(abi.encode(i)), w[i]);
        }
    }

    function filled(uint256 size, bytes32 seed) private pure returns (bytes memory body) {
        body = new bytes(size);
        for (uint256 i = 0; i < size; i += 1024) {
            body[i] = bytes1(keccak256(abi.encode(seed, i)));
        }
    }

    function chunkPath(bytes memory body, uint256 index)
        private
        pure
        returns (bytes memory chunk, bytes32[] memory path)
    {
        uint256 count = (body.length + 4095) / 4096;
        uint256 depth;
        while (1 << depth < count) ++depth;
        bytes32[] memory level = new bytes32[](1 << depth);
        for (uint256 i = 0; i < count; ++i) {
            bytes memory part = slice(body, i);
            level[i] = BodyTree.leaf(part);
            if (i == index) chunk = part;
        }
        path = new bytes32[](depth);
        for (uint256 d = 0; d < depth; ++d) {
            path[d] = level[(index >> d) ^ 1];
            for (uint256 i = 0; i < 1 << (depth - d); i += 2) {
                level[i >> 1] = BodyTree.node(level[i], level[i + 1]);
            }
        }
    }

    function slice(bytes memory body, uint256 index) private pure returns (bytes memory part) {
        uint256 start = index * 4096;
        uint256 size = body.length - start < 4096 ? body.length - start : 4096;
        part = new bytes(size);
        for (uint256 i = 0; i < size; ++i) {
            part[i] = body[start + i];
        }
    }
}
