import { type Hex, isPeerHostError, PeerHostError } from '@peerhost/protocol'
import type { SandboxFunction } from '@peerhost/sandbox'
import type { BuiltFunction } from './build-functions.ts'
import type { GatewayClient } from './gateway-client.ts'
import { type LocalSandbox, openLocalSandbox } from './local-sandbox.ts'

export interface Prover {
  /** Refuses a function that does not give the same bytes each time. @throws PH_BUNDLE_NOT_DETERMINISTIC */
  prove(fn: BuiltFunction): Promise<void>
  /** Its bundles must be in the gateway's store before: the trials run on workers. */
  readonly remote: boolean
  close(): Promise<void>
}

export interface ProverOptions {
  owner: Hex
  project: string
  gateway: GatewayClient
  /** Deploys follow each other closely (`serverless dev`): jails wait ahead, and the last run does not wait for another second. */
  quick?: boolean
  /** One line of what the developer may want to know. */
  onLog: (line: string) => void
}

const RUNS = 3

const differs = (name: string, difference: string) =>
  new PeerHostError('PH_BUNDLE_NOT_DETERMINISTIC', { function: name, difference })

/** What the sandbox needs to know of a function that is not registered. */
export function asSandboxFunction(owner: Hex, project: string, { entry, bytes }: BuiltFunction): SandboxFunction {
  return { owner, project, version: 0, definition: entry, bundle: async () => bytes }
}

function localProver(
  local: Extract<LocalSandbox, { sandbox: unknown }>,
  { owner, project, quick }: ProverOptions,
): Prover {
  const { sandbox, tools } = local
  return {
    remote: false,
    async prove(built) {
      const samples = tools.sampleInvocations(built.entry)
      const proof = await tools.proveDeterministic(
        sandbox,
        asSandboxFunction(owner, project, built),
        samples,
        quick ? { runs: 2, pauseMs: 0 } : { runs: RUNS },
      )
      if (!proof.ok) throw differs(built.entry.name, proof.difference)
    },
    close: () => sandbox.close(),
  }
}

/** Has the gateway's workers run the trials. */
export function gatewayProver({ project, gateway }: ProverOptions): Prover {
  return {
    remote: true,
    async prove({ entry }) {
      const body = Buffer.from(JSON.stringify({ project, definition: entry, runs: RUNS }))
      const response = await gateway.callOk('POST', '/prove', body, { 'content-type': 'application/json' })
      const answer = (await response.json().catch(() => undefined)) as
        | { deterministic?: boolean; difference?: string }
        | undefined
      if (typeof answer?.deterministic !== 'boolean') {
        throw new PeerHostError('PH_GATEWAY_REFUSED', { detail: 'its /prove is not readable' })
      }
      if (!answer.deterministic) throw differs(entry.name, answer.difference ?? 'two runs differ')
    },
    close: async () => {},
  }
}

/** True where a proof failed because jails do not start here, whatever was to be proved. */
export const isSandboxFailure = (error: unknown): boolean =>
  isPeerHostError(error, 'PH_RUN_REFUSED') || isPeerHostError(error, 'PH_SANDBOX_UNAVAILABLE')

/**
 * Proves `verification: deterministic` and `public` before they are registered: a function runs several times in jails of
 * their own, on this machine where the sandbox works, else on the gateway's workers.
 */
export async function openProver(options: ProverOptions): Promise<Prover> {
  const local = await openLocalSandbox({ forkPoint: 'blank', blankJails: options.quick ? 2 : 0, onLog: options.onLog })
  if ('sandbox' in local) return localProver(local, options)
  options.onLog(`The gateway's workers prove what is deterministic: ${local.unavailable.message}`)
  return gatewayProver(options)
}

/** Proves those of the functions whose class asks for it, a few at a time. */
export async function proveFunctions(prover: Prover, functions: BuiltFunction[]): Promise<void> {
  const queue = [...functions]
  const next = async () => {
    for (let fn = queue.shift(); fn; fn = queue.shift()) await prover.prove(fn)
  }
  await Promise.all([next(), next(), next(), next()])
}
