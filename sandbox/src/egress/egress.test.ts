import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createSecureServer } from 'node:http2'
import { type AddressInfo, createServer, connect as netConnect, type Server, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { createEgressBroker, type EgressBroker, type EgressBrokerOptions } from './broker.ts'
import { startPostgres } from './fake-postgres.ts'
import { tryInChild } from './try-in-child.ts'

const fixture = (name: string) => readFileSync(new URL(`fixtures/${name}`, import.meta.url), 'utf8')
const credentials = { key: fixture('key.pem'), cert: fixture('certificate.pem') }

const PUBLIC = '93.184.215.14'
const HOSTS: Record<string, string[]> = {
  'api.example.com': [PUBLIC],
  'db.example.com': [PUBLIC],
  'evil.example.com': ['93.184.215.15'],
  'loopback.example.com': ['127.0.0.1'],
  'metadata.example.com': ['169.254.169.254'],
  'mixed.example.com': [PUBLIC, '10.0.0.1'],
  'mapped.example.com': ['::ffff:127.0.0.1'],
  'nat64.example.com': ['64:ff9b::7f00:1'],
  'ula.example.com': ['fd00::1'],
}

describe('egress', () => {
  const folder = mkdtempSync(join(tmpdir(), 'peerhost-egress-'))
  const socketPath = join(folder, 'broker.sock')
  /** Local servers that stand for the public ones, by port as the function sees it. */
  const servers = new Map<number, Server>()
  let broker: EgressBroker
  let attempts: string[] = []
  let resolved: string[] = []
  let log: string[] = []

  const localPort = (port: number) => (servers.get(port)?.address() as AddressInfo | undefined)?.port

  async function serve(port: number, server: Server): Promise<void> {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    servers.set(port, server)
  }

  before(async () => {
    const echo = (socket: Socket) => {
      socket.on('error', () => {})
      socket.write('hello\n')
      socket.pipe(socket)
    }
    await serve(
      80,
      createHttpServer((request, response) => {
        if (request.url === '/away') response.writeHead(302, { location: 'http://evil.example.com/' })
        if (request.url === '/inside') response.writeHead(302, { location: 'http://169.254.169.254/latest/' })
        response.end(`${request.method} ${request.url} ${request.headers.host}`)
      }),
    )
    await serve(
      443,
      createSecureServer({ ...credentials, allowHTTP1: true }, (request, response) => {
        response.end(`${request.httpVersion} ${request.url}`)
      }) as unknown as Server,
    )
    await serve(7, createServer(echo))
    await serve(8443, createTlsServer(credentials, echo))
    await serve(5432, startPostgres())
  })

  after(() => {
    for (const server of servers.values()) server.close()
    rmSync(folder, { recursive: true })
  })

  afterEach(() => broker.close())

  async function open(allowed: string[], options: Partial<EgressBrokerOptions> = {}): Promise<void> {
    attempts = []
    resolved = []
    log = []
    broker = await createEgressBroker({
      socketPath,
      allowed,
      isAllowedPeer: () => true,
      log: (line) => log.push(line),
      resolve: async (host) => {
        resolved.push(host)
        if (HOSTS[host] === undefined) throw Object.assign(new Error(host), { code: 'ENOTFOUND' })
        return HOSTS[host]
      },
      connect: (address, port) => {
        attempts.push(`${address}:${port}`)
        return netConnect({ host: '127.0.0.1', port: localPort(port) ?? 1, allowHalfOpen: true })
      },
      ...options,
    })
  }

  // biome-ignore lint/suspicious/noExplicitAny: whatever the program returns as JSON
  const run = (program: string): Promise<any> =>
    tryInChild(`const ca = ${JSON.stringify(credentials.cert)}; ${program}`, { network: true, socketPath }).result

  const CONNECT = (host: string, port: number) => `
      return new Promise((done) => require('net').connect(${port}, '${host}').on('error', (error) => done(failure(error))).on('connect', () => done('connected')))`

  describe('an allowed host', () => {
    it('is reached by net, also when the server speaks first, with half-open ends', async () => {
      await open(['api.example.com:7'])
      const result = await run(`
        const net = require('net'), out = []
        const socket = net.connect(7, 'api.example.com', () => out.push('connect', socket.remotePort, socket.remoteFamily))
        let text = ''
        socket.setNoDelay(true).setKeepAlive(true).end('x'.repeat(300000))
        for await (const chunk of socket) text += chunk
        return [out, text.slice(0, 6), text.length]`)
      assert.deepEqual(result, [['connect', 7, 'IPv4'], 'hello\n', 300006])
      assert.deepEqual(attempts, [`${PUBLIC}:7`])
      assert.deepEqual(log, [])
    })

    it('is reached by tls, with its name checked', async () => {
      await open(['api.example.com:8443', 'evil.example.com:8443'])
      const result = await run(`
        const tls = require('tls'), out = []
        for (const [host, options] of [['api.example.com', { ca }], ['evil.example.com', { ca }], ['api.example.com', {}]]) {
          const socket = tls.connect({ host, port: 8443, servername: host, ...options })
          out.push(await new Promise((done) => {
            socket.on('error', (error) => done(error.code))
            socket.once('data', (data) => { done([String(data), socket.authorized]); socket.destroy() })
          }))
        }
        out.push(await new Promise((done) => {
          const socket = tls.connect(8443, 'api.example.com', { ca }, () => { done(socket.getPeerCertificate().subject.CN); socket.destroy() })
        }))
        return out`)
      assert.deepEqual(result, [
        ['hello\n', true],
        'ERR_TLS_CERT_ALTNAME_INVALID',
        'DEPTH_ZERO_SELF_SIGNED_CERT',
        'api.example.com',
      ])
    })

    it('is reached by http, https, http2 and fetch', async () => {
      await open(['api.example.com'])
      const result = await run(`
        require('tls').setDefaultCACertificates([ca])
        const http = require('http'), https = require('https'), http2 = require('http2')
        const text = (response) => new Promise(async (done) => { let all = ''; for await (const chunk of response) all += chunk; done(all) })
        const get = (module, url, options) => new Promise((done, fail) => module.get(url, options, (response) => done(text(response))).on('error', fail))
        const session = http2.connect('https://api.example.com', { ca })
        const two = await text(session.request({ ':path': '/two' }))
        session.close()
        const agent = new https.Agent({ keepAlive: true, ca })
        return [await get(http, 'http://api.example.com/a', {}), await get(https, 'https://api.example.com/b', { ca }),
          await get(https, 'https://api.example.com/c', { agent }), await get(https, 'https://api.example.com/d', { agent }),
          two, await (await fetch('http://api.example.com/e', { method: 'POST', body: 'x' })).text(),
          await (await fetch('https://api.example.com/f')).text()]`)
      assert.deepEqual(result, [
        'GET /a api.example.com',
        '1.1 /b',
        '1.1 /c',
        '1.1 /d',
        '2.0 /two',
        'POST /e api.example.com',
        '1.1 /f',
      ])
    })

    it('is reached by a database client', async () => {
      await open(['db.example.com:5432'])
      const pg = import.meta.resolve('pg')
      const result = await run(`
        const { default: pg } = await import(${JSON.stringify(pg)})
        const pool = new pg.Pool({ host: 'db.example.com', user: 'shop', database: 'shop', password: 'p', max: 2 })
        const answers = await Promise.all([1, 2, 3].map((n) => pool.query('select $1::int as n', [n])))
        await pool.end()
        const secure = new pg.Client({ host: 'db.example.com', user: 'shop', ssl: { ca } })
        await secure.connect()
        const { rows } = await secure.query('select 1')
        await secure.end()
        return [answers.map(({ rows }) => rows[0].n), rows[0].n]`)
      assert.deepEqual(result, [['1', '2', '3'], '1'])
    })

    it('is reached by a library that resolves names first', async () => {
      await open(['api.example.com:7'])
      const result = await run(`
        const net = require('net'), dns = require('dns'), { promisify } = require('util')
        const { address } = await promisify(dns.lookup)('API.example.com')
        const all = await dns.promises.lookup('api.example.com', { all: true })
        const socket = net.connect(7, address)
        const data = await new Promise((done) => socket.once('data', (data) => { done(String(data)); socket.destroy() }))
        return [address === all[0].address, data]`)
      assert.deepEqual(result, [true, 'hello\n'])
      assert.deepEqual(resolved, ['api.example.com'])
    })
  })

  describe('a refusal', () => {
    it('looks like a refused connection, with the reason in the log, and reaches nobody', async () => {
      await open(['api.example.com'])
      assert.deepEqual(await run(CONNECT('evil.example.com', 443)), {
        code: 'ECONNREFUSED',
        message: 'connect ECONNREFUSED evil.example.com:443',
        syscall: 'connect',
        address: 'evil.example.com',
        port: 443,
      })
      assert.match(log[0]!, /evil\.example\.com:443.*list/)
      assert.deepEqual([attempts, resolved], [[], []])
    })

    const refused: [string, string, number][] = [
      ['a port that the list does not have', 'api.example.com', 22],
      ['a subdomain', 'x.api.example.com', 443],
      ['a name that only ends like it', 'notapi.example.com', 443],
      ['loopback by address', '127.0.0.1', 80],
      ['loopback by name', 'localhost', 80],
      ['an address of the list, which names hosts', PUBLIC, 443],
      ['IPv6 loopback', '::1', 80],
      ['a mapped address', '::ffff:127.0.0.1', 80],
      ['a number for an address', '2130706433', 80],
    ]
    for (const [what, host, port] of refused) {
      it(`holds for ${what}`, async () => {
        await open(['api.example.com'])
        assert.equal((await run(CONNECT(host, port))).code, 'ECONNREFUSED')
        assert.deepEqual([attempts, resolved], [[], []])
      })
    }

    for (const name of ['loopback', 'metadata', 'mixed', 'mapped', 'nat64', 'ula']) {
      it(`holds for a listed name that leads inside: ${name}`, async () => {
        await open([`${name}.example.com`])
        assert.equal((await run(CONNECT(`${name}.example.com`, 443))).code, 'ECONNREFUSED')
        assert.match(log[0]!, /not a public address/)
        assert.deepEqual(attempts, [])
      })
    }

    it('holds for an inside address in the list itself', async () => {
      await open(['127.0.0.1', '169.254.169.254:80', '[::1]:80', 'localhost'])
      for (const host of ['127.0.0.1', '169.254.169.254', '::1']) {
        assert.equal((await run(CONNECT(host, 80))).code, 'ECONNREFUSED')
      }
      assert.deepEqual(attempts, [])
    })

    it('holds when a name changes its answer between check and connection', async () => {
      let asked = 0
      await open(['api.example.com:7'], { resolve: async () => (asked++ % 2 === 0 ? [PUBLIC] : ['127.0.0.1']) })
      assert.equal(await run(CONNECT('api.example.com', 7)), 'connected')
      assert.equal((await run(CONNECT('api.example.com', 7))).code, 'ECONNREFUSED')
      assert.deepEqual([attempts, asked], [[`${PUBLIC}:7`], 2])
    })

    it('holds after a redirect', async () => {
      await open(['api.example.com'])
      const result = await run(
        `return [await fetch('http://api.example.com/away').catch(failure), await fetch('http://api.example.com/inside').catch(failure)]`,
      )
      assert.deepEqual(
        result.map(({ code }: { code: string }) => code),
        ['ECONNREFUSED', 'ECONNREFUSED'],
      )
      assert.deepEqual(new Set(attempts), new Set([`${PUBLIC}:80`]))
    })

    it('holds for a process that is not the execution', async () => {
      const peers: number[] = []
      await open(['api.example.com:7'], { isAllowedPeer: (pid) => peers.push(pid) < 0 })
      const { child, result } = tryInChild(CONNECT('api.example.com', 7), { network: true, socketPath })
      assert.equal(((await result) as { code: string }).code, 'ECONNREFUSED')
      assert.deepEqual(peers, [child.pid])
      assert.deepEqual([attempts, resolved], [[], []])
    })

    it('holds for whatever else is written to the broker', async () => {
      await open(['api.example.com:7'])
      for (const bytes of [
        '\n',
        'GET / HTTP/1.1\r\n\r\n',
        `${'x'.repeat(5000)}`,
        '{"host":"api.example.com"}\n',
        '{"host":["api.example.com"],"port":7}\n',
        '{"host":"api.example.com\\u0000.evil","port":7}\n',
        `${'0'.repeat(32)}\n`,
        'null\n',
      ]) {
        const socket = netConnect(socketPath)
        socket.on('error', () => {})
        socket.write(bytes)
        await once(socket, 'close')
      }
      assert.deepEqual([attempts, resolved], [[], []])
    })

    it('tells a failing name and an unreachable host apart', async () => {
      await open(['nowhere.example.com', 'api.example.com:9'])
      assert.deepEqual(await run(CONNECT('nowhere.example.com', 443)), {
        code: 'ENOTFOUND',
        message: 'getaddrinfo ENOTFOUND nowhere.example.com',
        syscall: 'getaddrinfo',
      })
      assert.equal((await run(CONNECT('api.example.com', 9))).code, 'ECONNREFUSED')
      assert.deepEqual(attempts, [`${PUBLIC}:9`])
    })
  })

  describe('limits', () => {
    const OPEN = (count: number) => `
      const net = require('net')
      const results = await Promise.all(Array.from({ length: ${count} }, () => new Promise((done) => net.connect(7, 'api.example.com').on('connect', () => done('connect')).on('error', (error) => done(error.code)))))
      return results.sort()`

    it('hold for open connections and for those of an execution', async () => {
      await open(['api.example.com:7'], { limits: { connections: 3 } })
      assert.deepEqual(await run(OPEN(5)), ['ECONNREFUSED', 'ECONNREFUSED', 'connect', 'connect', 'connect'])
      await broker.close()
      await open(['api.example.com:7'], { limits: { connectionsPerExecution: 2 } })
      assert.deepEqual(await run(OPEN(3)), ['ECONNREFUSED', 'connect', 'connect'])
      assert.deepEqual(await run(OPEN(1)), ['ECONNREFUSED'])
      broker.endAll()
      assert.deepEqual(await run(OPEN(1)), ['connect'])
    })

    it('hold for bytes', async () => {
      await open(['api.example.com:7'], { limits: { bytesPerExecution: 100_000 } })
      const total = await run(`
        const socket = require('net').connect(7, 'api.example.com')
        let total = 0
        socket.on('data', (data) => { total += data.length; socket.write(Buffer.alloc(10000)) }).on('error', () => {})
        await new Promise((done) => socket.on('close', done))
        return total`)
      assert.ok(total <= 100_000)
      assert.match(log[0]!, /bytes/)
    })

    it('end every connection with the execution', async () => {
      await open(['api.example.com:7'])
      const { result } = tryInChild(
        `const socket = require('net').connect(7, 'api.example.com').on('error', () => {}); await new Promise((done) => socket.on('close', done)); return 'closed'`,
        { network: true, socketPath },
      )
      const [connection] = (await once(servers.get(7)!, 'connection')) as [Socket]
      broker.endAll()
      await new Promise((resolve) => connection.once('close', resolve))
      assert.equal(await result, 'closed')
    })

    it('hold for the time to connect', async () => {
      await open(['api.example.com:7'], { limits: { connectMs: 50 }, connect: () => new Socket() })
      assert.equal((await run(CONNECT('api.example.com', 7))).code, 'ETIMEDOUT')
    })
  })
})

describe('without egress', () => {
  it('everything fails at once as on a machine without a network', async () => {
    const result = await tryInChild(
      `
      const net = require('net'), tls = require('tls'), http = require('http'), https = require('https'), dgram = require('dgram'), dns = require('dns')
      const failed = (emitter) => new Promise((done) => emitter.on('error', (error) => done(error.code)))
      return [await failed(net.connect(80, '192.0.2.1')), await failed(net.connect({ host: '::1', port: 80 })), await failed(net.connect(80)),
        await failed(tls.connect(443, 'api.example.com')), await failed(http.get('http://192.0.2.1/')), await failed(https.get('https://api.example.com/')),
        (await fetch('http://192.0.2.1/').catch(failure)).code, (await fetch('https://api.example.com/').catch(failure)).code,
        await failed(require('http2').connect('https://192.0.2.1')), await new Promise((done) => dgram.createSocket('udp4').send('x', 53, '192.0.2.1', (error) => done(error.code))),
        (await dns.promises.lookup('api.example.com').catch(failure)).code, (await dns.promises.lookup('192.0.2.1')).address]`,
      {},
    ).result
    assert.deepEqual(result, [
      'ENETUNREACH',
      'ENETUNREACH',
      'ENETUNREACH',
      'EAI_AGAIN',
      'ENETUNREACH',
      'EAI_AGAIN',
      'ENETUNREACH',
      'EAI_AGAIN',
      'ENETUNREACH',
      'ENETUNREACH',
      'EAI_AGAIN',
      '192.0.2.1',
    ])
  })
})
