// Servers listen to SIGTERM as a habit. libuv's lock around that is a token in a pipe, which a child replaces.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { attackFunction, outputOf } from './abuse-sandbox.ts'
import { createAttackStage } from './attack-stage.ts'

for (const forkPoint of ['blank', 'loaded'] as const) {
  for (const [name, source] of [
    ['in the handler', `exports.handler = async () => { process.on('SIGTERM', () => {}); return { ok: true } }`],
    ['at load', `process.on('SIGTERM', () => {}); exports.handler = async () => ({ ok: true })`],
  ] as const) {
    test(`a listener for a signal, ${name}, fork point ${forkPoint}`, async () => {
      const stage = await createAttackStage({ forkPoint })
      try {
        const result = await stage.call(attackFunction(source), {})
        assert.deepEqual({ code: result.error?.code, ...outputOf(result) }, { code: undefined, ok: true })
      } finally {
        await stage.close()
      }
    })
  }
}
