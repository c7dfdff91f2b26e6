// A function whose memorySize is above what the worker has for all jails cannot be run here: it says so at once.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { attackFunction } from './abuse-sandbox.ts'
import { createAttackStage } from './attack-stage.ts'

test('a function that needs more memory than there is', async () => {
  const stage = await createAttackStage({ memoryCapMb: 320 })
  const fn = attackFunction('exports.handler = async () => 1', { memorySize: 512, timeout: 1 })
  const result = await Promise.race([stage.call(fn, {}, { signal: AbortSignal.timeout(1500) }), sleep(4000, undefined)])
  await Promise.race([stage.close(), sleep(3000)])
  assert.ok(result, 'it was not answered')
  assert.equal(result.status, 4)
  assert.equal(result.error?.code, 'PH_RUN_REFUSED')
})
