import { type ChildProcess, spawn } from 'node:child_process'
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const shim = require.resolve('../../harness/egress/index.cjs')

export interface ChildRun {
  child: ChildProcess
  /** What the program returned, or the failure it threw. */
  result: Promise<unknown>
}

/**
 * Runs a program (the body of an async function whose result is JSON) in a Node process with the jail's view of the
 * network, without the jail. For tests.
 */
export function tryInChild(program: string, install: { network?: boolean; socketPath?: string }): ChildRun {
  const source = `
    require(${JSON.stringify(shim)}).install(${JSON.stringify(install)})
    const failure = (error) => ({ code: error?.cause?.code ?? error?.code, message: error?.cause?.message ?? error?.message, syscall: error?.syscall, address: error?.address, port: error?.port })
    const run = async () => { ${program} }
    run().then((result) => process.stdout.write(JSON.stringify(result ?? null), () => process.exit()))`
  const child = spawn(process.execPath, ['-e', source], { stdio: ['ignore', 'pipe', 'pipe'] })
  const result = (async () => {
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
    return JSON.parse(output) as unknown
  })()
  return { child, result }
}
