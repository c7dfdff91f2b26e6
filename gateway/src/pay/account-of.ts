import { fromHex, type Hex, keccak256 } from '@peerhost/protocol'

/** abi.encode of two addresses. */
const pair = (a: Hex, b: Hex): Hex => `0x${'00'.repeat(12)}${a.slice(2)}${'00'.repeat(12)}${b.slice(2)}`

/**
 * The PaymentVault's account of (gateway, owner): the address of a minimal clone (EIP-1167) by CREATE2 (EIP-1014), which
 * need not exist yet. Computed here, so that an offer needs no call of the chain.
 */
export function accountOf(vault: Hex, implementation: Hex, gateway: Hex, owner: Hex): Hex {
  const creationCode: Hex = `0x3d602d80600a3d3981f3363d3d373d3d3d363d73${implementation.slice(2)}5af43d82803e903d91602b57fd5bf3`
  const salt = keccak256(fromHex(pair(gateway, owner)))
  const preimage: Hex = `0xff${vault.slice(2)}${salt.slice(2)}${keccak256(fromHex(creationCode)).slice(2)}`
  return `0x${keccak256(fromHex(preimage)).slice(26)}`
}
