import { createStore, type Store } from '@peerhost/storage'
import type { GatewayClient } from './gateway-client.ts'

/** Where bundles and manifests go: Pinata or a kubo node if the environment names one, else the gateway's own store. */
export function selectStore(env: NodeJS.ProcessEnv, gateway: GatewayClient): Store {
  if (env.PINATA_JWT) return createStore({ driver: 'pinata', jwt: env.PINATA_JWT })
  if (env.PEERHOST_IPFS_API) return createStore({ driver: 'kubo', url: env.PEERHOST_IPFS_API })
  return createStore({
    driver: 'gateway',
    url: gateway.url,
    authorize: async ({ method, target, body }) => ({ 'peerhost-auth': gateway.authorize(method, target, body) }),
  })
}
