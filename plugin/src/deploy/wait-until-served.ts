import { setTimeout as sleep } from 'node:timers/promises'
import { type Hex, isPeerHostError, PeerHostError } from '@peerhost/protocol'
import type { GatewayClient, ServedFunction } from './gateway-client.ts'

export interface Awaited {
  /** Functions that must be served, under which manifest, and in which version at least: a rollback brings an old manifest back. */
  functions: { name: string; manifestDigest: Hex; version?: number }[]
  /** Functions that must be gone. */
  removed: string[]
}

/** Milliseconds; a public chain's `finalized` block trails by some. */
const PATIENCE = 120_000

/** Asks the gateway until it serves what was registered. @throws PH_GATEWAY_NOT_SERVED */
export async function waitUntilServed(
  gateway: GatewayClient,
  owner: Hex,
  project: string,
  { functions, removed }: Awaited,
  patience = PATIENCE,
): Promise<Map<string, ServedFunction>> {
  const end = Date.now() + patience
  for (let pause = 50; ; pause = Math.min(pause * 1.5, 1000)) {
    try {
      const served = await gateway.services(owner, project)
      const isThere = functions.every(({ name, manifestDigest, version = 1 }) => {
        const found = served.get(name)
        return found !== undefined && found.manifestDigest === manifestDigest && found.version >= version
      })
      if (isThere && !removed.some((name) => served.has(name))) return served
    } catch (error) {
      // a gateway that is gone for a moment may be back before patience ends
      if (!isPeerHostError(error) || Date.now() > end) throw error
    }
    if (Date.now() > end) throw new PeerHostError('PH_GATEWAY_NOT_SERVED', { url: gateway.url })
    await sleep(pause)
  }
}
