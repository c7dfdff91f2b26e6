import assert from 'node:assert/strict'
import { test } from 'node:test'
import { attackFunction, outputOf } from './abuse-sandbox.ts'
import { createAttackStage } from './attack-stage.ts'

const BUSY_MS = 40
const WORKER_CPU_US = 300_000

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

/** What of this process's CPU it takes to call a function, in microseconds. */
async function cost(call: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage()
  await call()
  const { user, system } = process.cpuUsage(before)
  return user + system
}

for (const forkPoint of ['loaded', 'blank'] as const) {
  test(`a load that floods its log, fork point ${forkPoint}`, async () => {
    const stage = await createAttackStage({ forkPoint, loadTimeoutMs: 3000 })
    try {
      await stage.recovers()
      const source = `const fs = require('fs'), text = 'x'.repeat(65536), end = Date.now() + 1000
        while (Date.now() < end) try { fs.writeSync(1, text) } catch {}
        exports.handler = async () => ({ loaded: true })`
      const spent = await cost(async () => {
        assert.deepEqual(outputOf(await stage.call(attackFunction(source), {})), { loaded: true })
      })
      assert.ok(spent < WORKER_CPU_US, `${spent} us of the worker's CPU`)
      await stage.recovers()
    } finally {
      await stage.close()
    }
  })
}

test('a load that fails with megabytes to parse', async () => {
  const stage = await createAttackStage({ forkPoint: 'blank' })
  try {
    await stage.recovers()
    const source = `const head = Buffer.alloc(6e6, '['), frame = Buffer.alloc(9)
      head.fill(']', 3e6); frame.writeUInt32LE(5 + head.length); frame[4] = 4; frame.writeUInt32LE(head.length, 5)
      const bytes = Buffer.concat([frame, head]), fs = require('fs')
      for (let sent = 0; sent < bytes.length; ) sent += fs.writeSync(3, bytes, sent)
      for (;;) {}`
    const spent = await cost(async () => {
      const { error } = await stage.call(attackFunction(source), {})
      assert.equal(error?.code, 'PH_RUN_INIT_FAILED')
    })
    assert.ok(spent < WORKER_CPU_US, `${spent} us of the worker's CPU`)
    await stage.recovers()
  } finally {
    await stage.close()
  }
})
