import assert from 'node:assert/strict'
import { test } from 'node:test'
import { attackFunction } from './abuse-sandbox.ts'
import { createAttackStage } from './attack-stage.ts'

const BUSY_MS = 40

// The worker accepts a child's connections when it gets to it. A load that ends its child sooner is that function's
// failure all the same, and no stranger's connection.
test('a load that ends its child at once, on a worker that is late to accept', async () => {
  const stage = await createAttackStage()
  const busy = setInterval(() => {
    for (const until = performance.now() + BUSY_MS; performance.now() < until; );
  }, 1)
  try {
    for (const source of ['require("fs").closeSync(3)', 'process.abort()', 'throw new Error("at load")']) {
      const { status, error } = await stage.call(attackFunction(source), {})
      assert.deepEqual({ status, code: error?.code }, { status: 1, code: 'PH_RUN_INIT_FAILED' }, source)
    }
  } finally {
    clearInterval(busy)
    await stage.close()
  }
})
