import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { createSandbox } from '../create-sandbox.ts'
import type { ForkPoint } from '../jail/jail.ts'
import { functionOf } from '../support/bundle-source.ts'
import type { Sandbox, SandboxFunction } from '../types.ts'
import { type Answers, AT_LOAD, bundleOfLeaks, REFUSED, SAME } from './leak-table.ts'

const CLOCK = 1_800_000_000_000
const PKCS8 = { type: 'pkcs8', format: 'pem' } as const
/** A processor slow enough for all rows at once. */
const TIMEOUT = 30

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export(PKCS8)
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export(PKCS8)
const ed25519 = generateKeyPairSync('ed25519').privateKey.export(PKCS8)
const rsaPublic = createPublicKey(rsa).export({ type: 'spki', format: 'pem' })
const keys = { ec, rsa, ed25519, rsaPublic } as Record<string, string>

const RUNS: { name: string; forkPoint: ForkPoint; codeCache: boolean }[] = [
  { name: 'blank', forkPoint: 'blank', codeCache: false },
  { name: 'loaded from a code cache', forkPoint: 'loaded', codeCache: true },
  { name: 'blank from a code cache', forkPoint: 'blank', codeCache: true },
  { name: 'loaded', forkPoint: 'loaded', codeCache: false },
]

describe('what a deterministic function may ask', () => {
  const answers: { name: string; atLoad: Answers; inHandler: Answers }[] = []
  const logs: string[] = []
  const sandboxes: Sandbox[] = []

  async function run(fn: SandboxFunction, { name, forkPoint, codeCache }: (typeof RUNS)[number]) {
    const sandbox = await createSandbox({ forkPoint, cgroups: 'auto', blankJails: 1, onLog: (line) => logs.push(line) })
    sandboxes.push(sandbox)
    if (codeCache) await sandbox.prepare(fn)
    const { status, output, error } = await sandbox.execute(fn, {
      input: { kind: 'event', body: Buffer.from('{}') },
      requestHash: `0x${'ab'.repeat(32)}`,
      clockMs: CLOCK,
    })
    assert.equal(status, 0, error?.message)
    answers.push({ name, ...JSON.parse(Buffer.from(output!).toString()) })
  }

  before(async () => {
    const fn = functionOf(Buffer.from(bundleOfLeaks(keys)), { timeout: TIMEOUT, memorySize: 512 })
    await Promise.all(RUNS.map((each) => run(fn, each))) // at once: the busier, the more their timing differs
  })
  after(() => Promise.all(sandboxes.map((sandbox) => sandbox.close())))

  /** All answers of a row, which must be one. */
  function answerOf(row: string, when: 'atLoad' | 'inHandler' = 'inHandler') {
    const [first, ...others] = answers
    for (const other of others) {
      assert.deepEqual(other[when][row], first![when][row], `${first!.name} and ${other.name}`)
    }
    return first![when][row]!
  }

  it('runs at both fork points', () => {
    assert.deepEqual(
      logs.filter((line) => line.includes('runs at fork point blank')),
      [],
    )
  })

  for (const row of Object.keys(SAME)) {
    it(`is the same everywhere: ${row}`, () => {
      const { error, value } = answerOf(row)
      assert.equal(error, undefined)
      assert.ok(value)
    })
  }

  for (const row of AT_LOAD) {
    it(`is the same at every load: ${row}`, () => assert.equal(answerOf(row, 'atLoad').error, undefined))
  }

  for (const row of Object.keys(REFUSED)) {
    it(`is refused by name: ${row}`, () => {
      assert.match(
        answerOf(row).error ?? 'nothing',
        /^ERR_NOT_DETERMINISTIC .* is not available in a deterministic function; set verification: none$/,
      )
    })
  }

  it('is computed as on a processor without fused multiplication', () => {
    if (process.arch !== 'x64') return // every arm64 has it
    assert.equal(answerOf('powers').value, '[118.26609396332057,38.428153352216924]')
    assert.equal(answerOf('wasm relaxed simd').value, '0.00048828125')
  })
})
