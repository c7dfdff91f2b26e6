import { watch } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { isPeerHostError, PeerHostError } from '@peerhost/protocol'
import { type WatchedBundle, watchFunctions } from '../bundle/watch-functions.ts'
import { type BuiltFunction, joinBundle } from '../deploy/build-functions.ts'
import { type ChainConnection, connectNetwork, type NetworkOptions } from '../deploy/connect-network.ts'
import { deployService } from '../deploy/deploy-service.ts'
import { openProver, type Prover } from '../deploy/prove-functions.ts'
import { selectStore } from '../deploy/select-store.ts'
import { type StartedNetwork, startNetwork } from '../deploy/start-network.ts'
import { endpoint, formatPrice, projectUrl } from '../format.ts'
import type { PeerHostProvider } from '../provider.ts'
import { Steps } from '../steps.ts'
import type { CommandPart } from './commands.ts'
import { CONSOLE_HEAD, fetchLogs, type LogRecord, printable } from './logs.ts'

/** Milliseconds between two looks at the logs. */
const LOOK = 400

/** `serverless dev`: the local network with this service on it, deployed again whenever its sources change. */
export function devCommand(provider: PeerHostProvider): CommandPart {
  return {
    commands: {
      dev: {
        usage: 'Run the service on a local network, deploy what changes, show requests',
        lifecycleEvents: ['dev'],
        options: { port: { usage: 'Port of the gateway, if a network is started', type: 'string' } },
      },
    },
    hooks: { 'dev:dev': () => dev(provider) },
  }
}

/** Ends with the first of Ctrl-C, TERM, HUP. */
function stopController(): AbortController {
  const controller = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => controller.abort())
  return controller
}

const isThere = async (url: string): Promise<boolean> => {
  try {
    return (await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(3000) })).ok
  } catch {
    return false
  }
}

/** The network that runs, or one of our own. */
async function reachNetwork(provider: PeerHostProvider): Promise<{ options: NetworkOptions; own?: StartedNetwork }> {
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
    startNetwork(serverless.serviceDir, typeof port === 'string' ? port : undefined),
  )
  return { options: { ...options, env: { ...options.env, PEERHOST_NETWORK_FILE: own.file } }, own }
}

/** Method, address and price of each route. */
function routeTable(base: string, functions: BuiltFunction[]): string[] {
  const rows = functions.flatMap(({ entry }) => {
    const places = entry.routes.length > 0 ? entry.routes : [{ method: 'ANY', path: `/${entry.name}` }]
    return places.map((route) => [endpoint(base, route), `${entry.name}, ${formatPrice(entry.price)}`] as const)
  })
  const width = Math.max(0, ...rows.map(([place]) => place.length))
  return rows.map(([place, about]) => `  ${place.padEnd(width)}  ${about}`)
}

/** One line of a request, with what the function wrote below. */
function requestLines(name: string, record: LogRecord): string[] {
  const { time, httpStatus, status, durationMs, start, error, lines } = record
  const result = httpStatus ?? (status === 0 ? 'ok' : 'failed')
  const head = `${time.slice(11, 19)} ${name} ${result} ${durationMs.toFixed(1)} ms ${start}${error ? ` ${error.code}` : ''}`
  return [head, ...lines.map((line) => `    ${printable(line.replace(CONSOLE_HEAD, ''))}`)]
}

/** Follows the logs of all functions until the signal ends it. */
async function followLogs(
  provider: PeerHostProvider,
  { gateway, owner }: ChainConnection,
  signal: AbortSignal,
): Promise<void> {
  const { project, functions } = provider.config()
  const cursors = new Map<string, number>()
  for (let first = true; !signal.aborted; first = false) {
    for (const { name } of functions) {
      try {
        const page = await fetchLogs(
          gateway,
          `${owner}/${project}/${name}`,
          { since: cursors.get(name), ...(first && { limit: 1 }) },
          signal,
        )
        cursors.set(name, page.cursor)
        if (!first) for (const record of page.records) provider.utils.writeText(requestLines(name, record))
      } catch (error) {
        // a gateway that is gone for a moment is asked again
        if (!signal.aborted) provider.utils.log.debug(String(error))
      }
    }
    await sleep(LOOK, undefined, { signal }).catch(() => {})
  }
}

/** Deploys bundles as they come, one deploy after the other. */
class Deployer {
  readonly #provider: PeerHostProvider
  readonly #connection: ChainConnection
  readonly #prover: Prover
  readonly #built = new Map<string, BuiltFunction>()
  #turn: Promise<void> = Promise.resolve()

  constructor(provider: PeerHostProvider, connection: ChainConnection, prover: Prover) {
    this.#provider = provider
    this.#connection = connection
    this.#prover = prover
  }

  take(bundles: WatchedBundle[]): void {
    this.#turn = this.#turn.then(() => this.#deploy(bundles)).catch((error: unknown) => this.#complain(error))
  }

  idle(): Promise<void> {
    return this.#turn
  }

  #complain(error: unknown): void {
    const { log } = this.#provider.utils
    if (isPeerHostError(error)) log.error(`${error.message} (${error.code})\n${error.hint}`)
    else log.error(error instanceof Error ? error.message : String(error))
  }

  async #deploy(bundles: WatchedBundle[]): Promise<void> {
    const { utils } = this.#provider
    const { project, functions: configs } = this.#provider.config()
    const first = this.#built.size === 0
    const fresh: BuiltFunction[] = []
    for (const one of bundles) {
      if ('error' in one) {
        this.#complain(one.error)
        continue
      }
      const config = configs.find(({ name }) => name === one.name)!
      fresh.push(await joinBundle(config, one.bundle))
    }
    if (fresh.length === 0) return
    const whole = first && fresh.length === configs.length
    const { gateway, network, owner } = this.#connection
    const steps = new Steps(utils)
    const result = await deployService(this.#connection, {
      project,
      functions: fresh,
      store: selectStore(process.env, gateway),
      steps,
      retireOthers: whole,
      prover: this.#prover,
      onLog: (line) => utils.log.info(line),
    })
    for (const fn of fresh) this.#built.set(fn.entry.name, fn)
    const changed = result.functions
      .filter((fn) => fn.changed)
      .map(({ entry, version }) => `${entry.name} (version ${version})`)
    if (changed.length > 0) utils.log.success(`Deployed ${changed.join(', ')} in ${steps.total()}`)
    if (!first) return
    const inOrder = configs.flatMap(({ name }) => this.#built.get(name) ?? [])
    utils.writeText(routeTable(projectUrl(network.gatewayUrl, owner, project), inOrder))
  }
}

async function dev(provider: PeerHostProvider): Promise<void> {
  const { serverless, utils } = provider
  provider.warn()
  const ending = stopController()
  const { signal } = ending
  const { options, own } = await reachNetwork(provider)
  const closers: (() => Promise<void> | void)[] = [() => own?.stop()]
  try {
    const connection = await connectNetwork(options)
    closers.unshift(() => connection.chain.close())
    const { project, functions } = provider.config()
    const { owner, gateway } = connection
    const prover = await openProver({ owner, project, gateway, quick: true, onLog: (line) => utils.log.info(line) })
    closers.unshift(() => prover.close())

    const deployer = new Deployer(provider, connection, prover)
    closers.unshift(() => deployer.idle())
    const sources = functions.map(({ name, handler }) => ({ name, handler }))
    const watcher = await watchFunctions(serverless.serviceDir, sources, (bundles) => deployer.take(bundles))
    closers.unshift(() => watcher.close())
    const folder = watch(serverless.serviceDir, (_event, file) => {
      if (/^serverless\.(ya?ml|json|js|ts)$/.test(String(file)))
        utils.log.notice('serverless.yml changed: start `serverless dev` again to apply it')
    })
    closers.unshift(() => folder.close())

    const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    const lost = own?.ended.then(() => {
      if (!signal.aborted) throw new PeerHostError('PH_DEV_START_FAILED', { detail: 'the local network ended' })
    })
    const logs = followLogs(provider, connection, signal)
    closers.unshift(() => logs)
    utils.log.notice('Watching the sources; Ctrl-C stops')
    await Promise.race([stopped, ...(lost ? [lost] : [])])
  } finally {
    ending.abort()
    for (const close of closers) await close()
  }
}
