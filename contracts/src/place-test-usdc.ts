import { type Hex, NETWORKS, PeerHostError } from '@peerhost/protocol'
import { getAddress, type JsonRpcApiProvider } from 'ethers'
import { readArtifacts } from './artifacts.ts'
import { checkUsdc, type UsdcDetails } from './check-usdc.ts'

/**
 * Puts the test USDC at the address where unmodified x402 clients expect one on chain 84532. For development chains
 * (anvil, hardhat) only; balances that are there stay.
 *
 * @throws PH_CHAIN_REVERTED where the node lets nobody place code, PH_CHAIN_USDC_MISMATCH
 */
export async function placeTestUsdc(
  provider: JsonRpcApiProvider,
  address: Hex = NETWORKS.local.usdc.address,
): Promise<UsdcDetails> {
  const runtimeCode = readArtifacts().contracts.TestUSDC.runtimeCode!
  // Asked past ethers' cache, which would answer the check below from the time before.
  if ((await provider.send('eth_getCode', [address, 'latest'])) !== runtimeCode) {
    try {
      await provider.send('anvil_setCode', [address, runtimeCode])
    } catch {
      await provider.send('hardhat_setCode', [address, runtimeCode]).catch((cause: unknown) => {
        const reason = 'this node cannot place code at an address: it is not a development chain'
        throw new PeerHostError('PH_CHAIN_REVERTED', { reason }, { cause })
      })
    }
  }
  return checkUsdc(provider, getAddress(address), NETWORKS.local.usdc)
}
