import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type AbuseSandbox, createAbuseSandbox, fixture } from './abuse-sandbox.ts'

for (const forkPoint of ['loaded', 'blank'] as const) {
  describe(`the harness with no stack left, fork point ${forkPoint}`, () => {
    let abuse: AbuseSandbox
    before(async () => {
      abuse = await createAbuseSandbox(forkPoint)
    })
    after(() => abuse.close())

    // Room for so many calls of the bundle's: too few for anything, too few for the harness, enough for the harness.
    for (const left of [1, 585, 800, 3000]) {
      test(`room for ${left} calls`, async () => {
        const fn = fixture('stack-exhaustion', { name: `left${left}`, environment: { LEFT: String(left) } })
        for (let i = 0; i < 2; i++) {
          const { error, output } = await abuse.call(fn, {})
          assert.deepEqual({ code: error?.code, output: String(output) }, { code: undefined, output: '{"seen":[]}' })
        }
        assert.deepEqual(
          abuse.log.filter((line) => line.includes(`left${left} `)),
          [],
        )
      })
    }
  })
}
