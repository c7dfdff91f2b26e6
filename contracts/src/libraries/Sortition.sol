// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Sortition
/// @notice Draws units of stake without a list that somebody could reorder and without a transaction.
library Sortition {
    /// @notice Whether unit `unit` of `worker` is drawn for (purpose, round): keccak256(seed, purpose, round, worker,
    /// unit) < 2^256 x seats / totalUnits.
    /// @dev Exact: h < 2^256 x seats / total is h x total < 2^256 x seats, that is, the high word of h x total < seats.
    function drawn(
        bytes32 seed,
        bytes32 purpose,
        uint256 round,
        address worker,
        uint256 unit,
        uint256 seats,
        uint256 totalUnits
    ) internal pure returns (bool) {
        uint256 hash = uint256(keccak256(abi.encode(seed, purpose, round, worker, unit)));
        (uint256 high,) = Math.mul512(hash, totalUnits);
        return high < seats;
    }
}
