// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

/// @title PaymentAccount
/// @notice Receives the payments for one owner's services at one gateway. All it can do is hand everything to the
/// vault, which knows whose account it is by its address.
/// @dev The code behind the vault's minimal clones; its immutables are shared by all of them.
contract PaymentAccount {
    using SafeERC20 for IERC20;

    address public immutable vault;
    IERC20 public immutable usdc;

    error NotVault(address caller);

    constructor(IERC20 usdc_) {
        vault = msg.sender;
        usdc = usdc_;
    }

    /// @notice Sends all USDC to the vault; only the vault.
    function empty() external returns (uint256 amount) {
        require(msg.sender == vault, NotVault(msg.sender));
        amount = usdc.balanceOf(address(this));
        if (amount != 0) usdc.safeTransfer(vault, amount);
    }
}
