import { PeerHostError } from '@peerhost/protocol'
import { readService } from './config/read-service.ts'
import type { ServiceConfig } from './config/types.ts'
import type { NetworkOptions } from './deploy/connect-network.ts'
import { defineSchema } from './schema.ts'
import type { Serverless, ServerlessOptions, ServerlessUtils } from './serverless-types.ts'
import { Steps } from './steps.ts'

/** What `provider` says in serverless.yml. */
export const PROVIDER = 'peerhost'

/** Registered with Serverless under `peerhost`; holds what every command needs. */
export class PeerHostProvider {
  readonly serverless: Serverless
  readonly utils: ServerlessUtils
  readonly #options: ServerlessOptions
  #config: ServiceConfig | undefined
  #steps: Steps | undefined

  static getProviderName(): string {
    return PROVIDER
  }

  constructor(serverless: Serverless, options: ServerlessOptions, utils: ServerlessUtils) {
    this.serverless = serverless
    this.#options = options
    this.utils = utils
    serverless.setProvider(PROVIDER, this)
    defineSchema(serverless, PROVIDER)
  }

  /** Options of the command that runs. */
  get options(): ServerlessOptions {
    return { ...this.#options, ...this.serverless.processedInput?.options }
  }

  /** The steps of the command that runs, its bundling included. */
  get steps(): Steps {
    this.#steps ??= new Steps(this.utils)
    return this.#steps
  }

  /** With the short form of `provider` Serverless leaves `--stage` out of `provider.stage`. */
  getStage(): string {
    const { stage } = this.options
    return typeof stage === 'string' && stage ? stage : (this.serverless.service.provider.stage ?? 'dev')
  }

  /** serverless.yml, read once. Only for hooks: before them variables are not resolved. */
  config(): ServiceConfig {
    if (!this.#config) {
      const { service, configurationInput } = this.serverless
      this.#config = readService({
        service: service.service,
        stage: this.getStage(),
        provider: service.provider,
        functions: service.functions,
        topLevel: configurationInput,
      })
    }
    return this.#config
  }

  /** Prints what in serverless.yml is ignored, for commands that build. */
  warn(): void {
    for (const line of this.config().warnings) this.utils.log.warning(line)
  }

  /** The function that `-f` names. @throws PH_CONFIG_FUNCTION_UNKNOWN */
  functionOption(): string {
    const name = String(this.options.function ?? '')
    const known = Object.keys(this.serverless.service.functions)
    if (!known.includes(name)) {
      throw new PeerHostError('PH_CONFIG_FUNCTION_UNKNOWN', { function: name, known: known.join(', ') || 'none' })
    }
    return name
  }

  /** Which network, and as whom. */
  networkOptions(): NetworkOptions {
    const { network } = this.options
    const option = typeof network === 'string' ? network : undefined
    return { cwd: this.serverless.serviceDir, env: process.env, network: option, fallback: this.config().network }
  }
}
