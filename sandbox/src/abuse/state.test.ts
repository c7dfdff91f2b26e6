import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { type AbuseSandbox, createAbuseSandbox, fixture, outputOf } from './abuse-sandbox.ts'

// Two executions of one bundle in one jail: what the first one leaves, the second one must not find (runtime.md, "Nothing
// survives an execution"). Each fixture names its rule and answers with what it has `seen`.

/** Attacks that must cost them their jail. */
const ENDS_ITS_JAIL = ['undead']
/** Loads that leave something behind: fork point `loaded` is refused to them. */
const REFUSED_AT_LOADED = [
  'backlog',
  'file-offset',
  'unlinked-file',
  'settings',
  'busy-pool',
  'pending-read',
  'watcher',
  'child-signal',
  'status-pipe',
  'impostor',
  'connects-at-load',
]
/** What they replace, the runtime may need to find their handler; what counts is that nothing is carried. */
const EITHER = ['builtins', 'builtins-iterator']
const names = readdirSync(new URL('fixtures/state/', import.meta.url)).map((file) => file.replace('.cjs', ''))

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
        const fn = fixture(`state/${name}`, { name })
        const first = await abuse.call(fn, { name: 'first' })
        assert.ok(isNothing(outputOf(first).seen), `seen at once: ${JSON.stringify(outputOf(first).seen)}`)
        for (const again of ['second', 'third']) {
          const next = await abuse.call(fn, { name: again, earlier: outputOf(first).drawn })
          assert.ok(isNothing(outputOf(next).seen), `${again} has seen ${JSON.stringify(outputOf(next).seen)}`)
        }
        const told = abuse.log.filter((line) => line.includes(` ${name} `)).join('\n')
        if (ENDS_ITS_JAIL.includes(name)) assert.match(told, /ended|runs at fork point blank/)
        const refused = told.includes('runs at fork point blank')
        // A machine that is busy with other things may keep a thread running past the check's patience.
        const isBusy = /in system call running/.test(told) && !REFUSED_AT_LOADED.includes(name)
        if (!EITHER.includes(name) && !isBusy) {
          assert.equal(
            refused,
            forkPoint === 'loaded' && REFUSED_AT_LOADED.includes(name),
            told || 'nothing was logged',
          )
        }
        await abuse.servesOthers()
      })
    }
  })
}
