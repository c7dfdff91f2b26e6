import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { StatusSteps } from './status-steps.ts'

const byte = Buffer.alloc(1)

test('a step is one byte, and one that nobody waits for is told', async () => {
  const pipe = new PassThrough()
  let surplus = 0
  const steps = new StatusSteps(pipe, () => surplus++)
  for (let i = 0; i < 3; i++) {
    const next = steps.next()
    pipe.write(byte)
    await next
  }
  assert.equal(surplus, 0)
  let settled = false
  void steps.next().then(() => {
    settled = true
  })
  pipe.write(Buffer.alloc(2))
  await new Promise(setImmediate)
  assert.deepEqual([surplus, settled], [1, false])
})
