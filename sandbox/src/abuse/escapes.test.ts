import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { toHex } from '@peerhost/protocol'
import { runFolderRoot } from '../host/run-folder.ts'
import { attackFunction, fixture, outputOf } from './abuse-sandbox.ts'
import { type AttackStage, createAttackStage, withAttacks } from './attack-stage.ts'
import { DENIED_CALLS } from './denied-calls.ts'
import { probeSystemCalls } from './syscall-probe.ts'

// What a function may reach of the machine that runs it: nothing but its own /tmp and its two connections to the worker.

interface Attempts {
  seen: string[]
  codes: Record<string, string>
  error?: string
}

/** What the host holds and no function may find. */
const SECRET = randomBytes(16).toString('hex')
const SECRET_NAME = 'PEERHOST_TEST_CANARY'

describe('escapes', () => {
  let stage: AttackStage
  let folder: string
  let contacts: string[] = []
  const servers: Server[] = []
  const datagrams = createSocket('udp4')

  before(async () => {
    process.env[SECRET_NAME] = SECRET
    folder = mkdtempSync(join(tmpdir(), 'peerhost-canary-'))
    writeFileSync(join(folder, 'key'), SECRET, { mode: 0o644 })
    stage = await createAttackStage({
      forkPoint: 'loaded', // where a child has more to find than at blank
      network: {
        resolve: async (host) => (host === 'inside.example.com' ? ['127.0.0.1'] : ['93.184.215.14']),
        connect: (_address, port) => connect({ host: '127.0.0.1', port, allowHalfOpen: true }),
      },
    })
  })
  after(async () => {
    delete process.env[SECRET_NAME]
    for (const server of servers) server.close()
    datagrams.close()
    rmSync(folder, { recursive: true, force: true })
    await stage.close()
  })

  /** A server of the host's that must never be reached. */
  async function listen(name: string, where: object): Promise<Server> {
    const server = createServer((socket) => {
      contacts.push(name)
      socket.destroy()
    })
    servers.push(server)
    server.listen(where)
    await once(server, 'listening')
    return server
  }

  async function answers(fn: Parameters<AttackStage['call']>[0], event: object) {
    const result = await stage.call(fn, event)
    assert.equal(result.status, 0, `${result.error?.code}: ${result.error?.message} ${result.logs.slice(0, 500)}`)
    return outputOf(result)
  }

  const nothingSeen = (attempts: Attempts) =>
    assert.deepEqual({ seen: attempts.seen, error: attempts.error }, { seen: [], error: undefined })

  test('reading: files, processes, environment, key, and other bundles', async () => {
    const other = attackFunction(`${withAttacks('')}\n// ${SECRET}`, {
      name: 'other',
      environment: { OTHER_SECRET: SECRET },
    })
    await stage.recovers(other) // its jail waits beside the attacker's
    const own = join(runFolderRoot(), stage.number)
    const paths = [
      '/etc/passwd', '/etc/shadow', '/etc/hostname', '/proc', '/proc/self/environ', '/proc/1/environ', '/proc/1/maps',
      '/proc/mounts', '/proc/cmdline', '/proc/cpuinfo', '/sys', '/sys/fs/cgroup', '/root', '/home', '/usr', '/bin/sh',
      '/dev/mem', '/dev/kmsg', '/dev/vsock', '/dev/kvm', '/dev/tty', '/dev/shm', '/dev/fd', '/dev/stdin', '/var/run', '/var/log',
      '/opt', '/boot', '/.dockerenv', folder, join(folder, 'key'), import.meta.filename, process.execPath, process.cwd(),
      `/proc/${process.pid}/environ`, runFolderRoot(), own, join(own, 'owner'), join(own, 'slots'), join(own, 'root'),
      '/var/task/handler.js', '/run/egress.sock',
    ] // biome-ignore format: a list
    const fn = fixture('escapes/reads', { name: 'reads' })
    const { reached, codes, top, run, task, env, ...rest } = await answers(fn, { paths })
    assert.deepEqual(reached, [])
    for (const code of codes as string[]) assert.match(code, /^(ENOENT|ENOTDIR|EACCES|ELOOP)$/)
    assert.deepEqual(
      (top as string[]).filter(
        (name) => !['app', 'dev', 'lib', 'lib64', 'node', 'run', 'tmp', 'var', 'usr'].includes(name),
      ),
      [],
    )
    assert.deepEqual({ run, task }, { run: ['worker.sock'], task: [] })
    for (const name of Object.keys(env as object)) {
      assert.ok(name.startsWith('PEERHOST_') || process.env[name] === undefined || !name.includes('KEY'), name)
    }
    // Not in any file, report, list of descriptors, environment, or in what a thread finds.
    const found = JSON.stringify({ env, top, run, task, rest })
    assert.ok(found.length > 1000)
    assert.ok(!found.includes(SECRET) && !found.includes(SECRET_NAME) && !found.includes(folder))
    const kinds = Object.values(rest.descriptors as Record<string, { kind: number }>).map(({ kind }) => kind)
    assert.deepEqual(
      kinds.filter((kind) => ![0, 1, 12].includes(kind)),
      [],
      'nameless, pipe and socket only',
    )
    assert.deepEqual({ host: rest.host, interfaces: rest.interfaces }, { host: 'peerhost', interfaces: {} })
    await stage.recovers(fn)
  })

  test('where its files lie on the machine, and how full that is', async () => {
    const source = `const fs = require('fs'), net = require('net'), { Worker } = require('worker_threads')
      const inThread = (flags) => new Promise((done) => new Worker("require('worker_threads').parentPort.postMessage(process.report.getReport())", { eval: true, execArgv: flags }).on('message', done).on('error', done))
      let count = 0
      exports.handler = async ({ echo }) => {
        if (echo !== undefined) return { echo, count: ++count }
        for (const fd of [1, 3]) new net.Socket({ fd })
        const room = {}
        for (const path of ['/', '/app', '/run', '/run/worker.sock', '/dev', '/dev/null', '/dev/urandom', '/var/task', '/tmp']) {
          const { blocks, bfree, bavail, files, ffree } = fs.statfsSync(path)
          room[path] = [blocks, bfree, bavail, files, ffree]
        }
        return { room, report: JSON.stringify(process.report.getReport()), thread: JSON.stringify(await inThread(['--no-permission'])) }
      }`
    const fn = attackFunction(source, { name: 'whereabouts' })
    const { room, report, thread } = (await answers(fn, {})) as Record<string, string>
    assert.match(report!, /worker\.sock/)
    for (const text of [report!, thread!]) assert.doesNotMatch(text, /peerhost\/|slots/)
    const { core_file_size_blocks: core } = JSON.parse(report!).userLimits
    assert.ok(core.hard <= 1, 'a crash starts nothing on the host')
    if (process.getuid!() === 0) {
      const { '/tmp': temporary, ...others } = room as unknown as Record<string, number[]>
      assert.ok(temporary![0]! > 0)
      for (const [path, figures] of Object.entries(others)) assert.deepEqual(figures, [0, 0, 0, 0, 0], path)
    } // otherwise they lie in plain folders, as the operator is told
    await stage.recovers(fn)
  })

  test('writing: everything but /tmp is read-only', async () => {
    const fn = fixture('escapes/writes', { name: 'writes' })
    const { done, codes } = await answers(fn, {})
    assert.deepEqual(done, [])
    assert.ok((codes as string[]).includes('EROFS'))
    await stage.recovers(fn)
  })

  for (const forkPoint of ['loaded', 'blank'] as const) {
    test(`natives, programs and the engine: in the load at ${forkPoint}, in the handler, in a thread`, async () => {
      const at = forkPoint === 'loaded' ? stage : await createAttackStage({ forkPoint })
      try {
        const fn = fixture('escapes/natives', { name: 'natives', environment: { AT_LOAD: '1' } })
        const result = await at.call(fn, {})
        assert.equal(result.status, 0, `${result.error?.code}: ${result.error?.message}`)
        const { load, handler, thread } = outputOf(result) as Record<string, Attempts>
        for (const attempts of [load!, handler!, thread!]) {
          nothingSeen(attempts)
          assert.ok(Object.keys(attempts.codes).length > 40)
          assert.equal(attempts.codes['spawnSync /node'], 'ERR_ACCESS_DENIED')
        }
        await at.recovers(fixture('escapes/natives', { name: 'natives' }))
      } finally {
        if (at !== stage) await at.close()
      }
    })
  }

  // A thread may choose its flags, with which it is rid of Node's permission model. What holds is the kernel's.
  const FLAGS: [string, Record<string, string>][] = [
    ['spawn', { spawnSync: 'EPERM' }],
    ['spawnLater', { spawn: 'EPERM' }],
    ['execve', { execve: 'ERR_WORKER_UNSUPPORTED_OPERATION' }],
    ['internals', { TCP: '-97', UDP: '-97', kill: '-1' }],
    ['withoutPermission', { 'dlopen of a copy': 'ERR_DLOPEN_FAILED', binding: '-97', kill: 'EPERM' }],
    ['extension', { getpid: 'ERR_LOAD_SQLITE_EXTENSION', SQL: 'ERR_SQLITE_ERROR' }],
    ['inspector', {}],
  ]
  for (const [attack, expected] of FLAGS) {
    test(`a thread with flags of its own: ${attack}`, async () => {
      const fn = fixture('escapes/thread-flags', { name: 'flags' })
      const attempts = (await answers(fn, { attack })) as unknown as Attempts
      nothingSeen(attempts)
      assert.partialDeepStrictEqual(attempts.codes, expected)
      await stage.recovers(fn)
    })
  }
  for (const event of [{ attack: 'engine' }, { attack: 'inspector', mainThread: true }]) {
    test(`a thread with flags of its own ends its process: ${event.attack}`, async () => {
      const fn = fixture('escapes/thread-flags', { name: 'flags' })
      assert.equal((await stage.call(fn, event)).error?.code, 'PH_RUN_CRASHED')
      await stage.recovers(fn)
    })
  }

  test('the host’s servers: by address, by name, by path, by datagram; with and without the runtime’s substitutes', async () => {
    contacts = []
    const port = ((await listen('tcp', { port: 0, host: '127.0.0.1' })).address() as AddressInfo).port
    await listen('tcp6', { port, host: '::1' }).catch(() => {}) // where there is IPv6
    const path = join(folder, 'host.sock')
    const abstract = `\0peerhost-${SECRET.slice(0, 8)}`
    await listen('path', { path })
    await listen('abstract', { path: abstract })
    datagrams.on('message', () => contacts.push('udp')).bind(0, '127.0.0.1')
    await once(datagrams, 'listening')
    const fn = fixture('escapes/network', { name: 'network', timeout: 20 })
    const paths = [
      path,
      `/tmp/../..${path}`,
      `/proc/1/root${path}`,
      abstract,
      '/run/egress.sock',
      '/var/run/docker.sock',
    ]
    const event = { tcp: port, udp: datagrams.address().port, paths }
    const { handler, thread } = (await answers(fn, event)) as unknown as Record<string, Attempts>
    for (const attempts of [handler!, thread!]) {
      nothingSeen(attempts)
      assert.ok(Object.keys(attempts.codes).length > 60)
    }
    assert.equal(handler!.codes['net 127.0.0.1'], 'ENETUNREACH')
    assert.equal(thread!.codes['net 127.0.0.1'], 'EAFNOSUPPORT')
    assert.equal(thread!.codes['udp4 127.0.0.1'], 'EAFNOSUPPORT')
    assert.deepEqual(contacts, [])
    await stage.recovers(fn)
  })

  test('the host’s loopback by redirect, by a name that leads there, past the egress list', async () => {
    contacts = []
    const port = ((await listen('tcp', { port: 0, host: '127.0.0.1' })).address() as AddressInfo).port
    const redirects = createHttpServer((_request, response) => {
      response.writeHead(302, { location: `http://127.0.0.1:${port}/` }).end()
    })
    servers.push(redirects.listen(0, '127.0.0.1'))
    await once(redirects, 'listening')
    const listed = (redirects.address() as AddressInfo).port
    const source = `
      const failure = (error) => error?.cause?.code ?? error?.code ?? String(error)
      let count = 0
      const net = require('net'), through = (path, text) => new Promise((done) => { const s = net.connect(path, () => s.write(text)); let all = ''; s.on('data', (d) => { all += d }).on('error', (e) => done(failure(e))).on('close', () => done(all)); setTimeout(() => s.destroy(), 200) })
      exports.handler = async ({ echo }) => echo !== undefined ? { echo, count: ++count } : {
        first: await fetch('http://api.example.com:${listed}/', { redirect: 'manual' }).then((r) => r.status, failure),
        redirect: await fetch('http://api.example.com:${listed}/').then((r) => r.status, failure),
        name: await fetch('http://inside.example.com:${port}/').then((r) => r.status, failure),
        address: await fetch('http://127.0.0.1:${port}/').then((r) => r.status, failure),
        broker: await through('/run/egress.sock', 'CONNECT 127.0.0.1:${port}\\n'), brokerLine: await through('/run/egress.sock', '127.0.0.1:${port}\\n'), brokerJson: await through('/run/egress.sock', JSON.stringify({ host: '127.0.0.1', port: ${port} }) + '\\n'),
      }`
    const fn = attackFunction(source, {
      name: 'redirected',
      egress: [`api.example.com:${listed}`, `inside.example.com:${port}`],
    })
    const { first, redirect, name, address } = await answers(fn, {})
    assert.deepEqual(
      { first, redirect, name, address },
      { first: 302, redirect: 'ECONNREFUSED', name: 'ECONNREFUSED', address: 'ECONNREFUSED' },
    )
    assert.deepEqual(contacts, [])
    await stage.recovers(fn)
  })

  test('what an attack leaves in its jail is not in another one’s, nor on the host', async () => {
    const mark = toHex(randomBytes(8))
    const fn = attackFunction(
      withAttacks(
        `mark({ mark }) { require('fs').writeFileSync('/tmp/' + mark, mark); require('fs').symlinkSync('/', '/tmp/root'); return { written: true } }`,
      ),
      { name: 'marks' },
    )
    assert.deepEqual(await answers(fn, { attack: 'mark', mark }), { written: true })
    assert.throws(() => readFileSync(join('/tmp', mark)), { code: 'ENOENT' })
    await stage.recovers(fn)
  })

  test('system calls of native code in a child', async () => {
    const outcomes = await probeSystemCalls(DENIED_CALLS.map(({ call }) => call))
    const expected = DENIED_CALLS.filter(({ call }) => call.name in outcomes)
    assert.deepEqual(outcomes, Object.fromEntries(expected.map(({ call, outcome }) => [call.name, outcome])))
    assert.ok(expected.length > 100)
    await stage.recovers()
  })
})
