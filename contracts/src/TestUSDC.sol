// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {ERC20TransferAuthorization} from
    "@openzeppelin/contracts/token/ERC20/extensions/ERC20TransferAuthorization.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

/// @title TestUSDC
/// @notice Stands in for USDC on the local network: 6 decimals, EIP-3009, and money for everyone who asks.
/// @dev It keeps nothing in storage but balances, so that its runtime code also works at an address where it was put by
/// `anvil_setCode`. The EIP-712 domain is rebuilt there from name and version, which are in the code.
/// OpenZeppelin's extension wants sequential nonces; USDC and its x402 clients use random ones, so those rules of
/// {ERC3009} are restored.
contract TestUSDC is ERC20TransferAuthorization {
    /// @dev More than anybody can test with, little enough for every sum to fit.
    uint256 public constant FAUCET_LIMIT = 1e12 * 1e6;

    error FaucetLimitExceeded(uint256 amount, uint256 limit);

    constructor() ERC20("", "") EIP712("USDC", "2") {}

    /// @notice Gives `amount` (atomic units) to `to`; anyone may call it.
    function mint(address to, uint256 amount) external {
        require(amount <= FAUCET_LIMIT, FaucetLimitExceeded(amount, FAUCET_LIMIT));
        _mint(to, amount);
    }

    // solhint-disable-next-line func-name-mixedcase
    function DOMAIN_SEPARATOR() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    function version() external pure returns (string memory) {
        return "2";
    }

    function name() public pure override returns (string memory) {
        return "USDC";
    }

    function symbol() public pure override returns (string memory) {
        return "USDC";
    }

    function decimals() public pure override returns (uint8) {
        return 6;
    }

    function authorizationState(address authorizer, bytes32 nonce) public view override returns (bool) {
        return ERC3009.authorizationState(authorizer, nonce);
    }

    function _consumeNonce(address authorizer, bytes32 nonce) internal override {
        ERC3009._consumeNonce(authorizer, nonce);
    }
}
