import { isPeerHostError } from '@peerhost/protocol'
import type { WatchedBundle } from '../bundle/watch-functions.ts'
import type { ServiceConfig } from '../config/types.ts'
import { type BuiltFunction, joinBundle } from '../deploy/build-functions.ts'
import type { ChainConnection } from '../deploy/connect-network.ts'
import { deployService } from '../deploy/deploy-service.ts'
import type { Prover } from '../deploy/prove-functions.ts'
import { selectStore } from '../deploy/select-store.ts'
import { endpoint, formatPrice, projectUrl } from '../format.ts'
import type { ServerlessUtils } from '../serverless-types.ts'
import { Steps } from '../steps.ts'

type Bundle = Extract<WatchedBundle, { bundle: unknown }>['bundle']

/** Method, address and price of each route. */
function routeTable(base: string, functions: BuiltFunction[]): string[] {
  const rows = functions.flatMap(({ entry }) => {
    const places = entry.routes.length > 0 ? entry.routes : [{ method: 'ANY', path: `/${entry.name}` }]
    return places.map((route) => [endpoint(base, route), `${entry.name}, ${formatPrice(entry.price)}`] as const)
  })
  const width = Math.max(0, ...rows.map(([place]) => place.length))
  return rows.map(([place, about]) => `  ${place.padEnd(width)}  ${about}`)
}

export function complain({ log }: Pick<ServerlessUtils, 'log'>, error: unknown): void {
  if (isPeerHostError(error)) log.error(`${error.message} (${error.code})\n${error.hint}`)
  else log.error(error instanceof Error ? error.message : String(error))
}

/**
 * Holds what a `serverless dev` has bundled and deploys what changes of it, one deploy after the other. What cannot be bundled or
 * proved stays as it was deployed before, until it is mended.
 */
export class DevDeployer {
  readonly #utils: ServerlessUtils
  readonly #connection: ChainConnection
  readonly #prover: Prover
  readonly #bundles = new Map<string, Bundle>()
  /** Functions whose sources are wrong as they are now. */
  readonly #broken = new Set<string>()
  /** Functions to deploy. */
  readonly #fresh = new Set<string>()
  readonly #deployed = new Map<string, BuiltFunction>()
  #config: ServiceConfig
  /** The next deploy is of everything that serverless.yml says, and retires what it does not. */
  #whole = true
  #shown = ''
  #turn: Promise<void> = Promise.resolve()

  constructor(utils: ServerlessUtils, connection: ChainConnection, prover: Prover, config: ServiceConfig) {
    this.#utils = utils
    this.#connection = connection
    this.#prover = prover
    this.#config = config
  }

  /** New bundles, or what is wrong with them. */
  take(bundles: WatchedBundle[]): void {
    this.#queue(() => {
      for (const one of bundles) {
        const { name } = one
        if ('error' in one) {
          this.#broken.add(name)
          complain(this.#utils, one.error)
        } else {
          this.#broken.delete(name)
          this.#bundles.set(name, one.bundle)
          this.#fresh.add(name)
        }
      }
    })
  }

  /** Another serverless.yml. Bundles of functions that are new or have another handler come by `take`. */
  configure(config: ServiceConfig): void {
    this.#queue(() => {
      const before = new Map(this.#config.functions.map(({ name, handler }) => [name, handler]))
      for (const { name, handler } of config.functions) {
        if (before.get(name) === handler) continue
        this.#bundles.delete(name)
        this.#broken.delete(name)
      }
      this.#config = config
      this.#whole = true
    })
  }

  /** Resolves when all that was taken is deployed. */
  idle(): Promise<void> {
    return this.#turn
  }

  #queue(change: () => void): void {
    this.#turn = this.#turn
      .then(() => {
        change()
        return this.#deploy()
      })
      .catch((error: unknown) => complain(this.#utils, error))
  }

  async #deploy(): Promise<void> {
    const { functions: configs } = this.#config
    const isKnown = ({ name }: { name: string }) => this.#bundles.has(name) || this.#broken.has(name)
    // an edit of serverless.yml is one step: a function that is renamed does not vanish in between
    if (!configs.every(isKnown)) return
    for (;;) {
      const wanted = configs.filter(({ name }) => !this.#broken.has(name) && (this.#whole || this.#fresh.has(name)))
      if (wanted.length === 0 && !this.#whole) return
      const built = await Promise.all(wanted.map((config) => joinBundle(config, this.#bundles.get(config.name)!)))
      let failing: string | undefined
      const prover: Prover = {
        remote: this.#prover.remote,
        prove: (fn) =>
          this.#prover.prove(fn).catch((error: unknown) => {
            failing = fn.entry.name
            throw error
          }),
        close: async () => {},
      }
      try {
        return await this.#register(built, prover)
      } catch (error) {
        if (!failing || !isPeerHostError(error, 'PH_BUNDLE_NOT_DETERMINISTIC')) throw error
        // the others do not wait for it to be mended
        this.#broken.add(failing)
        complain(this.#utils, error)
      }
    }
  }

  async #register(built: BuiltFunction[], prover: Prover): Promise<void> {
    const { project } = this.#config
    const { gateway } = this.#connection
    const steps = new Steps(this.#utils)
    const result = await deployService(this.#connection, {
      project,
      functions: built,
      store: selectStore(process.env, gateway),
      steps,
      retireOthers: this.#whole,
      keep: this.#broken,
      prover,
      onLog: (line) => this.#utils.log.info(line),
    })
    for (const fn of built) {
      this.#deployed.set(fn.entry.name, fn)
      this.#fresh.delete(fn.entry.name)
    }
    for (const name of result.removed) this.#deployed.delete(name)
    this.#whole = false

    const { log } = this.#utils
    const versions = (changed: boolean) =>
      result.functions.flatMap((fn) => (fn.changed === changed ? [`${fn.entry.name} (version ${fn.version})`] : []))
    if (versions(true).length > 0) log.success(`Deployed ${versions(true).join(', ')} in ${steps.total()}`)
    if (result.removed.length > 0) log.success(`Removed ${result.removed.join(', ')}`)
    if (!result.transaction)
      log.success(`Nothing to deploy, up to date: ${versions(false).join(', ') || 'no function'}`)
    this.#showRoutes()
  }

  #showRoutes(): void {
    const { network, owner } = this.#connection
    const { project, functions } = this.#config
    const inOrder = functions.flatMap(({ name }) => this.#deployed.get(name) ?? [])
    const table = routeTable(projectUrl(network.gatewayUrl, owner, project), inOrder)
    if (table.join('\n') === this.#shown) return
    this.#shown = table.join('\n')
    this.#utils.writeText(table)
  }
}
