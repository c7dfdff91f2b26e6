import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import type { Context } from 'aws-lambda'
import { bodyOf, complete, type config, OWNER, REQUEST_ID, run } from './testing/run.ts'

const require = createRequire(import.meta.url)

/** What an expression in a handler evaluates to. */
const evaluate = async (expression: string, overrides: Partial<typeof config> = {}) =>
  JSON.parse(
    bodyOf(await complete(`exports.handler = async (event, context) => JSON.stringify(${expression})`, {}, overrides)),
  )

test('the environment is Lambda’s, the function’s own, and nothing of the machine’s', async () => {
  const environment = { A: 'a', NUMBER: 4096, FLAG: true, AWS_REGION: 'mine', TZ: ':UTC', NOTHING: null }
  assert.deepEqual(await evaluate('process.env', { environment }), {
    _HANDLER: 'src/hello.handler',
    A: 'a',
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '256',
    AWS_LAMBDA_FUNCTION_NAME: 'hello',
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/hello',
    AWS_LAMBDA_LOG_STREAM_NAME: 'shop/[$LATEST]3',
    AWS_LAMBDA_RUNTIME_API: '127.0.0.1:9001',
    AWS_REGION: 'us-east-1',
    FLAG: 'true',
    LAMBDA_RUNTIME_DIR: '/var/runtime',
    LAMBDA_TASK_ROOT: '/var/task',
    LANG: 'en_US.UTF-8',
    NODE_PATH: '/opt/nodejs/node24/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules',
    NUMBER: '4096',
    PATH: '/usr/local/bin:/usr/bin:/bin:/opt/bin',
    PEERHOST_FUNCTION: 'hello',
    PEERHOST_OWNER: OWNER,
    PEERHOST_PROJECT: 'shop',
    PEERHOST_VERSION: '3',
    TZ: 'UTC',
  })
})

test('a time zone of its own, but not for a function that others run again', async () => {
  const environment = { TZ: 'America/New_York' }
  const hour = 'new Date(0).getHours()'
  assert.equal(await evaluate(hour, { environment }), 19)
  assert.equal(await evaluate(hour, { environment, verification: 'deterministic' }), 0)
})

test('the context', async () => {
  const context = (await evaluate(
    '{ ...context, clientContext: null, remaining: context.getRemainingTimeInMillis(), functions: Object.keys(context).filter((key) => typeof context[key] === "function") }',
  )) as Context & { remaining: number; functions: string[] }
  const { remaining, functions, ...values } = context
  assert.deepEqual(values, {
    awsRequestId: REQUEST_ID,
    callbackWaitsForEmptyEventLoop: true,
    clientContext: null,
    functionName: 'hello',
    functionVersion: '$LATEST',
    invokedFunctionArn: `arn:aws:lambda:us-east-1:${OWNER}:function:shop-hello`,
    logGroupName: '/aws/lambda/hello',
    logStreamName: 'shop/[$LATEST]3',
    memoryLimitInMB: '256',
  })
  assert.deepEqual(functions.sort(), ['done', 'fail', 'getRemainingTimeInMillis', 'succeed'])
  assert.ok(remaining > 1000 && remaining <= 6000, `${remaining}`)
})

test('raw events: the parsed event, {} without one, and a failure for what is no JSON', async () => {
  const source = 'exports.handler = async (event) => event'
  assert.deepEqual(await complete(source, { kind: 'event', body: '{"a":[1]}' }), { call: 'output', value: '{"a":[1]}' })
  assert.deepEqual(await complete(source, { kind: 'event' }), { call: 'output', value: '{}' })
  const failed = await complete(source, { kind: 'event', body: '{' })
  assert.equal(failed.call === 'failed' && failed.value.errorType, 'Runtime.UnmarshalError')
})

test('console lines carry time, request id and level; what is written to the streams stays as it is', async () => {
  const { stdout, stderr } = await run(`console.log('at load')
    exports.handler = async () => {
      console.log('text %s', 'a', { b: 1 }); console.debug('d'); console.table([{ a: 1 }]); console.group('g'); console.info('in'); console.groupEnd()
      console.warn('w'); console.error(new TypeError('e')); console.trace('t'); console.assert(false, 'as')
      process.stdout.write('raw\\n'); process.stderr.write('raw\\n'); require('node:fs').writeSync(1, 'fd\\n')
    }`)
  const time = '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z'
  const line = (level: string, message: string, id = REQUEST_ID) =>
    new RegExp(`^${time}\\t${id}\\t${level}\\t${message}`, 'm')
  assert.match(stdout, line('INFO', 'at load\n', '-'))
  assert.match(stdout, line('INFO', 'text a \\{ b: 1 \\}\n'))
  assert.match(stdout, line('DEBUG', 'd\n'))
  assert.match(stdout, line('INFO', '┌'))
  assert.match(stdout, line('INFO', '  in\n'))
  assert.match(stderr, line('WARN', 'w\n'))
  assert.match(stderr, line('ERROR', 'TypeError: e\n'))
  assert.match(stderr, line('TRACE', 'Trace: t\n'))
  assert.match(stderr, line('WARN', 'Assertion failed: as\n'))
  assert.match(stdout, /^raw\nfd\n/m)
  assert.match(stderr, /^raw\n/m)
})

test('everything logged before the answer is there, however much', async () => {
  const { stdout } = await run(
    `exports.handler = async () => { for (let i = 0; i < 2000; i++) { console.log('x'.repeat(100)); process.stdout.write('y\\n') } }`,
  )
  assert.equal(stdout.split('x'.repeat(100)).length - 1, 2000)
  assert.equal(stdout.split('\ny\n').length - 1, 2000)
})

test('memory and processors are the function’s', async () => {
  const os = 'require("node:os")'
  assert.equal(await evaluate(`${os}.totalmem()`), 256 * 1024 * 1024)
  assert.ok((await evaluate(`${os}.cpus().length`)) >= 1)
  // What stands in for Node's own where there is no /proc.
  const { memoryUsage, cpus, userInfo } = require('../../harness/lambda/platform.cjs')
  const usage = memoryUsage()
  for (const key of ['rss', 'heapTotal', 'heapUsed', 'external', 'arrayBuffers'])
    assert.equal(typeof usage[key], 'number', key)
  assert.ok(usage.rss > 1024 * 1024 && memoryUsage.rss() > 1024 * 1024)
  assert.equal(cpus().length, 1)
  assert.equal(await evaluate(`${os}.homedir()`), '/tmp')
  const { username, homedir } = userInfo()
  assert.deepEqual([username, homedir], ['function', '/tmp'])
  assert.deepEqual(userInfo({ encoding: 'buffer' }).homedir, Buffer.from('/tmp'))
})

test('finding the handler', async (t) => {
  const { resolveHandler } = require('../../harness/lambda/resolve-handler.cjs') as {
    resolveHandler(exports: unknown, handler: string): { form: string; call: (...values: unknown[]) => unknown }
  }
  const handler = () => 'found'
  const found: [string, unknown, string, string][] = [
    ['plain', { handler }, 'src/a.handler', 'lambda'],
    ['nested', { api: { v1: handler } }, 'src/a.api.v1', 'lambda'],
    ['a function of a function', { api: Object.assign(() => {}, { run: handler }) }, 'a.api.run', 'lambda'],
    ['inherited', Object.create({ handler }), 'a.handler', 'lambda'],
    ['inside the default export', { __esModule: true, default: { handler } }, 'a.handler', 'lambda'],
    ['default', { __esModule: true, default: handler }, 'src/a.default', 'request'],
    ['default with fetch', { default: { fetch: handler } }, 'src/a.default', 'fetch'],
    ['an app', { app: { fetch: handler } }, 'src/a.app', 'fetch'],
    ['a function with a fetch of its own', { app: Object.assign(() => {}, { fetch: handler }) }, 'src/a.app', 'lambda'],
  ]
  for (const [name, exports, path, form] of found)
    await t.test(name, () => assert.equal(resolveHandler(exports, path).form, form))
  const missing: [string, unknown, string, string][] = [
    ['no such export', { other: handler }, 'a.handler', 'Runtime.HandlerNotFound'],
    ['not a function', { handler: 5 }, 'a.handler', 'Runtime.HandlerNotFound'],
    ['nothing exported', undefined, 'a.handler', 'Runtime.HandlerNotFound'],
    ['null on the way', { api: null }, 'a.api.v1', 'Runtime.HandlerNotFound'],
    ['no export named', { handler }, 'src/a', 'Runtime.MalformedHandlerName'],
    ['outside the service', { handler }, '../a.handler', 'Runtime.MalformedHandlerName'],
  ]
  for (const [name, exports, path, expected] of missing) {
    await t.test(name, () => assert.throws(() => resolveHandler(exports, path), { name: expected }))
  }
})

test('rehearsal runs every form, writes nothing and draws nothing random', async () => {
  const { stdout, stderr, answers } = await run(`
    const { rehearse } = require('../../../harness/lambda/index.cjs')
    const crypto = require('node:crypto')
    for (const [object, name] of [[Math, 'random'], [crypto, 'randomUUID'], [crypto, 'randomInt'], [crypto, 'randomBytes']]) object[name] = () => { throw new Error(name) }
    module.exports = rehearse().then(() => ({ handler: async () => 'rehearsed' }))`)
  assert.equal(bodyOf(answers[0]!), 'rehearsed')
  assert.equal(stdout + stderr, '')
})
