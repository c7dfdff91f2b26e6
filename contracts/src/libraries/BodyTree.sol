// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title BodyTree
/// @notice Merkle tree over the 4 KiB chunks of a body, so that a part of it can be shown on-chain.
/// @dev leaf = keccak256(0x00 ‖ chunk), node = keccak256(0x01 ‖ left ‖ right), padded to a power of two with zero
/// hashes; the root of an empty body is 0.
library BodyTree {
    uint256 internal constant CHUNK_SIZE = 4096;

    /// @notice `bodyRoot` of a whole body.
    function root(bytes memory body) internal pure returns (bytes32) {
        uint256 count = (body.length + CHUNK_SIZE - 1) / CHUNK_SIZE;
        if (count == 0) return bytes32(0);
        uint256 width = 1;
        while (width < count) width <<= 1;
        bytes32[] memory level = new bytes32[](width);
        for (uint256 i = 0; i < count; ++i) {
            level[i] = leaf(_chunk(body, i));
        }
        for (; width > 1; width >>= 1) {
            for (uint256 i = 0; i < width; i += 2) {
                level[i >> 1] = node(level[i], level[i + 1]);
            }
        }
        return level[0];
    }

    /// @notice The root of the body of `length` bytes that has `chunk` at position `index`; 0 (no body's root) when
    /// chunk, index or path do not fit that length.
    function rootFromChunk(bytes memory chunk, uint256 index, uint256 length, bytes32[] memory path)
        internal
        pure
        returns (bytes32 hash)
    {
        uint256 count = (length + CHUNK_SIZE - 1) / CHUNK_SIZE;
        if (index >= count || path.length > 64) return bytes32(0);
        uint256 width = 1 << path.length;
        if (count > width || count <= width >> 1) return bytes32(0);
        uint256 expected = index + 1 == count ? length - index * CHUNK_SIZE : CHUNK_SIZE;
        if (chunk.length != expected) return bytes32(0);
        hash = leaf(chunk);
        for (uint256 i = 0; i < path.length; ++i) {
            hash = (index >> i) & 1 == 0 ? node(hash, path[i]) : node(path[i], hash);
        }
    }

    function leaf(bytes memory chunk) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x00), chunk));
    }

    function node(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x01), left, right));
    }

    function _chunk(bytes memory body, uint256 index) private pure returns (bytes memory chunk) {
        uint256 start = index * CHUNK_SIZE;
        uint256 size = body.length - start < CHUNK_SIZE ? body.length - start : CHUNK_SIZE;
        chunk = new bytes(size);
        assembly ("memory-safe") {
            mcopy(add(chunk, 32), add(add(body, 32), start), size)
        }
    }
}
