import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type Chain, connectChain, createRegistry, createSender, Outage } from '@peerhost/chain'
import { type Hex, PeerHostError, paymentVaultAbi, sha256Hex } from '@peerhost/protocol'
import { createSigner } from '@peerhost/protocol/native'
import { createStore } from '@peerhost/storage'
import { Contract } from 'ethers'
import { Anchorer } from './anchor/anchorer.ts'
import { type CompleteConfig, completeConfig, type GatewayConfig } from './config.ts'
import type { Context } from './context.ts'
import { ByteBudget } from './http/byte-budget.ts'
import { InFlight } from './http/in-flight.ts'
import { Outgoing } from './http/outgoing.ts'
import { Quota } from './http/quota.ts'
import { createHttpServer } from './http/server.ts'
import { trustedProxies } from './http/source-address.ts'
import { createMetrics } from './metrics.ts'
import { accountOf } from './pay/account-of.ts'
import { Payments } from './pay/payments.ts'
import { createToken } from './pay/token.ts'
import { createOwnRoutes } from './routes/own-routes.ts'
import { ProjectCatalogue } from './routing/project-catalogue.ts'
import { SchemaValidator } from './routing/schema-validator.ts'
import { SqliteStore } from './store/sqlite-store.ts'
import { WorkerPool } from './workers/worker-pool.ts'

export interface Gateway {
  /** Where it is reached, without slash at the end. */
  readonly url: string
  readonly port: number
  /** Bonded address that it acts for. */
  readonly address: Hex
  /** Resolves, if ever, with what keeps it from answering calls for good: it has to be closed and started again. */
  readonly failed: Promise<PeerHostError>
  /** Anchors what is waiting at once. */
  anchor(): Promise<void>
  /** Finishes what is under way, anchors, and stops. */
  close(): Promise<void>
}

/** Milliseconds that requests under way are given to end. */
const DRAIN_MS = 5_000
/** Milliseconds without the chain until the gateway says that it is not ready. */
const BEHIND_MS = 10_000

/**
 * Starts a gateway. Throws PH_CONFIG_*, PH_CHAIN_* where the chain, the contracts or the token are not what they have
 * to be.
 *
 * @example
 * const gateway = await createGateway({ network, contracts, rpcUrl, privateKey, dataDir: '.peerhost/gateway' })
 * console.log(gateway.url)
 */
export async function createGateway(options: GatewayConfig): Promise<Gateway> {
  const config = completeConfig(options)
  const { log } = config
  const undo: (() => unknown)[] = []
  try {
    const signer = createSigner(config.privateKey)
    const gateway = config.gateway ?? signer.address
    const domain = { chainId: config.network.chainId, verifyingContract: config.contracts.ExecutionCoordinator }
    const chain = await connectChain({ rpcUrl: config.rpcUrl, chainId: config.network.chainId })
    undo.push(() => chain.close())
    const file = join(config.dataDir, `gateway-${await stateName(chain, config, gateway)}.sqlite`)
    const outgoing = new Outgoing(config.limits.maxOutgoingBytes)
    const inFlight = new InFlight(config.limits.maxInFlight)
    const failed = Promise.withResolvers<PeerHostError>()
    let failure: PeerHostError | undefined
    const store = new SqliteStore({
      file,
      logBytes: config.limits.logBytes,
      onFailure(error) {
        failure = error
        log('error', 'the gateway cannot go on', { code: error.code, message: error.message })
        inFlight.close(error)
        failed.resolve(error)
      },
    })
    undo.push(() => store.close())
    const content = createStore(config.content ?? { driver: 'embedded', path: join(config.dataDir, 'ipfs') })
    undo.push(() => content.close())

    let behindSince: number | undefined
    const outage = new Outage({
      onFailure: ({ code, message }, count) => log('warning', 'the registry is behind', { code, message, count }),
      onOver: (count) => log('info', 'the registry follows the chain again', { failures: count }),
    })
    const registry = await createRegistry({
      provider: chain.provider,
      contracts: config.contracts,
      finality: config.network.finality,
      fromBlock: config.fromBlock,
      pollMs: config.pollMs,
      persistence: {
        load: () => store.meta('registry'),
        save: (text) => store.setMeta('registry', text),
      },
      onError(error) {
        behindSince ??= Date.now()
        outage.failed(error)
      },
      onLook() {
        behindSince = undefined
        outage.worked()
      },
    })
    undo.push(() => registry.stop())
    const sender = createSender({
      provider: chain.provider,
      privateKey: config.privateKey,
      maxFeePerGas: BigInt(config.maxFeeGwei) * 1_000_000_000n,
      isOwnKey: true,
    })
    const token = await createToken({ provider: chain.provider, sender, network: config.network })
    const accountImplementation = await readAccounts(chain.provider, config.contracts.PaymentVault, gateway)
    await registry.start()

    const sources = [content, ...config.ipfsSources]
    const metrics = createMetrics()
    const payments = new Payments({
      config,
      gateway,
      signer,
      domain,
      registry,
      store,
      log,
      token,
      accountImplementation,
    })
    const pool = new WorkerPool({ registry, domain, gateway, log })
    undo.push(() => pool.close())
    const catalogue = new ProjectCatalogue({ registry, sources, log, onDeployed: (service) => pool.prepare(service) })
    undo.push(() => catalogue.close())
    const schemas = new SchemaValidator()
    undo.push(() => schemas.close())
    const context: Context = {
      config,
      publicUrl: config.publicUrl ?? '',
      domain,
      gateway,
      signer,
      chain,
      registry,
      sender,
      store,
      content,
      sources,
      catalogue,
      schemas,
      pool,
      payments,
      metrics,
      bodies: new ByteBudget(config.limits.maxBodyBytes),
      outgoing,
      inFlight,
      freeCalls: new Quota(config.limits.freeCallsPerMinute || Number.POSITIVE_INFINITY, 60_000),
      badPayments: new Quota(config.limits.badPaymentsPerMinute || Number.POSITIVE_INFINITY, 60_000),
      isTrustedProxy: trustedProxies(config.trustedProxies),
      log,
    }
    const anchorer = new Anchorer(context)
    metrics.gauge('workers', 'Workers that are connected', () => pool.size)
    metrics.gauge('waiting_calls', 'Calls that wait for a free worker', () => pool.waiting)
    metrics.gauge('pending_receipts', 'Receipts that are in no batch yet', () => store.countPending())

    const whyNotReady = (): string | undefined => {
      if (failure) return failure.message
      if (behindSince !== undefined && Date.now() - behindSince > BEHIND_MS) return 'the chain cannot be reached'
      if (!registry.isEligibleGateway(gateway))
        return `${gateway} is not bonded as a gateway: workers refuse its requests`
      return anchorer.problem
    }
    const { server, drain } = createHttpServer(context, createOwnRoutes(context, whyNotReady))
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) =>
        reject(
          cause.code === 'EADDRINUSE'
            ? new PeerHostError('PH_DEV_PORT_IN_USE', { port: config.port }, { cause })
            : cause,
        ),
      )
      server.listen(config.port, config.host, resolve)
    })
    undo.push(() => server.close())
    const { port } = server.address() as AddressInfo
    const shownHost = config.host === '0.0.0.0' || config.host === '::' ? '127.0.0.1' : config.host
    context.publicUrl ||= `http://${shownHost.includes(':') ? `[${shownHost}]` : shownHost}:${port}`

    undo.push(() => payments.stop())
    await payments.start()
    undo.push(() => anchorer.stop())
    await anchorer.start()
    void catalogue.warmUp()
    const pruning = setInterval(() => void store.prune(Date.now()).catch(() => {}), 3_600_000)
    pruning.unref()
    const problem = whyNotReady()
    if (problem) log('warning', problem)
    log('info', 'gateway ready', { url: context.publicUrl, gateway })

    let closing: Promise<void> | undefined
    const close = async () => {
      clearInterval(pruning)
      await drain(DRAIN_MS)
      pool.close()
      server.closeAllConnections()
      await payments.stop()
      await anchorer.stop()
      await registry.stop()
      catalogue.close()
      await schemas.close()
      await content.close()
      await store.close()
      chain.close()
    }
    return {
      url: context.publicUrl,
      port,
      address: gateway,
      failed: failed.promise,
      anchor: () => anchorer.anchor(),
      close: () => (closing ??= close()),
    }
  } catch (error) {
    for (const step of undo.reverse()) await Promise.resolve(step()).catch(() => {})
    throw error
  }
}

/** Names a state by what it is of: what was promised and paid on one chain counts on no other. */
async function stateName(chain: Chain, { contracts }: CompleteConfig, gateway: Hex): Promise<string> {
  const parts = [await chain.genesisHash(), contracts.ExecutionCoordinator, gateway].join('/')
  return sha256Hex(new TextEncoder().encode(parts)).slice(2, 18)
}

/** The code behind the vault's accounts; checks that accounts are computed here as the vault does. */
async function readAccounts(
  provider: ConstructorParameters<typeof Contract>[2],
  vault: Hex,
  gateway: Hex,
): Promise<Hex> {
  const contract = new Contract(vault, paymentVaultAbi, provider)
  try {
    const [implementation, account] = (await Promise.all([
      contract.accountImplementation!(),
      contract.accountOf!(gateway, gateway),
    ])) as [string, string]
    const code = implementation.toLowerCase() as Hex
    if (accountOf(vault, code, gateway, gateway) === account.toLowerCase()) return code
  } catch (cause) {
    throw new PeerHostError('PH_CHAIN_CONTRACT_MISSING', { contract: 'PaymentVault', address: vault }, { cause })
  }
  throw new PeerHostError('PH_CHAIN_CONTRACT_MISSING', { contract: 'a PaymentVault of this version', address: vault })
}
