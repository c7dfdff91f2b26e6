import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { encodeFrame, FRAME } from '../jail/frame.ts'
import type { SandboxFunction } from '../types.ts'
import { attackFunction } from './abuse-sandbox.ts'
import { type AttackStage, createAttackStage, withAttacks } from './attack-stage.ts'

// A bundle that writes to its connections itself, takes them away, or replaces what the harness is made of. All of it is
// its own answer's loss: the next execution, of this function and of another one, is right. What frames are refused, and
// with which code, is in frames.test.ts.

const ATTACKS = `
  ...{
    fs: require('fs'), threads: require('worker_threads'),
    frame(type, head, body) {
      const bytes = Buffer.alloc(9 + head.length + body.length)
      bytes.writeUInt32LE(5 + head.length + body.length); bytes[4] = type; bytes.writeUInt32LE(head.length, 5); bytes.write(head, 9); bytes.write(body, 9 + head.length)
      return bytes
    },
    output: (value) => attacks.frame(9, '', JSON.stringify(value)),
  },
  before() { attacks.fs.writeSync(3, attacks.output('forged')); return 'honest' },
  beforeAndLater() { attacks.fs.writeSync(3, attacks.output('forged')); return new Promise((done) => setTimeout(done, 20, 'honest')) },
  insteadAndHang() { attacks.fs.writeSync(3, attacks.output('forged')); for (;;) {} },
  insteadAndAbort() { attacks.fs.writeSync(3, attacks.output('forged')); process.abort() },
  many() { const one = attacks.output('forged'); for (let i = 0; i < 1000; i++) attacks.fs.writeSync(3, one); return 'honest' },
  slowly() { for (const byte of attacks.output('forged')) attacks.fs.writeSync(3, Buffer.of(byte)); return 'honest' },
  fromThread() {
    const source = "const { workerData, parentPort } = require('worker_threads'), fs = require('fs'); fs.writeSync(3, workerData); parentPort.postMessage(1); for (;;) fs.writeSync(3, workerData)"
    return new Promise((done) => new attacks.threads.Worker(source, { eval: true, workerData: attacks.output('forged') }).on('message', () => done('honest')))
  },
  failure({ size }) { attacks.fs.writeSync(3, attacks.frame(10, JSON.stringify({ errorType: { a: 1 }, errorMessage: 'm'.repeat(size), trace: [1, {}, 't'.repeat(100)] }), '')); for (;;) {} },
  onExit() { process.on('exit', () => attacks.fs.writeSync(3, attacks.output('late'))); return 'honest' },
  microtasks() { queueMicrotask(function again() { if (attacks.turns++ < 1000) queueMicrotask(again) }); return 'honest' }, turns: 0,
  inHalf() { attacks.fs.writeSync(3, attacks.output('forged').subarray(0, 6)); return 'honest' },
  noise() { attacks.fs.writeSync(3, Buffer.alloc(64, 'GET / HTTP/1.1\\r\\n')); return 'honest' },
  closed() { attacks.fs.closeSync(3); return 'honest' },
  closedAndHang() { attacks.fs.closeSync(3); return new Promise(() => { setInterval(() => {}, 1000) }) },
  replaced() { attacks.fs.closeSync(3); const fd = attacks.fs.openSync('/tmp/channel', 'w+'); if (fd !== 3) throw new Error('not replaced'); return 'honest' },
  closedLogs() { attacks.fs.closeSync(1); attacks.fs.closeSync(2); console.log('x'); return 'honest' },
  closedAll() { for (let fd = 0; fd < 64; fd++) try { attacks.fs.closeSync(fd) } catch {} return 'honest' },
  nextRequest() { const bytes = Buffer.alloc(1000); return { read: attacks.fs.readSync(3, bytes, 0, 1000), text: bytes.toString() } },
  answerAndRead() { attacks.fs.writeSync(3, attacks.output('forged')); attacks.fs.writeSync(3, attacks.output(attacks.fs.readSync(3, Buffer.alloc(1000)))); for (;;) {} },
  orders() { return { read: attacks.fs.readSync(0, Buffer.alloc(1000)) } },
  readsLogs() { const bytes = Buffer.alloc(1000); return { read: attacks.fs.readSync(1, bytes), text: bytes.toString() } },
  logFrames() { for (const fd of [1, 2]) attacks.fs.writeSync(fd, attacks.output('forged')); return 'honest' },
  echoes({ text }) { return { text } },
`

/** Replacements of what the harness is made of, each an expression. */
const POLLUTION: Record<string, string> = {
  'Object.prototype fields':
    "for (const key of ['head', 'body', 'type', 'size', 'httpStatus', 'headers', 'kind', 'errorType', 'requestId', 'cachedData', 'get', 'value']) Object.prototype[key] = 'polluted'",
  'Object.prototype setter':
    "Object.defineProperty(Object.prototype, 'then', { set() {}, get() { return undefined } })",
  'Object.prototype toJSON': "Object.prototype.toJSON = () => 'polluted'",
  'Object functions':
    'Object.keys = () => []; Object.assign = () => ({}); Object.defineProperty = () => ({}); Object.entries = () => []',
  'Array iterator': 'Array.prototype[Symbol.iterator] = function* () {}',
  'Array methods':
    'for (const name of ["map", "push", "forEach", "filter", "slice", "join", "concat", "splice"]) Array.prototype[name] = () => []',
  'Array indices': "Object.defineProperty(Array.prototype, '0', { set() {}, get() { return 'polluted' } })",
  'Promise then': 'Promise.prototype.then = () => new Promise(() => {})',
  'Promise then, called at once': 'Promise.prototype.then = function (resolve) { resolve?.("polluted"); return this }',
  'Promise resolve': 'Promise.resolve = () => ({ then() {} }); Promise.all = Promise.resolve',
  'a global Promise': 'globalThis.Promise = class { constructor() {} then() {} }',
  JSON: 'JSON.parse = () => ({ polluted: true }); JSON.stringify = () => \'"polluted"\'',
  'a global JSON': 'globalThis.JSON = undefined',
  'Buffer functions':
    'for (const name of ["from", "alloc", "allocUnsafe", "allocUnsafeSlow", "byteLength", "concat"]) Buffer[name] = () => { throw new Error("polluted") }',
  'Buffer methods':
    'for (const name of ["writeUInt32LE", "readUInt32LE", "write", "set", "subarray", "toString"]) Buffer.prototype[name] = () => 4294967295',
  'typed arrays':
    'const T = Object.getPrototypeOf(Uint8Array.prototype); for (const name of ["set", "subarray", "slice", "fill"]) T[name] = () => new Uint8Array(4); Object.defineProperty(T, "length", { get: () => 1e9 })',
  'a global Buffer': 'globalThis.Buffer = globalThis.Uint8Array = undefined',
  'Function.prototype': 'Function.prototype.call = Function.prototype.apply = Function.prototype.bind = () => () => {}',
  Reflect: 'Reflect.apply = () => {}; Reflect.ownKeys = () => []',
  'String and RegExp':
    'String.prototype.slice = String.prototype.split = () => []; RegExp.prototype.exec = () => null; RegExp.prototype.test = () => true',
  'Map and Set': 'Map.prototype.get = Map.prototype.set = Set.prototype.has = () => "polluted"',
  'process events': 'process.on = process.prependListener = process.removeListener = process.emit = () => process',
  'process timing': 'process.nextTick = globalThis.setImmediate = globalThis.setTimeout = () => {}',
  'process functions':
    'for (const name of ["exit", "reallyExit", "hrtime", "cwd", "memoryUsage", "getActiveResourcesInfo"]) process[name] = () => { throw new Error("polluted") }',
  'fs functions':
    'const fs = require("fs"); for (const name of Object.keys(fs)) try { fs[name] = () => { throw new Error("polluted") } } catch {}',
  'module loader':
    'const M = require("module"); M._load = M._resolveFilename = M.prototype.require = () => ({ fork: () => 0 }); M._cache = {}',
  'vm and crypto':
    'require("vm").Script = class { runInThisContext() { return () => {} } }; require("crypto").randomFillSync = (bytes) => bytes',
  errors:
    'Error.prepareStackTrace = () => { throw 1 }; Error.captureStackTrace = undefined; Error.stackTraceLimit = -1; globalThis.Error = undefined',
  'frozen intrinsics':
    '[Object, Array, Function, Promise, Buffer].forEach((o) => { Object.freeze(o); Object.freeze(o.prototype) }); Object.freeze(globalThis)',
}

/** What may come of an execution that replaced its own runtime: the worker is not misled about anything but its answer. */
const OWN_LOSS = new Set([
  undefined,
  'PH_RUN_THREW',
  'PH_RUN_TIMEOUT',
  'PH_RUN_CRASHED',
  'PH_RUN_EXITED',
  'PH_RUN_BAD_RESPONSE',
  'PH_RUN_RESPONSE_TOO_LARGE',
])

async function ask(stage: AttackStage, fn: SandboxFunction, event: object) {
  const { output, error, logs } = await stage.call(fn, event)
  return { answer: output && JSON.parse(String(output)), code: error?.code, logs }
}

describe('forgery', () => {
  let stage: AttackStage
  before(async () => {
    stage = await createAttackStage({ forkPoint: 'loaded' })
  })
  after(() => stage.close())
  const fn = attackFunction(withAttacks(ATTACKS), { name: 'forger', timeout: 1 })
  const asked = (event: object) => ask(stage, fn, event)

  // The first whole frame is the answer; what else comes is the jail's end, not the next request's answer.
  const ANSWERED: [string, unknown][] = [
    ['before', 'forged'],
    ['beforeAndLater', 'forged'],
    ['insteadAndHang', 'forged'],
    ['insteadAndAbort', 'forged'],
    ['many', 'forged'],
    ['slowly', 'forged'],
    ['fromThread', 'forged'],
    ['answerAndRead', 'forged'],
    ['onExit', 'honest'],
    ['microtasks', 'honest'],
    ['closedLogs', 'honest'],
    ['orders', { read: 0 }],
  ]
  for (const [attack, expected] of ANSWERED) {
    test(`${attack}: its own answer, and no other`, async () => {
      assert.deepEqual((await asked({ attack })).answer, expected)
      await stage.recovers(fn)
    })
  }

  const LOST: [string, string[]][] = [
    ['inHalf', ['PH_RUN_BAD_RESPONSE', 'PH_RUN_TIMEOUT', 'PH_RUN_EXITED', 'PH_RUN_RESPONSE_TOO_LARGE']],
    ['noise', ['PH_RUN_RESPONSE_TOO_LARGE']],
    ['closed', ['PH_RUN_EXITED', 'PH_RUN_CRASHED']],
    ['closedAndHang', ['PH_RUN_CRASHED']],
    ['replaced', ['PH_RUN_EXITED', 'PH_RUN_CRASHED']],
    ['closedAll', ['PH_RUN_EXITED', 'PH_RUN_CRASHED']],
    ['nextRequest', ['PH_RUN_TIMEOUT']],
    ['readsLogs', ['PH_RUN_TIMEOUT']],
  ]
  for (const [attack, codes] of LOST) {
    test(`${attack}: no answer`, async () => {
      const { code, logs } = await asked({ attack })
      assert.ok(codes.includes(String(code)), `${code} ${logs}`)
      await stage.recovers(fn)
    })
  }

  test('a forged failure is cut to what a failure may be', async () => {
    const { answer, code } = await asked({ attack: 'failure', size: 50_000 })
    assert.equal(code, 'PH_RUN_THREW')
    assert.deepEqual(Object.keys(answer), ['errorType', 'errorMessage'])
    assert.equal(answer.errorType, 'Error')
    assert.equal(answer.errorMessage.length, 32_768)
    assert.equal((await asked({ attack: 'failure', size: 5_000_000 })).code, 'PH_RUN_BAD_RESPONSE')
    await stage.recovers(fn)
  })

  test('frames on the log connection are text', async () => {
    const { answer, logs } = await asked({ attack: 'logFrames' })
    assert.equal(answer, 'honest')
    assert.equal(logs.split('"forged"').length - 1, 2)
    await stage.recovers(fn)
  })

  test('a request that looks like frames is a request', async () => {
    const text = Buffer.concat([
      encodeFrame(FRAME.output, undefined, Buffer.from('"forged"')),
      encodeFrame(FRAME.request, { kind: 'event' }, Buffer.from('{"attack":"loop"}')),
      encodeFrame(FRAME.order, { forkPoint: 'loaded' }),
    ]).toString('latin1')
    assert.deepEqual((await asked({ attack: 'echoes', text })).answer, { text })
    await stage.recovers(fn)
  })

  const attacks = Object.values(POLLUTION).map((code, i) => `pollute${i}() { ${code}; return 'polluted' },`)
  const polluter = attackFunction(withAttacks(attacks.join('\n')), { name: 'polluter', timeout: 1 })
  for (const [i, name] of Object.keys(POLLUTION).entries()) {
    test(`pollution in the handler: ${name}`, async () => {
      const { code } = await ask(stage, polluter, { attack: `pollute${i}` })
      assert.ok(OWN_LOSS.has(code), code)
      await stage.recovers(polluter)
    })
  }
})

for (const forkPoint of ['loaded', 'blank'] as const) {
  describe(`pollution at load, fork point ${forkPoint}`, () => {
    let stage: AttackStage
    before(async () => {
      stage = await createAttackStage({ forkPoint })
    })
    after(() => stage.close())

    for (const [name, code] of Object.entries(POLLUTION)) {
      test(name, async () => {
        const source = `${withAttacks('')}\n;(() => { ${code} })()`
        const polluter = attackFunction(source, { name: 'polluter', timeout: 1 })
        for (const echo of ['first', 'second']) {
          const { answer } = await ask(stage, polluter, { echo }) // or its load fails
          // Where it works nevertheless, it is in a process of its own.
          if (answer?.count !== undefined) assert.equal(answer.count, 1)
          if (typeof answer?.echo === 'string') assert.ok([echo, 'polluted'].includes(answer.echo), answer.echo)
        }
        await stage.recovers()
      })
    }
  })
}
