import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { runDeterministic, runTwice } from './run-twice.ts'

const CLOCK = 1_800_000_000_000
const require = createRequire(import.meta.url)
const lambda = require.resolve('../../harness/lambda/index.cjs')
const middy = JSON.stringify(fileURLToPath(import.meta.resolve('@middy/core'))) // has no CommonJS entry
const here = JSON.stringify(import.meta.filename)

/** A bundle's source, loaded after install; `invoke(path)` in a program calls its handler as the harness does. */
const load = (bundle: string) => `
  const runtime = globalThis.lambda.createRuntime({ owner: '0x1', project: 'shop', functionName: 'f', version: 1, handler: 'f.handler', memorySize: 128, timeout: 6, environment: {}, verification: 'deterministic' })
  const loaded = ((require, exports) => { ${bundle}; return exports })(process.getBuiltinModule('module').createRequire(${here}), {})
  const invoke = (path, body = '') => new Promise((done) => {
    const request = { method: body ? 'POST' : 'GET', host: 'localhost', sourceAddress: '127.0.0.1', path, query: 'a=b', headers: [['content-type', 'application/json'], ['host', 'localhost']], body: Buffer.from(body) }
    const route = { kind: 'httpApi', payload: '2.0', method: 'ANY', path: '/{proxy+}', pathParameters: { proxy: path.slice(1) } }
    const chunks = []
    runtime.invoke(runtime.resolve(loaded), { kind: 'http', request, route, requestId: '0x12', clockMs: Date.now(), deadlineMs: Date.now() + 6000 }, {
      whole: ({ httpStatus, headers, body }) => done([httpStatus, headers, String(body)]),
      head: (head) => chunks.push(head), chunk: (bytes) => chunks.push(String(bytes)), end: () => done(chunks),
      output: (bytes) => done(String(bytes)), failed: (error) => done(error),
    })
  })`

const PRELOAD = `globalThis.lambda = require(${JSON.stringify(lambda)})`

async function same(bundle: string, program: string): Promise<unknown> {
  const [first, second] = await runTwice(program, { load: load(bundle), preload: PRELOAD })
  assert.deepEqual(first, second)
  return first
}

/** What a handler that reads all of it would answer. */
const EVERYTHING = `{ now: Date.now(), at: new Date(), random: Math.random(), id: require('crypto').randomUUID(), up: process.uptime(),
  hr: process.hrtime(), perf: performance.now(), memory: process.memoryUsage(), host: require('os').hostname(), stack: new Error('e').stack.split('\\n').length }`

describe('deterministic handlers', () => {
  it('may read clock, randomness and machine, and sleep', async () => {
    const bundle = `
      const atLoad = ${EVERYTHING}
      exports.handler = async (event, context) => {
        const before = context.getRemainingTimeInMillis()
        await new Promise((done) => setTimeout(done, 1500))
        return { statusCode: 200, body: JSON.stringify([atLoad, ${EVERYTHING}, before - context.getRemainingTimeInMillis(), event.requestContext]) }
      }`
    const [status, , body] = (await same(bundle, `return invoke('/a')`)) as [number, unknown, string]
    const [atLoad, inHandler, slept] = JSON.parse(body)
    assert.deepEqual([status, atLoad.now, inHandler.now, slept], [200, 1_735_689_600_000, CLOCK + 1500, 1500])
    assert.notEqual(atLoad.id, inHandler.id)
  })

  it('may never settle: the loop that runs empty ends them', async () => {
    const bundle = `exports.handler = () => { setTimeout(() => {}, 3000); return new Promise(() => {}) }`
    const failed = (await same(bundle, `return invoke('/a')`)) as { errorType: string }
    assert.equal(failed.errorType, 'Runtime.NodeJsExit')
    const callback = `exports.handler = (event, context, done) => { let ticks = 0; const timer = setInterval(() => { if (++ticks === 3) clearInterval(timer) }, 10); done(null, { statusCode: 200, body: 'x' }); setTimeout(() => { globalThis.ticks = ticks }, 100) }`
    assert.deepEqual(
      await same(callback, `const answer = await invoke('/a'); return [answer[0], ticks, performance.now()]`),
      [200, 3, 100],
    )
  })

  it('may be an Express application', async () => {
    const bundle = `
      const express = require('express'), app = express()
      app.use(express.json())
      app.get('/page', (request, response) => setTimeout(() => response.cookie('sid', require('crypto').randomBytes(8).toString('hex'), { maxAge: 1000 }).json(${EVERYTHING}), 20))
      app.post('/echo', (request, response) => response.send(request.body))
      app.use((request, response) => { throw new Error('lost') })
      exports.handler = require('serverless-http')(app)`
    const [page, echo, lost] = (await same(
      bundle,
      `return [await invoke('/page'), await invoke('/echo', '{"a":1}'), await invoke('/none')]`,
    )) as [number, [string, string][], string][]
    assert.equal(JSON.parse(page![2]).now, CLOCK + 20)
    assert.deepEqual([echo![0], echo![2], lost![0]], [200, '{"a":1}', 500])
  })

  it('may be a Hono application', async () => {
    const bundle = `
      const { Hono } = require('hono'), { handle } = require('hono/aws-lambda'), { requestId } = require('hono/request-id'), { timing } = require('hono/timing')
      const app = new Hono()
      app.use(requestId(), timing())
      app.get('/page', async (c) => { await new Promise((done) => setImmediate(done)); return c.json(${EVERYTHING}) })
      exports.handler = handle(app)`
    const [status, headers] = (await same(bundle, `return invoke('/page')`)) as [number, [string, string][]]
    assert.equal(status, 200)
    assert.ok(headers.some(([name]) => name === 'x-request-id'))
  })

  it('may use middy, powertools and zod', async () => {
    const bundle = `
      const middy = require(${middy}).default, { Logger } = require('@aws-lambda-powertools/logger'), { z } = require('zod')
      const lines = [], logger = new Logger({ serviceName: 's' })
      logger.console.info = (line) => lines.push(line)
      console.info = (line) => lines.push(line)
      const schema = z.object({ a: z.string().default('x'), id: z.string().uuid().default(() => require('crypto').randomUUID()) })
      exports.handler = middy(async (event, context) => { logger.addContext(context); logger.info('hello', { error: new Error('e') }); return { statusCode: 200, body: JSON.stringify([schema.parse({}), lines]) } })`
    const [status, , body] = (await same(bundle, `return invoke('/page')`)) as [number, unknown, string]
    assert.equal(status, 200)
    assert.match(body, /hello/)
  })

  it('may use other common libraries', async () => {
    const bundle = `
      const { v4, v7 } = require('uuid'), axios = require('axios'), viem = require('viem/accounts')
      exports.handler = async () => ({ statusCode: 200, body: JSON.stringify([v4(), v7(), viem.generatePrivateKey(),
        await axios.get('http://192.0.2.1/').catch((error) => error.code)]) })`
    await same(bundle, `return invoke('/page')`)
  })
})

describe('two seeds', () => {
  it('give two answers', async () => {
    const bundle = `exports.handler = async () => ({ id: require('crypto').randomUUID(), at: Date.now() })`
    const options = { load: load(bundle), preload: PRELOAD }
    const one = await runDeterministic(`return invoke('/')`, options)
    const other = await runDeterministic(`return invoke('/')`, { ...options, seedHex: `0x${'9'.repeat(64)}` })
    assert.notDeepEqual(one, other)
  })
})
