import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { type AbuseSandbox, createAbuseSandbox, fixture, outputOf } from './abuse-sandbox.ts'

// Two executions of one bundle in one jail: what the first one leaves, the second one must not find (runtime.md, "Nothing
// survives an execution"). Each fixture names its rule and answers with what it has `seen`. The same ones are deployed and
// called over HTTP by test/src/abuse.test.ts.

/** What must come of an attack besides seeing nothing; of those that are in no list: it is answered, and its jail stays. */
interface Expectations {
  /** Loads that leave something behind: fork point `loaded` is refused to them. */
  refusedAtLoaded: string[]
  /** Attacks that must cost them their jail. */
  endsItsJail: string[]
  /** They take the answers of their own function. All others must be answered, or nothing is shown. */
  neverAnswered: string[]
  /** Those that end their process behind the answer, and may be faster, or take their own event loop away. */
  seldomAnswered: string[]
}

const folder = new URL('fixtures/', import.meta.url)
const expected = JSON.parse(readFileSync(new URL('state.json', folder), 'utf8')) as Expectations
const names = readdirSync(new URL('state/', folder)).map((file) => file.replace('.cjs', ''))

const isNothing = (seen: unknown) =>
  seen === undefined || seen === null || seen === '' || (Array.isArray(seen) && seen.length === 0)

for (const forkPoint of ['loaded', 'blank'] as const) {
  describe(`state does not survive an execution, fork point ${forkPoint}`, () => {
    let abuse: AbuseSandbox
    before(async () => {
      abuse = await createAbuseSandbox(forkPoint)
    })
    after(() => abuse.close())

    for (const name of names) {
      test(name, async () => {
        const fn = fixture(`state/${name}`, { name, timeout: 15 })
        let earlier: unknown
        for (const execution of ['first', 'second', 'third']) {
          const result = await abuse.call(fn, { name: execution, earlier })
          const { seen, drawn } = outputOf(result)
          assert.ok(isNothing(seen), `${execution} has seen ${JSON.stringify(seen)}`)
          if (!expected.seldomAnswered.includes(name)) {
            assert.equal(result.status === 0, !expected.neverAnswered.includes(name), JSON.stringify(result.error))
          }
          earlier ??= drawn
        }
        const told = abuse.log.filter((line) => line.includes(` ${name} `)).join('\n')
        const refused = told.includes('runs at fork point blank')
        // A machine that is busy with other things may keep a thread running past the check's patience.
        const isBusy = /in system call running/.test(told) && !expected.refusedAtLoaded.includes(name)
        if (!isBusy) {
          assert.equal(refused, forkPoint === 'loaded' && expected.refusedAtLoaded.includes(name), told)
          assert.equal(/ended: /.test(told), expected.endsItsJail.includes(name), told)
        }
        await abuse.servesOthers()
      })
    }
  })
}
