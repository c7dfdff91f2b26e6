import { type Hex, PeerHostError, RUNTIME_IDS } from '@peerhost/protocol'

/** The runtime that this machine runs functions on. Throws PH_SANDBOX_UNAVAILABLE on an unknown architecture. */
export function runtimeId(): Hex {
  const id = (RUNTIME_IDS as Record<string, Hex>)[process.arch]
  if (id) return id
  throw new PeerHostError('PH_SANDBOX_UNAVAILABLE', { detail: `there is no runtime for ${process.arch}` })
}
