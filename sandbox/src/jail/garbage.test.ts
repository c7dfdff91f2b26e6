import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { createSandbox } from '../create-sandbox.ts'
import { functionOf } from '../support/bundle-source.ts'
import type { Sandbox } from '../types.ts'

/** Grows its heap, at load and in the handler, and answers with the kinds of garbage collection seen until its loop was empty. */
const BUNDLE = Buffer.from(`
const kinds = []
const kept = []
const observer = new PerformanceObserver((list) => {
  for (const { detail } of list.getEntries()) kinds.push(detail.kind)
})
const grow = () => kept.push(Array.from({ length: 24 }, () => new Array(60_000).fill(kept)))
grow()
exports.handler = () => new Promise((answer) => {
  observer.observe({ entryTypes: ['gc'] })
  grow()
  process.once('beforeExit', () => setTimeout(() => answer({ kinds, kept: kept.length }), 5))
})`)

describe('garbage collection of an execution', () => {
  let sandbox: Sandbox
  before(async () => {
    sandbox = await createSandbox({ cgroups: 'auto', blankJails: 1 })
  })
  after(() => sandbox.close())

  // A marking that has begun is finished by tasks that run as soon as the loop is empty, ahead of the answer of a callback.
  it('is not begun ahead of need', async () => {
    const { status, output } = await sandbox.execute(functionOf(BUNDLE, { memorySize: 512, verification: 'none' }), {
      input: { kind: 'event', body: Buffer.from('{}') },
      requestHash: `0x${'ab'.repeat(32)}`,
      clockMs: Date.now(),
    })
    assert.equal(status, 0)
    const { kinds, kept } = JSON.parse(Buffer.from(output!).toString()) as { kinds: number[]; kept: number }
    assert.equal(kept, 2)
    assert.ok(!kinds.includes(8), `incremental: ${kinds}`) // constants.NODE_PERFORMANCE_GC_INCREMENTAL
  })
})
