import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { createSandbox } from '../create-sandbox.ts'
import { proveDeterministic } from '../prove/prove-deterministic.ts'
import { sampleInvocations } from '../prove/sample-invocations.ts'
import { bundleSource, functionOf } from '../support/bundle-source.ts'
import type { Sandbox } from '../types.ts'

const CLOCK = 1_800_000_000_000

const EVERYTHING = `{
  now: Date.now(), at: new Date(), random: Math.random(), id: crypto.randomUUID(), bytes: crypto.randomBytes(8).toString('hex'),
  web: globalThis.crypto.randomUUID(), up: process.uptime(), hr: process.hrtime(), perf: performance.now(), memory: process.memoryUsage(),
  machine: [os.hostname(), os.cpus(), os.freemem(), os.loadavg(), os.release(), os.totalmem(), process.pid, process.ppid, os.uptime()],
  stack: new Error('e').stack, environment: process.env, locale: Intl.DateTimeFormat().resolvedOptions(), text: new Date().toLocaleString(),
  folder: fs.mkdtempSync('/tmp/x'), files: fs.readdirSync('/').map((name) => [name, fs.statSync('/' + name)]),
}`
const REQUIRES = `const crypto = require('node:crypto'), fs = require('node:fs'), os = require('node:os'), zlib = require('node:zlib')\n`

const BUNDLES = {
  everything: `${REQUIRES}
    const atLoad = ${EVERYTHING}
    exports.handler = async (event, context) => {
      const order = []
      setTimeout(() => order.push('timer', Date.now()), 3000)
      fs.readdir('/', () => order.push('file'))
      zlib.gzip(Buffer.alloc(1e5), () => order.push('zlib'))
      crypto.pbkdf2('a', 'b', 5000, 8, 'sha1', () => order.push('pool'))
      setImmediate(() => order.push('immediate'))
      await new Promise((done) => setTimeout(done, 5000))
      const handled = ${EVERYTHING}
      const left = context.getRemainingTimeInMillis()
      return { statusCode: 200, headers: { etag: crypto.randomUUID() }, cookies: ['a=' + Math.random()], body: JSON.stringify({ atLoad, handled, order, left, event }) }
    }`,
  express: `${REQUIRES}
    const express = require('express'), app = express()
    app.get('/page/:id', (request, response) => setTimeout(() => response.cookie('sid', crypto.randomUUID(), { maxAge: 1000 }).json([request.params, ${EVERYTHING}]), 20))
    app.use((error, request, response, next) => response.status(500).send(error.stack))
    app.get('/lost', () => { throw new Error('lost') })
    exports.handler = require('serverless-http')(app)`,
  hono: `${REQUIRES}
    import { Hono } from 'hono'
    import { handle } from 'hono/aws-lambda'
    import { requestId } from 'hono/request-id'
    const app = new Hono()
    app.use(requestId())
    app.get('/page/:id', async (c) => { await new Promise((done) => setImmediate(done)); return c.json([c.req.param(), ${EVERYTHING}]) })
    export const handler = handle(app)`.replace(
    REQUIRES,
    `import crypto from 'node:crypto'; import fs from 'node:fs'; import os from 'node:os'\n`,
  ),
  microtasks: `
    let turns = 0
    const count = async () => { for (; turns < 400; turns++) await null }
    count()
    exports.handler = async () => ({ statusCode: 200, body: 'turns ' + turns })`,
  race: `${REQUIRES}
    const net = require('node:net')
    exports.handler = async () => {
      let rounds = 0, done = false
      const server = net.createServer((socket) => socket.on('data', (bytes) => socket.write(bytes)))
      await new Promise((resolve) => server.listen('/tmp/s', resolve))
      const client = net.connect('/tmp/s').on('data', (bytes) => { rounds++; if (!done) client.write(bytes) })
      await new Promise((resolve) => { crypto.pbkdf2('a', 'b', 50000, 8, 'sha1', resolve); client.write('x') })
      done = true; client.destroy(); server.close()
      return { statusCode: 200, headers: { 'x-rounds': String(rounds) }, body: 'x' }
    }`,
  warmed: `
    const drawn = []
    let fired = 0
    exports.handler = async () => {
      drawn.push(Math.random())
      setTimeout(() => fired++, 1)
      if (drawn.length > 3) await new Promise((done) => setTimeout(done, 10))
      return { drawn, fired, at: Date.now() }
    }`,
  unawaited: `
    let when = 'at load'
    const sum = crypto.subtle.digest('SHA-256', new Uint8Array(1)).then(() => 'summed ' + when)
    exports.handler = async () => { when = 'in the handler'; return { statusCode: 200, body: await sum } }`,
  refused: `exports.handler = async () => ({ statusCode: 200, body: require('node:vm').runInNewContext('String(Date.now())') })`,
}

const route = (path: string) => ({ method: 'GET', path, kind: 'httpApi' as const, payload: '2.0' as const })
const routes = [route('/page/{id}'), route('/lost')]

describe('deterministic functions in jails', () => {
  let blank: Sandbox
  let loaded: Sandbox
  const bundles = new Map<string, Buffer>()

  before(async () => {
    for (const [name, source] of Object.entries(BUNDLES)) bundles.set(name, await bundleSource(source))
    blank = await createSandbox({ forkPoint: 'blank', cgroups: 'auto' })
    loaded = await createSandbox({ forkPoint: 'loaded', cgroups: 'auto' })
  })
  after(async () => {
    await blank?.close()
    await loaded?.close()
  })

  const definitionOf = (name: string) => functionOf(bundles.get(name)!, { routes })
  const prove = (name: string, sandboxes: Sandbox[]) => {
    const fn = definitionOf(name)
    return proveDeterministic(sandboxes, fn, sampleInvocations(fn.definition, CLOCK))
  }

  for (const name of ['everything', 'express', 'hono', 'microtasks']) {
    it(`give the same bytes in separate jails, at both fork points, in another second: ${name}`, async () => {
      assert.deepEqual(await prove(name, [blank, loaded]), { ok: true })
      const fn = definitionOf(name)
      const { status, response } = await blank.execute(fn, sampleInvocations(fn.definition, CLOCK)[0]!.invocation)
      assert.deepEqual([status, response!.httpStatus], [0, 200])
    })
  }

  it('see load clock and request clock, and wait in virtual time', async () => {
    const fn = definitionOf('everything')
    const [sample] = sampleInvocations(fn.definition, CLOCK)
    for (const sandbox of [blank, loaded]) {
      const { response, timings } = await sandbox.execute(fn, sample!.invocation)
      const { atLoad, handled, order, left } = JSON.parse(String(response!.body))
      assert.equal(atLoad.now, 1_735_689_600_000)
      assert.equal(handled.now, CLOCK + 5000)
      assert.equal(left, 1000)
      assert.deepEqual(order.slice(-3), ['immediate', 'timer', CLOCK + 3000])
      assert.notEqual(atLoad.id, handled.id)
      assert.ok(timings.runMs < 2000)
    }
  })

  it('answer by seed and clock of the request', async () => {
    const fn = definitionOf('everything')
    const [sample] = sampleInvocations(fn.definition, CLOCK)
    const other = { ...sample!.invocation, requestHash: `0x${'cd'.repeat(32)}` as const }
    const [one, two] = [await blank.execute(fn, sample!.invocation), await blank.execute(fn, other)]
    const [first, second] = [one, two].map(({ response }) => JSON.parse(String(response!.body)))
    assert.deepEqual(first.atLoad, second.atLoad)
    assert.notEqual(first.handled.id, second.handled.id)
    assert.notEqual(first.handled.random, second.handled.random)
  })

  it('find the same after their warm-up, whatever it has left', async () => {
    const warmup = { event: {}, rounds: 3 }
    const fn = functionOf(bundles.get('warmed')!, { warmup })
    assert.deepEqual(await proveDeterministic([blank, loaded], fn, sampleInvocations(fn.definition, CLOCK)), {
      ok: true,
    })
    const { output } = await loaded.execute(fn, sampleInvocations(fn.definition, CLOCK)[0]!.invocation)
    const { drawn, fired, at } = JSON.parse(Buffer.from(output!).toString())
    assert.deepEqual([drawn.length, fired, at], [4, 4, CLOCK + 10])
  })

  it('are given what their load has asked for without waiting', async () => {
    const fn = definitionOf('unawaited')
    for (const sandbox of [blank, loaded]) {
      const { status, response } = await sandbox.execute(fn, sampleInvocations(fn.definition, CLOCK)[0]!.invocation)
      assert.deepEqual([status, String(response?.body)], [0, 'summed in the handler'])
    }
  })

  it('are found out and the difference is named', async () => {
    const proof = await prove('race', [blank])
    assert.ok(!proof.ok)
    assert.match(proof.difference, /header x-rounds is "\d+" and "\d+"/)
  })

  it('are told what is not available', async () => {
    const fn = definitionOf('refused')
    const { status, logs } = await blank.execute(fn, sampleInvocations(fn.definition, CLOCK)[0]!.invocation)
    assert.equal(status, 1)
    assert.match(logs, /vm\.runInNewContext is not available in a deterministic function; set verification: none/)
  })
})
