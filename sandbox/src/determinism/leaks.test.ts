import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { createSandbox } from '../create-sandbox.ts'
import type { ForkPoint } from '../jail/jail.ts'
import { functionOf } from '../support/bundle-source.ts'
import type { Sandbox, SandboxFunction } from '../types.ts'
import { bundleOfLeaks, REFUSED, SAME } from './leak-table.ts'

const CLOCK = 1_800_000_000_000
const PKCS8 = { type: 'pkcs8', format: 'pem' } as const
/** A processor slow enough for all rows at once. */
const TIMEOUT = 30

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export(PKCS8)
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export(PKCS8)
const ed25519 = generateKeyPairSync('ed25519').privateKey.export(PKCS8)
const rsaPublic = createPublicKey(rsa).export({ type: 'spki', format: 'pem' })
const keys = { ec, rsa, ed25519, rsaPublic } as Record<string, string>

/** What each row gave, as JSON, or its error's code and message. */
type Answers = Record<string, { value?: string; error?: string }>

const RUNS: { name: string; forkPoint: ForkPoint; codeCache: boolean }[] = [
  { name: 'blank', forkPoint: 'blank', codeCache: false },
  { name: 'loaded from a code cache', forkPoint: 'loaded', codeCache: true },
  { name: 'blank from a code cache', forkPoint: 'blank', codeCache: true },
  { name: 'loaded', forkPoint: 'loaded', codeCache: false },
]

describe('what a deterministic handler may ask', () => {
  const answers: { name: string; given: Answers }[] = []
  const logs: string[] = []
  let sandbox: Sandbox | undefined

  async function run(fn: SandboxFunction, { name, forkPoint, codeCache }: (typeof RUNS)[number]) {
    sandbox = await createSandbox({ forkPoint, cgroups: 'auto', blankJails: 1, onLog: (line) => logs.push(line) })
    if (codeCache) await sandbox.prepare(fn)
    const { status, output, error } = await sandbox.execute(fn, {
      input: { kind: 'event', body: Buffer.from('{}') },
      requestHash: `0x${'ab'.repeat(32)}`,
      clockMs: CLOCK,
    })
    await sandbox.close()
    assert.equal(status, 0, error?.message)
    answers.push({ name, given: JSON.parse(Buffer.from(output!).toString()) })
  }

  before(async () => {
    const fn = functionOf(Buffer.from(bundleOfLeaks(keys)), { timeout: TIMEOUT, memorySize: 512 })
    for (const each of RUNS) await run(fn, each)
  })
  after(() => sandbox?.close())

  /** All answers of a row, which must be one. */
  function answerOf(row: string) {
    const [first, ...others] = answers
    for (const { name, given } of others) assert.deepEqual(given[row], first!.given[row], `${first!.name} and ${name}`)
    return first!.given[row]!
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

  for (const row of Object.keys(REFUSED)) {
    it(`is refused by name: ${row}`, () => {
      assert.match(
        answerOf(row).error ?? 'nothing',
        /^ERR_NOT_DETERMINISTIC .* is not available in a deterministic function; set verification: none$/,
      )
    })
  }
})
