import { isPeerHostError, PeerHostError } from '@peerhost/protocol'
import type { JsonRpcProvider } from 'ethers'
import { hostOf, reasonOf } from './connect-chain.ts'

/** PH_CHAIN_UNREACHABLE for whatever kept a node from answering; a PeerHostError stays as it is. */
export function nodeError(provider: JsonRpcProvider, cause: unknown): PeerHostError {
  if (isPeerHostError(cause)) return cause
  const { url } = provider._getConnection()
  return new PeerHostError('PH_CHAIN_UNREACHABLE', { url: hostOf(url), detail: reasonOf(cause) }, { cause })
}
