import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Answer, bodyOf, complete, run } from './testing/run.ts'

/** Body of a successful v2 answer, or the type of its failure. */
const outcome = (answer: Answer) => (answer.call === 'failed' ? answer.value.errorType : bodyOf(answer))
const outcomeOf = async (source: string) => outcome(await complete(source))

test('the ways to complete', async (t) => {
  const cases: [name: string, source: string, expected: string][] = [
    ['async', 'exports.handler = async () => "async"', 'async'],
    [
      'promise of a plain function',
      'exports.handler = () => new Promise((done) => setTimeout(done, 5, "promise"))',
      'promise',
    ],
    ['a thenable', 'exports.handler = () => ({ then: (done) => done("thenable") })', 'thenable'],
    ['callback', 'exports.handler = (event, context, callback) => callback(null, "callback")', 'callback'],
    ['context.succeed', 'exports.handler = (event, context) => context.succeed("succeed")', 'succeed'],
    ['context.done', 'exports.handler = (event, context) => context.done(null, "done")', 'done'],
    ['a value returned without a promise is ignored', 'exports.handler = () => "ignored"', 'null'],
    ['no callback at all', 'exports.handler = () => { setTimeout(() => {}, 5) }', 'null'],
    ['async without a value', 'exports.handler = async () => {}', 'null'],
  ]
  for (const [name, source, expected] of cases)
    await t.test(name, async () => assert.equal(await outcomeOf(source), expected))
})

test('failures', async (t) => {
  const cases: [name: string, source: string, expected: string][] = [
    ['throw', 'exports.handler = () => { throw new TypeError("x") }', 'TypeError'],
    ['throw undefined', 'exports.handler = () => { throw undefined }', 'Error'],
    ['reject', 'exports.handler = async () => { throw new RangeError("x") }', 'RangeError'],
    ['reject with a string', 'exports.handler = async () => { throw "text" }', 'string'],
    [
      'callback with an error',
      'exports.handler = (event, context, callback) => callback(new SyntaxError("x"))',
      'SyntaxError',
    ],
    ['context.fail', 'exports.handler = (event, context) => context.fail(new URIError("x"))', 'URIError'],
    ['context.fail without an error', 'exports.handler = (event, context) => context.fail()', 'string'],
    [
      'context.done with an error',
      'exports.handler = (event, context) => context.done(new EvalError("x"))',
      'EvalError',
    ],
    ['a promise that never settles', 'exports.handler = () => new Promise(() => {})', 'Runtime.NodeJsExit'],
    [
      'an exception in a timer',
      'exports.handler = () => new Promise(() => setTimeout(() => { throw new TypeError("x") }, 1))',
      'TypeError',
    ],
    [
      'an unhandled rejection',
      'exports.handler = () => new Promise((done) => { Promise.reject(new Error("x")); setTimeout(done, 1000) })',
      'Runtime.UnhandledPromiseRejection',
    ],
    [
      'a rejection while a callback waits for the loop',
      'exports.handler = (e, c, callback) => { callback(null, 1); setTimeout(() => Promise.reject(new Error("x")), 5) }',
      'Runtime.UnhandledPromiseRejection',
    ],
    ['process.exit', 'exports.handler = async () => { process.exit(0) }', 'Runtime.ExitError'],
    [
      'process.exit in a timer',
      'exports.handler = () => new Promise(() => setTimeout(() => process.exit(9), 1))',
      'Runtime.ExitError',
    ],
    [
      'process.exit that is caught',
      'exports.handler = async () => { try { process.exit(1) } catch { return "caught" } }',
      'Runtime.ExitError',
    ],
    ['a result that is no JSON', 'exports.handler = async () => ({ value: 1n })', 'TypeError'],
    [
      'an error whose properties throw',
      'exports.handler = async () => { throw Object.defineProperty(new Error("x"), "message", { get() { throw 1 } }) }',
      'Error',
    ],
  ]
  for (const [name, source, expected] of cases)
    await t.test(name, async () => assert.equal(await outcomeOf(source), expected))
})

test('the first completion wins', async (t) => {
  const cases: [name: string, source: string, expected: string][] = [
    [
      'callback, then promise',
      'exports.handler = async (e, c, callback) => { callback(null, "callback"); return "promise" }',
      'callback',
    ],
    [
      'promise, then callback',
      'exports.handler = async (e, c, callback) => { setTimeout(callback, 5, null, "callback"); return "promise" }',
      'promise',
    ],
    ['two callbacks', 'exports.handler = (e, c, callback) => { callback(null, 1); callback(null, 2) }', '1'],
    [
      'result, then error',
      'exports.handler = (e, c, callback) => { callback(null, 1); callback(new Error("x")) }',
      '1',
    ],
    ['callback, then throw', 'exports.handler = (e, c, callback) => { callback(null, 1); throw new Error("x") }', '1'],
    ['done, then callback', 'exports.handler = (e, c, callback) => { c.done(null, 1); callback(null, 2) }', '1'],
  ]
  for (const [name, source, expected] of cases)
    await t.test(name, async () => assert.equal(await outcomeOf(source), expected))
})

test('a callback waits for the event loop to run empty, unless the context says otherwise', async () => {
  const source = (waits: boolean) => `exports.handler = (event, context, callback) => {
    context.callbackWaitsForEmptyEventLoop = ${waits}
    setTimeout(() => console.log('timer ran'), 20)
    callback(null, 'ok')
  }`
  assert.match((await run(source(true))).stdout, /timer ran/)
  assert.doesNotMatch((await run(source(false))).stdout, /timer ran/)
})

test('an error given to the callback does not wait', async () => {
  const { stdout, answers } = await run(`exports.handler = (event, context, callback) => {
    setTimeout(() => console.log('timer ran'), 20)
    callback(new Error('x'))
  }`)
  assert.equal(answers[0]?.call, 'failed')
  assert.doesNotMatch(stdout, /timer ran/)
})

test('an async handler does not wait for timers that it leaves', async () => {
  const { stdout } = await run(
    `exports.handler = async () => { setTimeout(() => console.log('timer ran'), 20); return 1 }`,
  )
  assert.doesNotMatch(stdout, /timer ran/)
})

test('a listener of beforeExit that gives the loop work is not cut off', async () => {
  const source = `exports.handler = () => new Promise((done) => process.once('beforeExit', () => setTimeout(done, 5, 'late')))`
  assert.equal(await outcomeOf(source), 'late')
})

test('invocations one after the other in a process, as a warm-up does, complete each on its own', async () => {
  const { answers } = await run(`exports.handler = (event, context, callback) => callback(null, 'x')`, [{}, {}, {}])
  assert.deepEqual(
    answers.map(({ call }) => call),
    ['whole', 'returned', 'whole', 'returned', 'whole', 'returned'],
  )
})

test('a failure keeps message, stack and exit code, and is logged', async () => {
  const { answers, stderr } = await run('exports.handler = async () => { throw new TypeError("broken") }')
  assert.equal(answers[0]?.call, 'failed')
  const { errorMessage, trace } = answers[0].value
  assert.equal(errorMessage, 'broken')
  assert.match(trace.join('\n'), /TypeError: broken\n.*handler/)
  assert.match(stderr, /\tERROR\tInvoke Error\t.*"errorType":"TypeError","errorMessage":"broken"/)
  const exited = await complete('exports.handler = async () => { process.exit(7) }')
  assert.match(exited.call === 'failed' ? exited.value.errorMessage : '', /exit code 7/)
})

test('a bundle that exits while it loads does not load', async () => {
  const { answers } = await run('process.exit(0)')
  assert.deepEqual(answers[0]?.value, {
    name: 'Runtime.ExitError',
    message: 'The function ended its process with exit code 0',
  })
})

test('a bundle that breaks built-ins gets at most one completion', async () => {
  const { answers } = await run(`
    for (const name of ['map', 'filter', 'push', 'some', 'forEach']) Array.prototype[name] = () => { throw new Error('broken') }
    Promise.prototype.then = function () { throw new Error('broken') }
    Object.prototype.headers = { 'x-polluted': '1' }
    exports.handler = (event, context, callback) => callback(null, { statusCode: 200, body: 'x' })`)
  const completions = answers.filter(({ call }) => call !== 'returned')
  assert.ok(completions.length <= 1)
})
