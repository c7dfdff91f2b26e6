import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const determinism = require.resolve('../../harness/determinism/index.cjs')

export interface RunOptions {
  seedHex?: string
  clockMs?: number
  /** Runs after install and before reseed, as a bundle's load does. */
  load?: string
  /** Runs before install: what the harness itself requires. */
  preload?: string
}

/**
 * Runs a program (the body of an async function whose result is JSON) in a fresh Node process under the deterministic
 * harness, and returns its result. For tests of what needs no jail.
 */
export async function runDeterministic(program: string, options: RunOptions = {}): Promise<unknown> {
  const { seedHex = 'ab'.repeat(32), clockMs = 1_800_000_000_000, load = '', preload = '' } = options
  const source = `
    const determinism = require(${JSON.stringify(determinism)})
    ${preload}
    determinism.install({ bundle: '[eval]' })
    determinism.beginLoad({ seedHex: '11'.repeat(32) })
    const atLoad = {}
    ${load}
    determinism.reseed({ seedHex: '${seedHex}', clockMs: ${clockMs} })
    const run = async () => { ${program} }
    run().then((result) => process.stdout.write(JSON.stringify(result ?? null)))`
  const child = spawn(process.execPath, ['--single-threaded', '--input-type=commonjs', '-e', source], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errors += text
  })
  const code = await new Promise((resolve) => child.on('close', resolve))
  if (code !== 0) throw new Error(`exit ${code}: ${errors}`)
  return JSON.parse(output || 'null')
}

/** Two runs in processes of their own. */
export async function runTwice(program: string, options?: RunOptions): Promise<[unknown, unknown]> {
  return [await runDeterministic(program, options), await runDeterministic(program, options)]
}
