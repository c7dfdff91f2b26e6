import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { ManifestFunction } from '@peerhost/protocol'
import { attackFunction } from './abuse-sandbox.ts'
import { type AttackStage, createAttackStage } from './attack-stage.ts'

// Bundles that want to confuse what loads them: by what they export, by their text, by their size, by the handler's name.
// A load at fork point `loaded` that fails is repeated by a child, so both kinds of load are tried.

const OK = undefined
const INIT_FAILED = 'PH_RUN_INIT_FAILED'
const THREW = 'PH_RUN_THREW'
const answers = `exports.handler = async () => ({ ok: true })`
/** Parses, and has a syntax tree as deep as it is long. */
const DEPTH = 200_000

interface Load {
  source: string
  /** The codes of errors that may come of it; OK: it answers, `{ ok: true }` where nothing else is said. */
  codes: (string | undefined)[]
  /** What it answers instead, where it does. */
  answer?: unknown
  definition?: Partial<ManifestFunction>
}

const load = (source: string, ...codes: (string | undefined)[]): Load => ({ source, codes })
const named = (handler: string, source: string, ...codes: (string | undefined)[]): Load => {
  return { source, codes, definition: { handler } }
}

const EXPORTS: Record<string, Load> = {
  'a getter that throws': load(
    `Object.defineProperty(exports, 'handler', { get() { throw new Error('x') } })`,
    INIT_FAILED,
  ),
  'a getter that gives another function each time': load(
    `let reads = 0; Object.defineProperty(exports, 'handler', { get() { const n = ++reads; return async () => ({ ok: n === 1 }) } })`,
    OK,
  ),
  'a getter that ends the process': load(
    `Object.defineProperty(exports, 'handler', { get() { process.exit(0) } })`,
    INIT_FAILED,
  ),
  'a getter without end': load(`Object.defineProperty(exports, 'handler', { get() { for (;;) {} } })`, INIT_FAILED),
  'a proxy that has everything': load(
    `module.exports = new Proxy({}, { get: (_, name) => name === 'then' ? undefined : async () => ({ ok: true }), has: () => true, ownKeys: () => ['handler'] })`,
    OK,
  ),
  'a proxy that is a promise of itself': load(
    `module.exports = new Proxy(() => {}, { get: () => module.exports })`,
    INIT_FAILED,
  ),
  'a revoked proxy': load(`const p = Proxy.revocable({}, {}); module.exports = p.proxy; p.revoke()`, INIT_FAILED),
  'a revoked proxy of a function': load(
    `const p = Proxy.revocable(async () => {}, {}); exports.handler = p.proxy; p.revoke()`,
    INIT_FAILED,
  ),
  'a proxy of a function': load(
    `exports.handler = new Proxy(async () => ({}), { apply: async () => ({ ok: true }) })`,
    OK,
  ),
  'a thenable': load(`exports.then = (done) => done({ handler: async () => ({ ok: true }) })`, OK),
  'a thenable that settles again and again': load(
    `exports.then = (done, fail) => { done({ handler: async () => ({ ok: true }) }); fail(new Error('x')); done({}); throw new Error('y') }`,
    OK,
  ),
  'a thenable of itself': load(`exports.then = (done) => done(exports)`, INIT_FAILED),
  'a thenable that never settles': load(`exports.then = () => {}`, INIT_FAILED),
  'a thenable by a getter that changes its mind': load(
    `let reads = 0; Object.defineProperty(exports, 'then', { get() { if (++reads % 2) return undefined; throw new Error('x') } }); ${answers}`,
    OK,
  ),
  'a promise that rejects with nothing': load(`module.exports = Promise.reject()`, INIT_FAILED),
  'a promise that rejects with a hostile error': load(
    `module.exports = Promise.reject(new Proxy(new Error('x'), { get() { throw new Error('y') }, getPrototypeOf() { throw new Error('z') } }))`,
    INIT_FAILED,
  ),
  'a class': load(`exports.handler = class { constructor() {} }`, THREW),
  'an asynchronous generator': {
    ...load(`exports.handler = async function* () { yield { ok: false } }`, OK),
    answer: null, // no promise, so it is ignored, as in Lambda
  },
  'a streaming mark of its own making': load(
    `exports.handler = Object.assign(async (_, stream) => stream.end('{"ok":true}'), { [Symbol.for('aws.lambda.runtime.handler.streaming')]: 'response' })`,
    OK,
  ),
  'a streaming mark by a getter that throws': load(
    `exports.handler = Object.defineProperty(async () => {}, Symbol.for('aws.lambda.runtime.handler.streaming'), { get() { throw new Error('x') } })`,
    INIT_FAILED,
  ),
  'a length that throws': named(
    'attack.default',
    `exports.default = Object.defineProperty(async () => {}, 'length', { get() { throw new Error('x') } })`,
    INIT_FAILED,
  ),
  'a default that is itself': load(`exports.default = exports; exports.__esModule = true; ${answers}`, OK),
  'a default within a default': load(
    `exports.__esModule = true; exports.default = { default: { handler: async () => ({}) } }`,
    INIT_FAILED,
  ),
  'a default that is there at every second look': load(
    `let reads = 0; Object.defineProperty(exports, 'default', { get: () => (++reads % 2 ? { handler: 1 } : null) })`,
    INIT_FAILED,
  ),
  'a fetch that is there at every second look': named(
    'attack.default',
    `let reads = 0; exports.default = Object.defineProperty({}, 'fetch', { get: () => (++reads % 2 ? () => new Response('x') : undefined) })`,
    THREW,
  ),
  'no object at all': load('module.exports = 42', INIT_FAILED),
  nothing: load('module.exports = null', INIT_FAILED),
  'nothing, and no module either': load(
    'delete module.exports; Object.freeze(module); module = undefined',
    INIT_FAILED,
  ),
}

const TEXTS: Record<string, Load> = {
  'an end of the function around it': load(
    `exports.handler = async () => ({ ok: false }) }); (function (exports, require, module, __filename, __dirname) { ${answers}`,
    OK,
  ),
  'an end of the function around it, and no function behind': load(`}); ({ call() { return 1 } }); ({`, INIT_FAILED),
  'a value instead of the function around it': load(`}); 42; ({`, INIT_FAILED),
  'a return in the middle': load(`${answers}; return; throw new Error('x')`, OK),
  'an unfinished comment': load(`${answers} /*`, INIT_FAILED),
  'a comment to the end of the line': load(`${answers} //`, OK),
  'a mark of HTML': load(`${answers}\n<!-- x\n--> y`, OK),
  'a hash-bang': load(`#!/bin/sh\n${answers}`, INIT_FAILED),
  'line ends of Unicode, a byte order mark, zeros': load(`\ufeff${answers}; exports.text = '\u2028\u2029\0'`, OK),
  'names that are reserved in modules': load(`var await = 1, yield = 2, let = 3; ${answers}`, OK),
  'an import': load(`import fs from 'fs'; ${answers}`, INIT_FAILED),
  'an await outside of a function': load(`await 1; ${answers}`, INIT_FAILED),
  'a source map somewhere else': load(
    `${answers}\n//# sourceMappingURL=file:///etc/passwd\n//# sourceURL=/app/harness.cjs`,
    OK,
  ),
  'another source’s name': load(`${answers}\n//# sourceURL=node:internal/bootstrap/realm`, OK),
  nothing: load('', INIT_FAILED),
  'brackets within brackets': load(`${'['.repeat(DEPTH)}${']'.repeat(DEPTH)}; ${answers}`, INIT_FAILED),
  'an endless sum': load(`const sum = 1${'+1'.repeat(DEPTH)}; ${answers}`, OK, INIT_FAILED),
  'functions within functions': load(`${'(()=>'.repeat(20_000)}1${')'.repeat(20_000)}; ${answers}`, OK, INIT_FAILED),
  'a regular expression without end': load(
    `const r = /${'(a|'.repeat(50_000)}${')'.repeat(50_000)}/; ${answers}`,
    OK,
    INIT_FAILED,
  ),
  'ten megabytes of functions': {
    source: `${Array.from({ length: 100_000 }, (_, i) => `function f${i}(a, b) { return a + b * ${i} + '${'x'.repeat(50)}' }\n`).join('')}${answers}`,
    codes: [OK],
    definition: { memorySize: 256, timeout: 10 },
  },
}

const UNDEFINED_NAMES = ['attack.missing', 'attack.handler.missing', 'attack', 'attack.', '../attack.handler', '']
const NAMES: Record<string, Load> = {
  ...Object.fromEntries(UNDEFINED_NAMES.map((name) => [`“${name}”`, named(name, answers, INIT_FAILED)])),
  'a method of every object': { ...named('attack.toString', answers, OK), answer: null },
  'the prototype of every object': named('attack.__proto__', answers, INIT_FAILED),
  'the constructor of every function': named('attack.__proto__.constructor.constructor', answers, INIT_FAILED, THREW),
  'a name of many parts': named(`attack.${'a.'.repeat(10_000)}b`, answers, INIT_FAILED),
}

const RESULTS: Record<string, Load> = {
  'a thenable that never settles': load(`exports.handler = async () => ({ then() {} })`, THREW),
  'a thenable by a getter that throws': load(
    `exports.handler = () => ({ get then() { throw new Error('x') } })`,
    THREW,
  ),
  'a thenable by a getter that is there once': {
    ...load(
      `exports.handler = () => { let reads = 0; return { get then() { return ++reads === 1 ? (done) => done(1) : undefined } } }`,
      OK,
    ),
    answer: {},
  },
  'a cycle': load(`exports.handler = async () => { const a = {}; a.a = a; return a }`, THREW),
  'a number beyond JSON': load(`exports.handler = async () => 1n`, THREW),
  'something that ends while it is written': load(
    `exports.handler = async () => ({ toJSON() { process.exit(0) } })`,
    THREW,
    'PH_RUN_EXITED',
  ),
  'something that aborts while it is written': load(
    `exports.handler = async () => ({ toJSON() { process.abort() } })`,
    'PH_RUN_CRASHED',
  ),
  'lists within lists': load(
    `exports.handler = async () => { let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return a }`,
    THREW,
  ),
  'a revoked proxy': load(
    `exports.handler = async () => { const p = Proxy.revocable({}, {}); p.revoke(); return { body: p.proxy } }`,
    THREW,
  ),
}

const KINDS: [string, 'loaded' | 'auto', Record<string, Load>][] = [
  ['exports', 'loaded', EXPORTS],
  ['text', 'loaded', TEXTS],
  ['name of the handler', 'auto', NAMES],
  ['answer', 'auto', RESULTS],
]
for (const [kind, forkPoint, loads] of KINDS) {
  describe(`what confuses a loader: ${kind}`, () => {
    let stage: AttackStage
    before(async () => {
      stage = await createAttackStage({ forkPoint, loadTimeoutMs: 1500, memoryCapMb: 640 })
    })
    after(() => stage.close())

    for (const [name, { source, codes, answer = { ok: true }, definition }] of Object.entries(loads)) {
      test(name, async () => {
        const fn = attackFunction(source, { name: 'loads', timeout: 2, ...definition })
        for (let i = 0; i < 2; i++) {
          const { error, output } = await stage.call(fn, {})
          assert.ok(codes.includes(error?.code), `${error?.code}: ${error?.message} ${output ?? ''}`)
          if (!error) assert.deepEqual(JSON.parse(String(output)), answer)
        }
        await stage.recovers()
      })
    }
  })
}
