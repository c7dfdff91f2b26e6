import { resolve } from 'node:path'
import { findNetwork } from '@peerhost/chain'
import { createGateway } from '@peerhost/gateway'
import { type Hex, PeerHostError } from '@peerhost/protocol'
import { makeFolder } from '../dev/make-folder.ts'
import { bond } from './bond.ts'
import { reporter, untilStopped } from './serve.ts'

export interface GatewayOptions {
  port: number
  host: string
  publicUrl?: string
  gateway?: string
  trustedProxy?: string[]
  ipfsSource?: string[]
  data: string
  stake?: string
  network?: string
  json?: boolean
}

/** `peerhost gateway`: a gateway in the foreground. */
export async function gateway(options: GatewayOptions): Promise<void> {
  // A gateway needs no other gateway's address, which public networks ask for.
  const env = { PEERHOST_GATEWAY_URL: options.publicUrl ?? `http://${options.host}:${options.port}`, ...process.env }
  const network = findNetwork({ cwd: process.cwd(), env, network: options.network })
  const privateKey = process.env.PEERHOST_PRIVATE_KEY
  if (!privateKey) throw new PeerHostError('PH_CONFIG_KEY_MISSING', {})
  const dataDir = resolve(options.data)
  makeFolder(dataDir)
  const { ready, log } = reporter(options)
  if (options.stake) await bond(network, privateKey, options.stake)
  const running = await createGateway({
    network: network.info,
    rpcUrl: network.rpcUrl,
    contracts: network.contracts,
    fromBlock: network.fromBlock,
    port: options.port,
    host: options.host,
    publicUrl: options.publicUrl,
    gateway: options.gateway as Hex | undefined,
    privateKey,
    dataDir,
    trustedProxies: options.trustedProxy,
    ipfsSources: options.ipfsSource,
    content: process.env.PEERHOST_IPFS_API ? { driver: 'kubo', url: process.env.PEERHOST_IPFS_API } : undefined,
    log,
  })
  ready({ gatewayUrl: running.url }, `Gateway is ready: ${running.url}`)
  await untilStopped(() => running.close(), running.failed)
}
