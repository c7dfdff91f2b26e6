import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { ManifestFunction } from '@peerhost/protocol'
import { CPU_QUOTA_US } from '../cgroup/types.ts'
import { MAX_RESPONSE } from '../jail/answer.ts'
import { MAX_LOG } from '../jail/log-collector.ts'
import type { ExecutionStatus, SandboxFunction } from '../types.ts'
import { attackFunction, outputOf } from './abuse-sandbox.ts'
import { type AttackStage, createAttackStage, withAttacks } from './attack-stage.ts'

// Whatever a function takes, it takes from itself: memory, time, processes, files, logs (runtime.md, "Limits"). Behind
// each attack the same function and another one are served as ever.

const ATTACKS = `
  ...{ fs: require('fs'), childProcess: require('child_process'), cluster: require('cluster'), threads: require('worker_threads') },

  // Processes
  childProcesses() {
    let started = 0
    for (let i = 0; i < 200; i++) {
      try { if (!attacks.childProcess.spawnSync('/node', ['-e', '']).error) started++ } catch {}
      try { const child = attacks.childProcess.fork('/app/harness.cjs'); child.on('error', () => {}); if (child.pid) started++ } catch {}
    }
    return { started }
  },
  clusterWorkers() {
    let started = 0
    for (let i = 0; i < 50; i++) try { attacks.cluster.setupPrimary({ exec: '/app/harness.cjs' }); const worker = attacks.cluster.fork(); worker.on('error', () => {}); if (worker.process.pid) started++ } catch {}
    return { started }
  },
  begun(thread) { return new Promise((done) => thread.on('online', done).on('error', done).on('exit', done)) },
  async threadBomb() {
    const all = []
    for (let i = 0; i < 200; i++) {
      try { all.push(attacks.begun(new attacks.threads.Worker('setInterval(() => {}, 1000)', { eval: true }))) } catch { break }
      await new Promise(setImmediate)
    }
    await Promise.all(all) // all of them at once take what they take
    return { started: all.length }
  },

  // Memory and files
  heap() { const kept = []; for (let i = 0; ; i++) kept.push({ i, text: 'x' + i }) },
  buffers() { const kept = []; for (;;) kept.push(Buffer.alloc(8 << 20, 1)) },
  oneBuffer() { return Buffer.alloc(300 << 20, 1).length },
  strings() { const kept = []; for (let i = 0; ; i++) kept.push(Buffer.alloc(1 << 20, 97 + i % 20).toString('latin1')) },
  temporary({ megabytes = 1000, held = 0 }) {
    const kept = Buffer.alloc(held << 20, 1), chunk = Buffer.alloc(1 << 20, 1), fd = attacks.fs.openSync('/tmp/bomb', 'w')
    let written = 0
    try { while (written < megabytes) { attacks.fs.writeSync(fd, chunk); written++ } } catch (error) { return { code: error.code, written } }
    return { written, held: kept.length >> 20 }
  },
  inodes() {
    let made = 0
    try { for (; made < 100000; made++) attacks.fs.writeFileSync('/tmp/' + made, '') } catch (error) { return { code: error.code, made } }
    return { made }
  },
  leftInTemporary() { return { files: attacks.fs.readdirSync('/tmp').length } },
  output() { const chunk = Buffer.alloc(65536, 'x'); for (let i = 0; i < 10 * 2 ** 30 / chunk.length; i++) attacks.fs.writeSync(1, chunk); return { wrote: 'all' } },
  asyncOutput() { return new Promise(() => { const text = 'y'.repeat(65536); setInterval(() => { console.log(text); console.error(text); process.stdout.write(text) }, 0) }) },
  lines() { for (let i = 0; i < 1000; i++) console.log('line ' + i); return { written: 1000 } },
  response({ size }) { return 'z'.repeat(size) },

  // Time
  loop() { for (;;) {} },
  hang() { return new Promise(() => { setInterval(() => {}, 1000) }) },
  async awaits() { for (;;) await null },
  ticks() { return new Promise(() => { const tick = () => process.nextTick(tick); tick() }) },
  regularExpression() { return /^(a+)+$/.test('a'.repeat(60) + 'b') },
  asleep() { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0) },
  stubborn() {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT']) process.on(signal, () => {})
    process.on('uncaughtException', () => {}); process.on('exit', () => { for (;;) {} })
    return new Promise(() => { setInterval(() => {}, 1000) })
  },
  unresolved() { return new Promise(() => {}) },

  // Two threads: one alone never uses more than a core.
  ...{ cpuMs() { const { user, system } = process.cpuUsage(); return (user + system) / 1000 } },
  burns({ ms }) {
    const started = performance.now()
    require('crypto').pbkdf2('', '', 5e7, 64, 'sha512', () => {})
    while (attacks.cpuMs() < ms) {}
    return { cpuMs: attacks.cpuMs(), beyondMs: attacks.cpuMs() - (performance.now() - started) }
  },
  untilThrottled() {
    require('crypto').pbkdf2('', '', 5e7, 64, 'sha512', () => {})
    for (let at = performance.now(), cpu = attacks.cpuMs(), until = at + 250; at < until; ) {
      const [nextAt, nextCpu] = [performance.now(), attacks.cpuMs()]
      if (nextAt - at > 8 && nextCpu - cpu < 2) return { cpuMs: cpu } // for all threads of it time stood still
      at = nextAt; cpu = nextCpu
    }
    return {}
  },

  // What is left when the answer is there
  timersAfter() { globalThis.kept = 1; setInterval(() => { attacks.fs.writeFileSync('/tmp/late', 'x'); console.log('late') }, 1); setImmediate(() => { for (;;) {} }); return { answered: true } },
  threadAfter() {
    const source = "const fs = require('fs'); require('worker_threads').parentPort.postMessage(1); for (;;) try { fs.writeFileSync('/tmp/' + Math.random(), 'x') } catch {}"
    return new Promise((done) => new attacks.threads.Worker(source, { eval: true }).on('message', () => done({ answered: true })))
  },
  poolAfter() { for (let i = 0; i < 16; i++) require('crypto').pbkdf2('', '', 5e7, 64, 'sha512', () => {}); return { answered: true } },

  // Ends
  throws() { throw new Error('thrown') },
  rejectsLate() { Promise.reject(new Error('late')); return new Promise((done) => setTimeout(done, 100)) },
  throwsLate() { setTimeout(() => { throw new Error('late') }); return new Promise((done) => setTimeout(done, 100)) },
  exits() { process.exit(7) },
  reallyExits() { process.reallyExit(0) },
  exitsInThread() { new attacks.threads.Worker('process.exit(3)', { eval: true }); return new Promise((done) => setTimeout(() => done({ answered: true }), 50)) },
  aborts() { process.abort() },
  signals() { try { process.kill(process.pid, 'SIGSEGV') } catch (error) { return { code: error.code } } },
  signalsZygote() { try { process.kill(1, 'SIGKILL') } catch (error) { return { code: error.code } } },
  recursion() { const again = () => again(); again() },
`

const KILL_MS = 15
const SLACK_MS = 150 // of a test machine that does other things, too
/** Milliseconds of a quota that may be missing: each core takes its part in slices, and gives back what it does not use. */
const CPU_SLICES_MS = 20
/** For a machine whose cores are busy with other tests. */
const PATIENCE_MS = 60_000
/** Microseconds: what a second of somebody's logs may cost. */
const WORKER_CPU_US = 700_000

interface Expected {
  status: ExecutionStatus
  code: string
}

const TIMEOUT: Expected = { status: 2, code: 'PH_RUN_TIMEOUT' }
const OUT_OF_MEMORY: Expected = { status: 3, code: 'PH_RUN_OUT_OF_MEMORY' }
const THREW: Expected = { status: 1, code: 'PH_RUN_THREW' }
const EXITED: Expected = { status: 1, code: 'PH_RUN_EXITED' }
const CRASHED: Expected = { status: 1, code: 'PH_RUN_CRASHED' }
const INIT_FAILED: Expected = { status: 1, code: 'PH_RUN_INIT_FAILED' }

describe('limits', () => {
  let stage: AttackStage
  before(async () => {
    stage = await createAttackStage()
  })
  after(() => stage.close())

  const attackable = (definition: Partial<ManifestFunction> = {}) =>
    attackFunction(withAttacks(ATTACKS), { name: 'limits', timeout: 1, ...definition })
  const patient = attackable({ timeout: 10 })
  const hasty = attackable({ name: 'hasty' })

  /** Runs an attack that must fail so; gives its result. */
  async function fails(fn: SandboxFunction, event: object, { status, code }: Expected) {
    const result = await stage.call(fn, event)
    assert.deepEqual({ status: result.status, code: result.error?.code }, { status, code }, result.logs.slice(0, 500))
    return result
  }

  /** Runs an attack that gets its own answer; gives that. */
  async function answers(fn: SandboxFunction, event: object) {
    const result = await stage.call(fn, event)
    assert.equal(result.status, 0, `${result.error?.code}: ${result.error?.message} ${result.logs.slice(0, 500)}`)
    return outputOf(result)
  }

  for (const attack of ['childProcesses', 'clusterWorkers']) {
    test(`fork bomb: ${attack}`, async () => {
      assert.deepEqual(await answers(patient, { attack }), { started: 0 })
      await stage.recovers(patient)
    })
  }

  test('fork bomb: threads', async () => {
    await fails(patient, { attack: 'threadBomb' }, OUT_OF_MEMORY)
    await stage.recovers(patient)
    // With memory enough for many of them, their number is the limit.
    const roomy = await createAttackStage({ blankJails: 0, memoryCapMb: 768 })
    try {
      const fn = attackable({ memorySize: 640, timeout: 20 })
      const { started } = outputOf(await roomy.call(fn, { attack: 'threadBomb' }))
      assert.ok((started as number) < 64, `${started} threads`)
      await roomy.recovers(fn)
    } finally {
      await roomy.close()
    }
  })

  for (const attack of ['heap', 'buffers', 'oneBuffer', 'strings']) {
    test(`memory bomb: ${attack}`, async () => {
      await fails(patient, { attack }, OUT_OF_MEMORY)
      await stage.recovers(patient)
    })
  }

  test('/tmp has a size', async () => {
    const fn = attackable({ name: 'roomy', memorySize: 256, timeout: 2 })
    assert.deepEqual(await answers(fn, { attack: 'temporary' }), { code: 'ENOSPC', written: 64 })
    assert.deepEqual(await answers(fn, { attack: 'leftInTemporary' }), { files: 0 })
    await stage.recovers(fn)
  })

  test('/tmp has a number of files', async () => {
    const { code, made } = await answers(patient, { attack: 'inodes' })
    assert.equal(code, 'ENOSPC')
    assert.ok((made as number) <= 4096, `${made} files`)
    assert.deepEqual(await answers(patient, { attack: 'leftInTemporary' }), { files: 0 })
    await stage.recovers(patient)
  })

  test('/tmp is part of memorySize', async () => {
    assert.deepEqual(await answers(patient, { attack: 'temporary', megabytes: 50 }), { written: 50, held: 0 })
    assert.deepEqual(await answers(patient, { attack: 'temporary', megabytes: 0, held: 70 }), { written: 0, held: 70 })
    await fails(patient, { attack: 'temporary', megabytes: 60, held: 70 }, OUT_OF_MEMORY)
    await stage.recovers(patient)
  })

  for (const attack of ['output', 'asyncOutput']) {
    test(`10 GB of logs: ${attack}`, async () => {
      const before = process.cpuUsage()
      const { logs } = await fails(hasty, { attack }, TIMEOUT)
      const { user, system } = process.cpuUsage(before)
      assert.ok(user + system < WORKER_CPU_US, `${user + system} us of the worker's CPU`)
      const mark = `\n[logs cut at ${MAX_LOG} bytes]\n`
      assert.ok(logs.endsWith(mark), logs.slice(-100))
      assert.equal(Buffer.byteLength(logs), MAX_LOG + mark.length)
      await stage.recovers(hasty)
    })
  }

  test('what is logged below the cap arrives whole, ahead of the answer', async () => {
    const { logs } = await stage.call(patient, { attack: 'lines' })
    assert.equal(logs.match(/line \d+\n/g)?.length, 1000)
    await stage.recovers(patient)
  })

  test('a response over 6 MB', async () => {
    await fails(patient, { attack: 'response', size: MAX_RESPONSE }, { status: 1, code: 'PH_RUN_RESPONSE_TOO_LARGE' })
    await stage.recovers(patient)
    await fails(patient, { attack: 'response', size: 3e8 }, OUT_OF_MEMORY)
    const whole = await stage.call(patient, { attack: 'response', size: MAX_RESPONSE - 2 })
    assert.equal(whole.output?.length, MAX_RESPONSE) // the quotes of JSON are part of it
    await stage.recovers(patient)
  })

  for (const attack of ['loop', 'hang', 'awaits', 'ticks', 'regularExpression', 'asleep', 'stubborn']) {
    test(`without end: ${attack}`, async () => {
      await fails(hasty, { attack }, TIMEOUT)
      await stage.recovers(hasty)
    })
  }

  test('a timeout kills in time', async () => {
    // A timer of Node counts from the turn of the loop in which it was set, which can be a part of a millisecond back.
    const { timings } = await fails(hasty, { attack: 'loop' }, TIMEOUT)
    assert.ok(timings.runMs >= 999 && timings.runMs < 1000 + KILL_MS + SLACK_MS, `${timings.runMs} ms`)
    await stage.recovers(hasty)
  })

  test('a promise that nothing can settle', async () => {
    const { output } = await fails(hasty, { attack: 'unresolved' }, THREW)
    assert.equal(JSON.parse(String(output)).errorType, 'Runtime.NodeJsExit')
    await stage.recovers(hasty)
  })

  for (const attack of ['timersAfter', 'threadAfter', 'poolAfter']) {
    test(`left behind: ${attack}`, async () => {
      const { logs, ...result } = await stage.call(patient, { attack })
      assert.deepEqual(outputOf({ logs, ...result }), { answered: true })
      assert.doesNotMatch(logs, /late/)
      assert.deepEqual(await answers(patient, { attack: 'leftInTemporary' }), { files: 0 })
      await stage.recovers(patient)
    })
  }

  test('a function’s debt of CPU time is its own: short executions, too, get no more than the quota in sum', async () => {
    const fn = attackable({ name: 'burns', timeout: 10 })
    await stage.call(fn, {})
    const started = performance.now()
    let [used, beyond] = [0, 0]
    // A machine that is busy with other things may have no more than the quota to give: then longer.
    while (beyond < 300 && performance.now() - started < PATIENCE_MS) {
      const { cpuMs, beyondMs } = (await answers(fn, { attack: 'burns', ms: 90 })) as {
        cpuMs: number
        beyondMs: number
      }
      used += cpuMs
      beyond += Math.max(0, beyondMs)
    }
    const elapsed = performance.now() - started
    assert.ok(beyond > 150, 'this machine never had more CPU time than the quota to give')
    assert.ok(used < elapsed + CPU_QUOTA_US / 1000, `${used} ms of CPU time in ${elapsed} ms`)
    await stage.recovers(fn)
  })

  test('an execution cannot tell from its CPU quota what the one before it has used', async () => {
    const fn = attackable({ name: 'quota', timeout: 10 })
    await stage.call(fn, {})
    const found: number[] = []
    // Each second one of these would find a rest without a renewal: in the others a period of the kernel's begins meanwhile.
    const started = performance.now()
    while (found.length < 10 && performance.now() - started < PATIENCE_MS) {
      await answers(fn, { attack: 'burns', ms: 80 })
      const before = stage.throttled()
      const { cpuMs } = (await answers(fn, { attack: 'untilThrottled' })) as { cpuMs?: number }
      if (cpuMs !== undefined && stage.throttled() > before) found.push(cpuMs)
    }
    assert.ok(found.length > 3, 'this machine never had more CPU time than the quota to give')
    assert.ok(
      Math.min(...found) > CPU_QUOTA_US / 1000 - CPU_SLICES_MS,
      `milliseconds until throttled: ${found.join(' ')}`,
    )
    await stage.recovers(fn)
  })

  const ENDS: [string, Expected][] = [
    ['throws', THREW],
    ['rejectsLate', THREW],
    ['throwsLate', THREW],
    ['recursion', THREW],
    ['exits', EXITED],
    ['reallyExits', EXITED],
    ['aborts', CRASHED],
  ]
  for (const [attack, expected] of ENDS) {
    test(`ends: ${attack} is ${expected.code}`, async () => {
      await fails(patient, { attack }, expected)
      await stage.recovers(patient)
    })
  }

  test('a thread that exits ends itself only', async () => {
    assert.deepEqual(await answers(patient, { attack: 'exitsInThread' }), { answered: true })
    await stage.recovers(patient)
  })

  for (const attack of ['signals', 'signalsZygote']) {
    test(`signals: ${attack}`, async () => {
      assert.deepEqual(await answers(patient, { attack }), { code: 'EPERM' })
      await stage.recovers(patient)
    })
  }

  const LOADS: [string, string, Expected][] = [
    ['loops', 'for (;;) {}', INIT_FAILED],
    ['never settles', 'module.exports = new Promise(() => { setInterval(() => {}, 1000) })', INIT_FAILED],
    ['sleeps', 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)', INIT_FAILED],
    ['throws', 'throw new Error("at load")', INIT_FAILED],
    ['rejects', 'module.exports = Promise.reject(new Error("at load"))', INIT_FAILED],
    ['is no JavaScript', 'exports.handler = (', INIT_FAILED],
    ['exports no handler', 'exports.other = 1', INIT_FAILED],
    ['exits', 'process.exit(0)', INIT_FAILED],
    ['aborts', 'process.abort()', INIT_FAILED],
    ['fills the heap', 'const kept = []; for (let i = 0; ; i++) kept.push({ i, text: "x" + i })', OUT_OF_MEMORY],
    ['fills buffers', 'const kept = []; for (;;) kept.push(Buffer.alloc(8 << 20, 1))', OUT_OF_MEMORY],
  ]
  for (const [name, source, expected] of LOADS) {
    test(`a load that ${name}`, async () => {
      const fn = attackFunction(source, { name: `load ${name}`, timeout: 1 })
      await fails(fn, {}, expected)
      await fails(fn, {}, expected) // its failure is remembered, or comes again
      await stage.recovers()
    })
  }

  test('a bundle that fails at load is not loaded again for each request', async () => {
    const fn = attackFunction('throw new Error("at load")', { name: 'broken' })
    await fails(fn, {}, INIT_FAILED)
    const started = performance.now()
    for (const { error } of await Promise.all(Array.from({ length: 20 }, () => stage.call(fn, {})))) {
      assert.equal(error?.code, 'PH_RUN_INIT_FAILED')
      assert.match(error.message, /at load/)
    }
    assert.ok(performance.now() - started < 500)
    await stage.recovers()
  })

  test('a bundle whose bytes do not match its digest is not run', async () => {
    const bundle = async () => Buffer.from('exports.handler = async () => 1')
    const fn = { ...attackable({ name: 'replaced' }), bundle }
    const { output } = await fails(fn, {}, { status: 4, code: 'PH_BUNDLE_DIGEST_MISMATCH' })
    assert.equal(output, undefined)
    await stage.recovers()
  })

  test('a refusal is no failure of the function', async () => {
    const bundle = async () => {
      throw new Error('its bundle cannot be fetched')
    }
    await fails({ ...attackable({ name: 'absent' }), bundle }, {}, { status: 4, code: 'PH_RUN_REFUSED' })
    await stage.recovers()
  })

  test('executions that their caller cancels', async () => {
    const cancelled = { status: 4, code: 'PH_RUN_CANCELLED' }
    const ends = async (attack: string, cancel: (controller: AbortController) => void) => {
      const controller = new AbortController()
      const running = stage.call(patient, { attack }, { signal: controller.signal })
      cancel(controller)
      const { status, error } = await running
      assert.deepEqual({ status, code: error?.code }, cancelled)
      await stage.recovers(patient)
    }
    for (const attack of ['loop', 'hang', 'asleep']) {
      await ends(attack, (controller) => controller.abort())
      await ends(attack, (controller) => setTimeout(() => controller.abort(), 100))
    }
    assert.equal((await stage.call(patient, {}, { signal: AbortSignal.abort() })).error?.code, 'PH_RUN_CANCELLED')
    await stage.recovers(patient)
  })

  test('a request that waits for a jail can be cancelled', async () => {
    const running = stage.call(hasty, { attack: 'loop' })
    const controller = new AbortController()
    const waiting = stage.call(hasty, { echo: 'waits' }, { signal: controller.signal })
    setTimeout(() => controller.abort(), 100)
    assert.equal((await waiting).error?.code, 'PH_RUN_CANCELLED')
    assert.equal((await running).error?.code, 'PH_RUN_TIMEOUT')
    await stage.recovers(hasty)
  })
})
