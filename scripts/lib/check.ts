import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { checkFiles } from './check-files.ts'

// `npm run check`: everything that is cheap to know about the tree, side by side, one line each.

const ROOT = resolve(import.meta.dirname, '../..')
const bin = (name: string) => resolve(ROOT, 'node_modules/.bin', name)

interface Outcome {
  ok: boolean
  output: string
}

/** Runs a command to its end; its output is shown only if it fails. */
function run(command: string, ...args: string[]): Promise<Outcome> {
  return new Promise((done) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (chunk) => (output += chunk))
    child.stderr.on('data', (chunk) => (output += chunk))
    child.on('error', (error) => done({ ok: false, output: String(error) }))
    child.on('close', (code) => done({ ok: code === 0, output }))
  })
}

/** A generator's own `--check`: exits 1 if what is committed is not what it would write. */
const isFresh = (script: string) => run(process.execPath, script, '--check')

const checks: Record<string, () => Promise<Outcome>> = {
  'types (tsc)': () => run(bin('tsc'), '-p', 'tsconfig.json', '--noEmit'),
  'lint and format (biome)': () => run(bin('biome'), 'check', '--diagnostic-level=error', '.'),
  'import directions': () => run(process.execPath, '--test', 'test/src/import-direction.test.ts'),
  'ABIs are fresh': () => isFresh('contracts/src/generate.ts'),
  'runtime ids are fresh': () => isFresh('sandbox/src/generate-runtime-id.ts'),
  'test vectors are fresh': () => isFresh('protocol/src/generate-vectors.ts'),
  'docs/errors.md is fresh': () => isFresh('protocol/src/errors/generate-docs.ts'),
  'no addresses or machine paths in files': () => checkFiles(ROOT),
}

const outcomes = await Promise.all(
  Object.entries(checks).map(async ([label, check]) => {
    const start = performance.now()
    const { ok, output } = await check()
    const seconds = ((performance.now() - start) / 1000).toFixed(1)
    console.log(`check   ${label.padEnd(44)} ${ok ? `${seconds.padStart(7)} s` : ' FAILED'}`)
    return { label, ok, output }
  }),
)
for (const { label, ok, output } of outcomes) {
  if (!ok) console.log(`\n${label}:\n${output.trimEnd()}`)
}
process.exitCode = outcomes.every(({ ok }) => ok) ? 0 : 1
