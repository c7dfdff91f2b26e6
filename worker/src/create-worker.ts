import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connectChain, createRegistry, createSender, Outage, type RegistryPersistence } from '@peerhost/chain'
import { formatUsdc, type Hex, PeerHostError } from '@peerhost/protocol'
import { createSigner, recover } from '@peerhost/protocol/native'
import { createSandbox, runtimeId } from '@peerhost/sandbox'
import { createStore } from '@peerhost/storage'
import { claimEarnings, claimRegularly } from './claims/claim-earnings.ts'
import { FunctionSource } from './functions/function-source.ts'
import { GatewayConnection } from './gateway/gateway-connection.ts'
import { GatewaySession, type SessionParts } from './gateway/gateway-session.ts'
import { SANDBOX_NSJAIL } from './receipts/make-receipt.ts'
import { ReceiptStore } from './receipts/receipt-store.ts'
import { defaultCapacity, type WorkerConfig } from './worker-config.ts'

export interface Worker {
  /** Bonded address. */
  address: Hex
  /** Settles when each gateway has taken the worker once. */
  ready(): Promise<void>
  close(): Promise<void>
}

const MAX_BUNDLE_BYTES = 16 * 1024 * 1024
/** Atomic USDC: less than a cent is left to grow. */
const CLAIM_MINIMUM = 10_000n
const STATUS_MS = 1_000
const PRUNE_MS = 60 * 60 * 1000
/** Receipts are kept this long, many times what a request's clock may be old. */
const KEEP_MS = 14 * 24 * 60 * 60 * 1000

const filePersistence = (path: string): RegistryPersistence => ({
  load() {
    try {
      return readFileSync(path, 'utf8')
    } catch {
      return undefined
    }
  },
  save(text) {
    writeFileSync(`${path}.new`, text)
    renameSync(`${path}.new`, path)
  },
})

/**
 * Starts a worker: mirror of the registry, sandbox, a connection to each gateway.
 *
 * @throws PH_CHAIN_*, PH_CONFIG_KEY_INVALID, PH_SANDBOX_UNAVAILABLE
 */
export async function createWorker(config: WorkerConfig): Promise<Worker> {
  const { network, contracts, dataDir, log = () => {}, capacity = defaultCapacity() } = config
  const signer = createSigner(config.privateKey)
  const address = (config.worker ?? signer.address).toLowerCase() as Hex
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const chain = await connectChain({ rpcUrl: config.rpcUrl, chainId: network.chainId })
  const closing: (() => Promise<void> | void)[] = [() => chain.close()]
  const closeAll = async () => {
    for (const close of closing.splice(0).reverse()) await close()
  }
  try {
    const outage = new Outage({
      onFailure: ({ code, message }) => log('warning', `the registry is behind: ${code}: ${message}`),
      onOver: () => log('info', 'the registry follows the chain again'),
    })
    const registry = await createRegistry({
      provider: chain.provider,
      contracts,
      finality: network.finality,
      fromBlock: config.fromBlock,
      persistence: filePersistence(join(dataDir, 'registry.json')),
      pollMs: config.pollMs ?? (network.name === 'local' ? 250 : 2_000),
      onError: (error) => outage.failed(error),
      onLook: () => outage.worked(),
    })
    closing.push(() => registry.stop())
    await registry.start()
    if (!registry.isEligibleWorker(address)) {
      throw new PeerHostError('PH_WORKER_NOT_ELIGIBLE', {
        address,
        reason: registry.isJailed(address) ? 'it is jailed' : 'its stake is below the minimum',
      })
    }
    const sandbox = await createSandbox({
      dataDir: join(dataDir, 'sandbox'),
      cgroups: config.cgroups ?? (network.name === 'local' ? 'auto' : 'required'),
      forkPoint: config.forkPoint ?? 'auto',
      nsjail: config.nsjail,
      memoryCapMb: config.memoryMb,
      onLog: (message: string) => log('info', message),
    })
    closing.push(() => sandbox.close())
    const receipts = new ReceiptStore(join(dataDir, 'receipts.sqlite'))
    closing.push(() => receipts.close())
    const store = createStore({ driver: 'embedded', path: join(dataDir, 'blocks'), maxStoreBytes: 4 * 1024 ** 3 })
    closing.push(() => store.close())
    const sources = config.gateways.map((url) => createStore({ driver: 'gateway', url }))
    const functions = new FunctionSource({ store, sources: () => sources, maxBundleBytes: MAX_BUNDLE_BYTES })
    const domain = { chainId: network.chainId, verifyingContract: contracts.ExecutionCoordinator.toLowerCase() as Hex }
    const parts: SessionParts = {
      domain,
      registry,
      recover,
      signer,
      worker: address,
      runtimeIds: [runtimeId()],
      sandbox,
      functions,
      receipts,
      log,
      capacity,
      busy: new Set(),
      names: new Map(),
    }

    const sessions = config.gateways.map((url) => openSession(url, parts))
    closing.push(async () => {
      await Promise.all(sessions.map(({ connection }) => connection.close()))
    })
    const status = setInterval(() => {
      for (const { session, connection } of sessions) if (connection.connected) session.sendStatus()
    }, STATUS_MS)
    const pruning = setInterval(() => receipts.prune(Date.now() - KEEP_MS), PRUNE_MS)
    closing.push(() => {
      clearInterval(status)
      clearInterval(pruning)
    })
    const sender = createSender({ provider: chain.provider, privateKey: config.privateKey })
    for (const { connection } of sessions) {
      const claim = async () => {
        const { gateway } = connection
        if (!gateway) return 0n
        const { fromBlock = 0 } = config
        return claimEarnings({
          provider: chain.provider,
          sender,
          domain,
          paymentVault: contracts.PaymentVault,
          gateway,
          worker: address,
          fromBlock,
          sources,
          minimum: config.claimMinimum ?? CLAIM_MINIMUM,
        })
      }
      const stopClaiming = claimRegularly(claim, {
        intervalMs: config.claimMs ?? (network.name === 'local' ? 60_000 : 60 * 60_000),
        onClaimed: (amount) => log('info', `claimed ${formatUsdc(amount)} USDC at ${connection.url}`),
        onError: (reason) => log('warning', `earnings at ${connection.url} could not be claimed: ${reason}`),
      })
      closing.push(stopClaiming)
    }
    return {
      address,
      async ready() {
        await Promise.all(sessions.map(({ welcomed }) => welcomed))
      },
      close: closeAll,
    }
  } catch (error) {
    await closeAll()
    throw error
  }
}

function openSession(url: string, parts: SessionParts) {
  const { domain, signer, worker, capacity, log } = parts
  const first = Promise.withResolvers<void>()
  const connection: GatewayConnection = new GatewayConnection({
    url,
    domain,
    signer,
    worker,
    runtimeIds: [...parts.runtimeIds],
    sandbox: SANDBOX_NSJAIL,
    capacity,
    onFrame: (frame) => session.receive(frame),
    onState(connected, reason) {
      log(
        connected ? 'info' : 'warning',
        connected ? `works for ${url}` : `lost ${url}${reason ? `: ${reason.message}` : ''}`,
      )
      if (connected) {
        session.sendStatus()
        first.resolve()
      } else session.disconnected()
    },
  })
  const session = new GatewaySession(parts, connection)
  connection.open()
  return { connection, session, welcomed: first.promise }
}
