import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Hex, ManifestFunction } from '@peerhost/protocol'
import type { Invocation, SandboxFunction } from '@peerhost/sandbox'

export const FIXTURES = join(import.meta.dirname, '../../fixtures')
const OWNER: Hex = '0x1111111111111111111111111111111111111111'

/** Packages fixtures/serverless.yml as a deploy does and gives its functions by name, bundles in memory. */
export async function packageFixtures(): Promise<(name: string) => SandboxFunction> {
  const folder = mkdtempSync(join(tmpdir(), 'peerhost-bench-'))
  try {
    await promisify(execFile)('serverless', ['package', '--package', folder], { cwd: FIXTURES })
    const { functions } = JSON.parse(readFileSync(join(folder, 'peerhost.json'), 'utf8')) as {
      functions: ManifestFunction[]
    }
    const made = new Map(
      functions.map((definition) => {
        const bytes = readFileSync(join(folder, `${definition.name}.js`))
        const fn: SandboxFunction = {
          owner: OWNER,
          project: 'bench',
          version: 1,
          definition,
          bundle: async () => bytes,
        }
        return [definition.name, fn]
      }),
    )
    return (name) => {
      const fn = made.get(name)
      if (!fn) throw new Error(`fixtures/serverless.yml has no function ${name}`)
      return fn
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

let version = 1
/** The same function as another version: the sandbox has no jail of it yet. */
export const another = (fn: SandboxFunction): SandboxFunction => ({ ...fn, version: ++version })

let requests = 0
/** A GET of the function's route, each with a request id of its own. */
export function get(fn: SandboxFunction): Invocation {
  const path = fn.definition.routes[0]!.path.replace('{proxy+}', 'hello')
  const requestHash: Hex = `0x${(++requests).toString(16).padStart(64, '0')}`
  return {
    input: {
      kind: 'http',
      request: {
        method: 'GET',
        host: 'localhost',
        sourceAddress: '127.0.0.1',
        path,
        query: '',
        headers: [
          ['accept', '*/*'],
          ['user-agent', 'bench'],
        ],
        body: new Uint8Array(),
      },
    },
    requestHash,
    clockMs: Date.now(),
  }
}
