import { isPeerHostError, PeerHostError } from '@peerhost/protocol'
import type { NetworkOptions } from '../deploy/connect-network.ts'
import { type StartedNetwork, startNetwork } from '../deploy/start-network.ts'
import type { PeerHostProvider } from '../provider.ts'

const isThere = async (url: string): Promise<boolean> => {
  try {
    return (await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(3000) })).ok
  } catch {
    return false
  }
}

/** The local network that runs, or one of our own. @throws PH_CONFIG_INVALID for a public one, PH_DEV_START_FAILED */
export async function reachNetwork(
  provider: PeerHostProvider,
  signal: AbortSignal,
): Promise<{ options: NetworkOptions; own?: StartedNetwork }> {
  const { serverless, steps } = provider
  const options = provider.networkOptions()
  const { findNetwork } = await import('@peerhost/chain')
  let found: ReturnType<typeof findNetwork> | undefined
  try {
    found = findNetwork(options)
  } catch (error) {
    if (!isPeerHostError(error, 'PH_CONFIG_NETWORK_MISSING')) throw error
  }
  if (found && found.info.name !== 'local') {
    throw new PeerHostError('PH_CONFIG_INVALID', {
      detail: `serverless dev runs on the local network, not on ${found.info.name}`,
    })
  }
  if (found && (await isThere(found.gatewayUrl))) return { options }
  const { port } = provider.options
  const own = await steps.run('network', 'Starting a local network', () =>
    startNetwork(serverless.serviceDir, { port: typeof port === 'string' ? port : undefined, signal }),
  )
  return { options: { ...options, env: { ...options.env, PEERHOST_NETWORK_FILE: own.file } }, own }
}
