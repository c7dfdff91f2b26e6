import { resolve } from 'node:path'
import { findNetwork } from '@peerhost/chain'
import { type Hex, PeerHostError } from '@peerhost/protocol'
import { createWorker } from '@peerhost/worker'
import { makeFolder } from '../dev/make-folder.ts'
import { bond } from './bond.ts'
import { reporter, untilStopped } from './serve.ts'

export interface WorkerOptions {
  gateway?: string[]
  worker?: string
  data: string
  capacity?: number
  memory?: number
  forkPoint: string
  stake?: string
  network?: string
  json?: boolean
}

/** `peerhost worker`: a worker in the foreground. */
export async function worker(options: WorkerOptions): Promise<void> {
  const network = findNetwork({ cwd: process.cwd(), env: process.env, network: options.network })
  const privateKey = process.env.PEERHOST_PRIVATE_KEY
  if (!privateKey) throw new PeerHostError('PH_CONFIG_KEY_MISSING', {})
  const dataDir = resolve(options.data)
  makeFolder(dataDir)
  if (options.forkPoint !== 'auto' && options.forkPoint !== 'blank')
    throw new PeerHostError('PH_CONFIG_INVALID', { detail: '--fork-point is auto or blank' })
  const { ready, log } = reporter(options)
  if (options.stake) await bond(network, privateKey, options.stake)
  const running = await createWorker({
    network: network.info,
    rpcUrl: network.rpcUrl,
    contracts: network.contracts,
    fromBlock: network.fromBlock,
    gateways: options.gateway ?? [network.gatewayUrl],
    privateKey,
    worker: options.worker as Hex | undefined,
    dataDir,
    capacity: options.capacity,
    memoryMb: options.memory,
    forkPoint: options.forkPoint,
    log,
  })
  void running.ready().then(() => ready({ worker: running.address }, `Worker ${running.address} is ready`))
  await untilStopped(() => running.close())
}
