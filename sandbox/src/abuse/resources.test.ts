import assert from 'node:assert/strict'

import { after, before, describe, test } from 'node:test'
import { type AbuseSandbox, attackFunction, createAbuseSandbox, outputOf } from './abuse-sandbox.ts'

// Attacks on memory, time, processes and disk: each fails in its own way, and the next request is served.

const KILL_MS = 15
const SLACK_MS = 150 // of a test machine that does other things, too

interface Expected {
  status: number
  code?: string
}

interface Attack extends Expected {
  source: string
  timeout?: number
}

const attacks: Record<string, Attack> = {
  'heap bomb': {
    source: `exports.handler = async () => { const kept = []; for (;;) kept.push({ text: 'x' + kept.length, more: [kept.length] }) }`,
    status: 3,
    code: 'PH_RUN_OUT_OF_MEMORY',
  },
  'Buffer bomb': {
    source: `exports.handler = async () => { const kept = []; for (;;) kept.push(Buffer.alloc(1e6, 1)) }`,
    status: 3,
    code: 'PH_RUN_OUT_OF_MEMORY',
  },
  'heap bomb at load': {
    source: `const kept = []; for (;;) kept.push({ text: 'x' + kept.length }); exports.handler = async () => {}`,
    status: 1,
  },
  'infinite loop': {
    source: `exports.handler = async () => { for (;;); }`,
    timeout: 1,
    status: 2,
    code: 'PH_RUN_TIMEOUT',
  },
  'unresolved promise with a timer': {
    source: `exports.handler = () => new Promise(() => setInterval(() => {}, 1000))`,
    timeout: 1,
    status: 2,
    code: 'PH_RUN_TIMEOUT',
  },
  'unresolved promise': {
    source: `exports.handler = () => new Promise(() => {})`,
    status: 1,
    code: 'PH_RUN_THREW',
  },
  exit: { source: `exports.handler = async () => process.exit(7)`, status: 1, code: 'PH_RUN_EXITED' },
  'exit by the back door': {
    source: `exports.handler = async () => process.reallyExit(7)`,
    status: 1,
    code: 'PH_RUN_EXITED',
  },
  crash: { source: `exports.handler = async () => process.abort()`, status: 1, code: 'PH_RUN_CRASHED' },
  'crash at load': { source: `process.abort()`, status: 1, code: 'PH_RUN_INIT_FAILED' },
  'blocks at load': { source: `for (;;);`, status: 1, code: 'PH_RUN_INIT_FAILED' },
  'never ends its load': {
    source: `module.exports = new Promise(() => setInterval(() => {}, 1000))`,
    status: 1,
    code: 'PH_RUN_INIT_FAILED',
  },
  'throws at load': { source: `throw new Error('at load')`, status: 1, code: 'PH_RUN_INIT_FAILED' },
  'response of 300 MB': {
    source: `exports.handler = async () => 'x'.repeat(3e8)`,
    status: 3,
  },
  'response of 7 MB': {
    source: `exports.handler = async () => 'x'.repeat(7e6)`,
    status: 1,
    code: 'PH_RUN_RESPONSE_TOO_LARGE',
  },
}

describe('resources', () => {
  let abuse: AbuseSandbox
  before(async () => {
    abuse = await createAbuseSandbox('auto')
  })
  after(() => abuse.close())

  for (const [name, { source, timeout = 10, status, code }] of Object.entries(attacks)) {
    test(name, async () => {
      const result = await abuse.call(attackFunction(source, { timeout, name: 'bomb' }), {})
      if (status === 3 && code === undefined) assert.ok([1, 3].includes(result.status), JSON.stringify(result.error))
      else if (name === 'heap bomb at load') assert.ok([1, 3].includes(result.status), JSON.stringify(result.error))
      else assert.equal(result.status, status, JSON.stringify(result.error))
      if (code) assert.equal(result.error?.code, code)
      await abuse.servesOthers()
    })
  }

  test('a timeout kills in time', async () => {
    const fn = attackFunction(`exports.handler = async () => { for (;;); }`, { timeout: 1, name: 'loop' })
    const { timings } = await abuse.call(fn, {})
    assert.ok(timings.runMs >= 1000 && timings.runMs < 1000 + KILL_MS + SLACK_MS, `${timings.runMs} ms`)
    await abuse.servesOthers()
  })

  test('/tmp bomb: 64 MB and 4,096 files, then ENOSPC; the next execution finds it empty', async () => {
    const fn = attackFunction(
      `const fs = require('fs')
      exports.handler = async ({ name }) => {
        const found = fs.readdirSync('/tmp').length, space = fs.statfsSync('/tmp'), codes = []
        try { fs.writeFileSync('/tmp/big', Buffer.alloc(70e6)) } catch (error) { codes.push(error.code) }
        try { fs.rmSync('/tmp/big'); for (let i = 0; i < 5000; i++) fs.writeFileSync('/tmp/' + i, '') } catch (error) { codes.push(error.code) }
        return { found, free: space.bfree * space.bsize, codes }
      }`,
      { memorySize: 256, name: 'disk' },
    )
    for (const name of ['first', 'second']) {
      const output = outputOf(await abuse.call(fn, { name }))
      assert.deepEqual(output, { found: 0, free: 67108864, codes: ['ENOSPC', 'ENOSPC'] })
    }
    await abuse.servesOthers()
  })

  test('fork bomb: no process is made, threads are limited', async () => {
    const fn = attackFunction(
      `const { spawn, fork } = require('child_process'), { Worker } = require('worker_threads')
      exports.handler = async () => {
        let made = 0, threads = 0
        for (let i = 0; i < 200; i++) {
          try { const child = spawn('/node', ['-v']); child.on('error', () => {}); if (child.pid) made++ } catch {}
        }
        await Promise.all(Array.from({ length: 100 }, () => new Promise((done) => {
          try { new Worker('setTimeout(() => {}, 1e9)', { eval: true }).on('online', () => { threads++; done() }).on('error', done) } catch { done() }
          setTimeout(done, 3000)
        })))
        return { made, threads }
      }`,
      { memorySize: 512, timeout: 8, name: 'forks' },
    )
    const result = await abuse.call(fn, {})
    const { made, threads } = outputOf(result) as { made?: number; threads?: number }
    if (result.status === 0) assert.ok(made === 0 && threads! < 64, JSON.stringify({ made, threads }))
    else assert.ok([1, 2, 3].includes(result.status))
    await abuse.servesOthers()
  })

  test('10 GB of standard output: the log is cut and says so, the worker reads no more than it likes', async () => {
    const fn = attackFunction(
      `const fs = require('fs')
      exports.handler = async () => { const text = 'x'.repeat(1e6); for (let i = 0; i < 10000; i++) fs.writeSync(1, text) }`,
      { timeout: 1, name: 'talker' },
    )
    const before = process.cpuUsage()
    const result = await abuse.call(fn, {})
    const { user, system } = process.cpuUsage(before)
    assert.equal(result.status, 2)
    assert.match(result.logs, /\[logs cut at 262144 bytes\]/)
    assert.ok(result.logs.length < 263_000)
    assert.ok(user + system < 700_000, `${(user + system) / 1000} ms of the worker's CPU`)
    await abuse.servesOthers()
  })

  test('what is logged up to the cap arrives whole, and before the answer', async () => {
    const fn = attackFunction(
      `exports.handler = async () => { for (let i = 0; i < 1000; i++) console.log('line ' + i); return {} }`,
      { name: 'lines' },
    )
    const { logs } = await abuse.call(fn, {})
    assert.match(logs, /line 0\n/)
    assert.match(logs, /line 999\n/)
  })

  test('nothing runs after the answer: timers, threads and promises of an execution end with it', async () => {
    const fn = attackFunction(
      `const { Worker } = require('worker_threads'), net = require('net')
      let answered = false, count = 0
      exports.handler = async () => {
        setInterval(() => count++, 1)
        new Worker('for (;;);', { eval: true })
        setTimeout(() => { answered = true; console.log('after the answer') }, 20)
        return { count, answered }
      }`,
      { name: 'late' },
    )
    for (let i = 0; i < 3; i++) {
      const result = await abuse.call(fn, {})
      assert.deepEqual(outputOf(result), { count: 0, answered: false })
      assert.doesNotMatch(result.logs, /after the answer/)
    }
    await abuse.servesOthers()
  })

  test('a bundle that fails at load is not loaded again for each request', async () => {
    const fn = attackFunction(`throw new Error('at load')`, { name: 'broken' })
    await abuse.call(fn, {})
    const started = performance.now()
    const results = await Promise.all(Array.from({ length: 20 }, () => abuse.call(fn, {})))
    assert.ok(performance.now() - started < 500)
    for (const { status, error } of results) assert.deepEqual([status, error?.code], [1, 'PH_RUN_INIT_FAILED'])
    assert.match(results[0]!.error!.message, /at load/)
  })

  test('a bundle whose bytes do not match its digest is not run', async () => {
    const fn = attackFunction('exports.handler = async () => ({})', { name: 'other' })
    const result = await abuse.call({ ...fn, bundle: async () => Buffer.from('exports.handler = async () => 1') }, {})
    assert.deepEqual([result.status, result.error?.code], [4, 'PH_BUNDLE_DIGEST_MISMATCH'])
    assert.equal(result.output, undefined)
    await abuse.servesOthers()
  })

  test('an execution that its caller has given up ends at once', async () => {
    const fn = attackFunction(`exports.handler = () => new Promise((done) => setTimeout(done, 5000))`, { name: 'slow' })
    const controller = new AbortController()
    const input = { kind: 'event' as const, body: Buffer.from('{}') }
    const running = abuse.sandbox.execute(fn, { input, requestHash: '0x00', clockMs: 0 }, { signal: controller.signal })
    setTimeout(() => controller.abort(), 300)
    const result = await running
    assert.deepEqual([result.status, result.error?.code], [4, 'PH_RUN_CANCELLED'])
    await abuse.servesOthers()
  })
})
