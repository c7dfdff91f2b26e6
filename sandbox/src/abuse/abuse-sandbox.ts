import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type Hex, type ManifestFunction, toHex } from '@peerhost/protocol'
import { createSandbox, type ExecutionResult, type ForkPoint, type Sandbox, type SandboxFunction } from '../index.ts'

/** A sandbox as attacks find it: one jail a function, so that two executions meet in it. */
export interface AbuseSandbox {
  sandbox: Sandbox
  /** What the sandbox has told its operator. */
  log: string[]
  /** Runs the function with a raw event. */
  call(fn: SandboxFunction, event: unknown): Promise<ExecutionResult>
  /** An honest function is served as ever. Throws where it is not. */
  servesOthers(): Promise<void>
  close(): Promise<void>
}

/** A function as the sandbox takes it, of a bundle's source. */
export function attackFunction(source: string, definition: Partial<ManifestFunction> = {}): SandboxFunction {
  const bytes = Buffer.from(source)
  const codeDigest: Hex = `0x${createHash('sha256').update(bytes).digest('hex')}`
  return {
    owner: `0x${'a'.repeat(40)}`,
    project: 'abuse',
    version: 1,
    bundle: async () => bytes,
    definition: {
      name: 'attack',
      handler: 'attack.handler',
      bundleCid: '',
      codeDigest,
      size: bytes.length,
      routes: [],
      price: '0',
      timeout: 5,
      memorySize: 128,
      egress: [],
      verification: 'none',
      publicHeaders: [],
      environment: {},
      runtimeId: `0x${'0'.repeat(64)}`,
      ...definition,
    },
  }
}

/** A bundle of fixtures/, as a function. */
export const fixture = (path: string, definition?: Partial<ManifestFunction>): SandboxFunction =>
  attackFunction(readFileSync(new URL(`fixtures/${path}.cjs`, import.meta.url), 'utf8'), definition)

/** The JSON of a raw event's result. */
export const outputOf = (result: ExecutionResult): Record<string, unknown> =>
  result.output ? (JSON.parse(Buffer.from(result.output).toString()) as Record<string, unknown>) : {}

const HONEST = attackFunction(`let count = 0; exports.handler = async ({ text }) => ({ text, count: ++count })`)

export async function createAbuseSandbox(forkPoint: 'auto' | ForkPoint): Promise<AbuseSandbox> {
  const log: string[] = []
  const sandbox = await createSandbox({
    forkPoint,
    maxJailsPerFunction: 1,
    blankJails: 2,
    loadTimeoutMs: 1500,
    onLog: (line) => log.push(line),
  })
  const call = (fn: SandboxFunction, event: unknown) => {
    const input = { kind: 'event' as const, body: Buffer.from(JSON.stringify(event)) }
    return sandbox.execute(fn, { input, requestHash: toHex(randomBytes(32)), clockMs: Date.now() })
  }
  return {
    sandbox,
    log,
    call,
    async servesOthers() {
      const text = randomBytes(8).toString('hex')
      const result = await call(HONEST, { text })
      const { text: answered, count } = outputOf(result)
      if (result.status !== 0 || answered !== text || count !== 1) {
        throw new Error(`an honest function was not served: ${JSON.stringify({ ...result, answered, count })}`)
      }
    },
    close: () => sandbox.close(),
  }
}
