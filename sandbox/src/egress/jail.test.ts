import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, connect, type Server } from 'node:net'
import { after, before, beforeEach, describe, it } from 'node:test'
import { createSandbox } from '../create-sandbox.ts'
import { sampleInvocations } from '../prove/sample-invocations.ts'
import { bundleSource, functionOf } from '../support/bundle-source.ts'
import type { ExecutionResult, Sandbox } from '../types.ts'
import { startPostgres } from './fake-postgres.ts'

const fixture = (name: string) => readFileSync(new URL(`fixtures/${name}`, import.meta.url), 'utf8')
const CERTIFICATE = fixture('certificate.pem')
const PUBLIC = '93.184.215.14'
const LISTED = ['api.example.com', 'db.example.com:5432', 'inside.example.com']

const FAILURE = `const failure = (error) => error?.cause?.code ?? error?.code ?? String(error)
  const attempt = (start) => new Promise((done) => { try { start().on('error', (error) => done(failure(error))).on('connect', () => done('connected')) } catch (error) { done(failure(error)) } })`

const REACHES = `
  const http = require('node:http'), https = require('node:https'), tls = require('node:tls'), net = require('node:net'), { Client } = require('pg')
  const ca = ${JSON.stringify(CERTIFICATE)}
  const read = (module, url, options = {}) => new Promise((done, fail) => module.get(url, options, async (response) => { let all = ''; for await (const chunk of response) all += chunk; done(all) }).on('error', fail))
  exports.handler = async () => {
    tls.setDefaultCACertificates([ca])
    const client = new Client({ host: 'db.example.com', user: 'shop', ssl: { ca } })
    await client.connect()
    const { rows } = await client.query('select $1::text as n', ['from the database'])
    await client.end()
    const socket = net.connect(80, 'api.example.com')
    socket.write('GET /raw HTTP/1.1\\r\\nhost: api.example.com\\r\\nconnection: close\\r\\n\\r\\n')
    let raw = ''; for await (const chunk of socket) raw += chunk
    return { statusCode: 200, body: JSON.stringify([rows[0].n, await read(http, 'http://api.example.com/http'), await read(https, 'https://api.example.com/https', { ca }),
      await (await fetch('http://api.example.com/fetch')).text(), await (await fetch('https://api.example.com/fetch')).text(), raw.split('\\r\\n').at(-1)]) }
  }`

const IS_REFUSED = `
  const net = require('node:net'), tls = require('node:tls'), http = require('node:http'), dgram = require('node:dgram'), dns = require('node:dns')
  ${FAILURE}
  exports.handler = async () => ({ statusCode: 200, body: JSON.stringify({
    other: await attempt(() => net.connect(443, 'other.example.com')), port: await attempt(() => net.connect(22, 'api.example.com')),
    inside: await attempt(() => net.connect(443, 'inside.example.com')), address: await attempt(() => tls.connect(443, '${PUBLIC}')),
    loopback: await attempt(() => net.connect(80, '127.0.0.1')), name: await attempt(() => http.get('http://localhost/')),
    redirect: await fetch('http://api.example.com/away').catch(failure), datagram: await new Promise((done) => dgram.createSocket('udp4').send('x', 53, '${PUBLIC}', (error) => done(failure(error)))),
    resolver: await dns.promises.resolve4('api.example.com').catch(failure),
  }) })`

const WITHOUT = `
  const net = require('node:net'), tls = require('node:tls'), http = require('node:http'), https = require('node:https'), http2 = require('node:http2'), dgram = require('node:dgram'), dns = require('node:dns')
  ${FAILURE}
  exports.handler = async () => ({ statusCode: 200, body: JSON.stringify([
    await attempt(() => net.connect(80, '${PUBLIC}')), await attempt(() => tls.connect(443, '${PUBLIC}')), await attempt(() => http.get('http://127.0.0.1/')),
    await attempt(() => https.get('https://[::1]/')), await attempt(() => http2.connect('https://${PUBLIC}')), await fetch('http://169.254.169.254/').catch(failure),
    await fetch('https://api.example.com/').catch(failure), await dns.promises.lookup('api.example.com').catch(failure), await dns.promises.resolve4('api.example.com').catch(failure),
    await new Promise((done) => dgram.createSocket('udp4').send('x', 53, '${PUBLIC}', (error) => done(failure(error)))),
    await attempt(() => net.connect('/run/egress.sock')), await attempt(() => net.createServer().listen(0)),
  ]) })`

const AT_LOAD = `
  ${FAILURE}
  const net = require('node:net')
  const atLoad = attempt(() => net.connect(80, 'api.example.com'))
  exports.ready = atLoad
  exports.handler = async () => ({ statusCode: 200, body: JSON.stringify([await atLoad, await attempt(() => net.connect(80, 'api.example.com'))]) })`

describe('egress of a jail', () => {
  let sandbox: Sandbox
  const servers = new Map<number, Server>()
  let attempts: string[] = []

  before(async () => {
    const answer = (name: string) => (request: IncomingMessage, response: ServerResponse) => {
      if (request.url === '/away') response.writeHead(302, { location: 'http://other.example.com/' })
      response.end(`${name} ${request.url}`)
    }
    servers.set(80, createHttpServer(answer('http')))
    servers.set(443, createHttpsServer({ key: fixture('key.pem'), cert: CERTIFICATE }, answer('https')))
    servers.set(5432, startPostgres())
    for (const server of servers.values()) {
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
    }
    sandbox = await createSandbox({
      cgroups: 'auto',
      network: {
        resolve: async (host) => (host === 'inside.example.com' ? ['10.0.0.7'] : [PUBLIC]),
        connect: (address, port) => {
          attempts.push(`${address}:${port}`)
          return connect({
            host: '127.0.0.1',
            port: (servers.get(port)!.address() as AddressInfo).port,
            allowHalfOpen: true,
          })
        },
      },
    })
  })
  beforeEach(() => {
    attempts = []
  })
  after(async () => {
    await sandbox?.close()
    for (const server of servers.values()) server.close()
  })

  async function run(source: string, egress: string[]): Promise<ExecutionResult & { answer: unknown }> {
    const fn = functionOf(await bundleSource(source), { egress, verification: 'none' })
    const result = await sandbox.execute(fn, sampleInvocations(fn.definition)[0]!.invocation)
    assert.equal(result.status, 0, result.logs)
    return { ...result, answer: JSON.parse(String(result.response!.body)) }
  }

  it('opens listed hosts to net, http, https, fetch and a database client', async () => {
    const { answer } = await run(REACHES, LISTED)
    assert.deepEqual(answer, [
      'from the database',
      'http /http',
      'https /https',
      'http /fetch',
      'https /fetch',
      'http /raw',
    ])
  })

  it('refuses everything else like a refused connection, with the reason in the log', async () => {
    const { answer, logs } = await run(IS_REFUSED, LISTED)
    const refused = 'ECONNREFUSED'
    assert.deepEqual(answer, {
      other: refused,
      port: refused,
      inside: refused,
      address: refused,
      loopback: refused,
      name: refused,
      redirect: refused,
      datagram: 'ENETUNREACH',
      resolver: refused,
    })
    assert.match(logs, /no connection to other\.example\.com:443: the egress list does not have it/)
    assert.match(logs, /no connection to inside\.example\.com:443: .*10\.0\.0\.7/)
    assert.deepEqual(attempts, [`${PUBLIC}:80`])
  })

  it('is closed to a function without it, whatever it tries', async () => {
    const { answer, timings } = await run(WITHOUT, [])
    const none = 'ENETUNREACH'
    assert.deepEqual(answer, [
      none,
      none,
      none,
      none,
      none,
      none,
      'EAI_AGAIN',
      'EAI_AGAIN',
      'ECONNREFUSED',
      none,
      'ENOENT',
      'EAFNOSUPPORT',
    ])
    assert.ok(timings.runMs < 3000)
    assert.deepEqual(attempts, [])
  })

  it('is there for each execution, and ends with it', async () => {
    const source = `const net = require('node:net')
      exports.handler = () => new Promise((done) => { const socket = net.connect(80, 'api.example.com', () => done({ statusCode: 200, body: '"open"' })) })`
    for (let i = 0; i < 3; i++) {
      const [{ answer }, [connection]] = await Promise.all([run(source, LISTED), once(servers.get(80)!, 'connection')])
      assert.equal(answer, 'open')
      await new Promise((resolve) =>
        connection.closed ? resolve(undefined) : connection.on('error', () => {}).once('close', resolve),
      )
    }
  })

  it('is there for a bundle that connects while it loads', async () => {
    assert.deepEqual((await run(AT_LOAD, LISTED)).answer, ['connected', 'connected'])
  })
})
