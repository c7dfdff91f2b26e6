import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { type AbuseSandbox, attackFunction, createAbuseSandbox, outputOf } from './abuse-sandbox.ts'

// What a function can reach of the machine that it runs on: nothing.

const SECRET = 'a-key-that-only-the-worker-knows'

async function listen(): Promise<{ port: number; requests: string[]; close(): void }> {
  const requests: string[] = []
  const server = createServer((request, response) => {
    requests.push(request.url!)
    response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { port: (server.address() as AddressInfo).port, requests, close: () => server.close() }
}

for (const forkPoint of ['loaded', 'blank'] as const) {
  describe(`reach, fork point ${forkPoint}`, () => {
    let abuse: AbuseSandbox
    before(async () => {
      process.env.PEERHOST_PRIVATE_KEY = SECRET
      abuse = await createAbuseSandbox(forkPoint)
    })
    after(async () => {
      delete process.env.PEERHOST_PRIVATE_KEY
      await abuse.close()
    })

    test('the machine’s files, processes and other bundles', async () => {
      const fn = attackFunction(
        `const fs = require('fs')
        const paths = ['/etc/passwd', '/etc/shadow', '/proc', '/proc/1/environ', '/proc/self/maps', '/sys', '/sys/fs/cgroup', '/root', '/home',
          '/run/peerhost', '/../../etc/passwd', '/dev/mem', '/dev/vsock', '/dev/kvm', '/var/task/handler.js', '/var/run', '/usr/bin/env', '/bin/sh']
        exports.handler = async () => {
          const read = paths.filter((path) => { try { fs.statSync(path); return true } catch { return false } })
          const tree = {}
          for (const folder of ['/', '/dev', '/run', '/tmp', '/var/task']) tree[folder] = fs.readdirSync(folder).sort()
          return { read, tree, environment: JSON.stringify(process.env), argv: process.argv, title: process.title }
        }`,
        { name: 'reader' },
      )
      const output = outputOf(await abuse.call(fn, {})) as {
        read: string[]
        tree: Record<string, string[]>
        environment: string
      }
      assert.deepEqual(output.read, [])
      assert.deepEqual(output.tree, {
        '/': ['app', 'dev', 'lib', 'lib64', 'node', 'run', 'tmp', 'var'],
        '/dev': ['null'],
        '/run': ['worker.sock'],
        '/tmp': [],
        '/var/task': [],
      })
      assert.doesNotMatch(output.environment, new RegExp(SECRET))
      assert.doesNotMatch(output.environment, /PEERHOST_NSJAIL|AWS_ACCESS_KEY|AWS_SECRET/)
      await abuse.servesOthers()
    })

    test('where its files lie on the machine, and how full that is', async () => {
      const fn = attackFunction(
        `const fs = require('fs'), net = require('net'), { Worker } = require('worker_threads')
        const report = (flags) => new Promise((done) => new Worker("require('worker_threads').parentPort.postMessage(process.report.getReport())", { eval: true, execArgv: flags }).on('message', done).on('error', done))
        exports.handler = async () => {
          new net.Socket({ fd: 3 }); new net.Socket({ fd: 1 })
          const room = {}
          for (const path of ['/', '/app', '/run', '/run/worker.sock', '/dev', '/dev/null', '/var/task', '/tmp']) {
            const { blocks, bfree, bavail, files, ffree } = fs.statfsSync(path)
            room[path] = [blocks, bfree, bavail, files, ffree]
          }
          return { room, report: JSON.stringify(process.report.getReport()), thread: JSON.stringify(await report(['--no-permission'])) }
        }`,
        { name: 'finder' },
      )
      const { room, report, thread } = outputOf(await abuse.call(fn, {})) as Record<string, string>
      for (const text of [report!, thread!]) {
        assert.ok(text.length > 1000)
        assert.doesNotMatch(text, /peerhost\/|slots/)
      }
      assert.match(report!, /worker\.sock/)
      if (process.getuid!() !== 0) return // in plain folders, as the operator is told
      const { '/tmp': temporary, ...others } = room as unknown as Record<string, number[]>
      assert.ok(temporary![0]! > 0)
      for (const [path, figures] of Object.entries(others)) assert.deepEqual(figures, [0, 0, 0, 0, 0], path)
    })

    test('writing outside /tmp, running from /tmp', async () => {
      const fn = attackFunction(
        `const fs = require('fs'), attempts = {
          root: () => fs.writeFileSync('/x', ''), app: () => fs.writeFileSync('/app/harness.cjs', ''), node: () => fs.appendFileSync('/node', ''),
          run: () => fs.writeFileSync('/run/x', ''), socket: () => fs.unlinkSync('/run/worker.sock'), device: () => fs.unlinkSync('/dev/null'),
          mode: () => fs.chmodSync('/node', 0o777), times: () => fs.utimesSync('/dev/null', 1, 1), link: () => fs.linkSync('/node', '/tmp/node'),
          task: () => fs.mkdirSync('/var/task/x'), rename: () => fs.renameSync('/app', '/tmp/app') }
        exports.handler = async () => {
          const done = Object.keys(attempts).filter((name) => { try { attempts[name](); return true } catch { return false } })
          fs.copyFileSync('/node', '/tmp/n', fs.constants.COPYFILE_FICLONE); return { done }
        }`,
        { name: 'writer', memorySize: 512 },
      )
      const result = await abuse.call(fn, {})
      assert.deepEqual(outputOf(result).done ?? [], [])
      await abuse.servesOthers()
    })

    test('the host’s loopback, by address, by name, by redirect, by datagram', async () => {
      const host = await listen()
      try {
        const fn = attackFunction(
          `const net = require('net'), dgram = require('dgram'), dns = require('dns'), http = require('http'), tls = require('tls')
          const port = ${host.port}
          const connect = (options) => new Promise((done) => { try { net.connect(options).on('connect', () => done('connected')).on('error', (error) => done(error.code)) } catch (error) { done(error.code) } })
          const get = (url) => fetch(url).then(() => 'answered', (error) => error.cause?.code ?? error.name)
          exports.handler = async () => ({
            address: await connect({ port, host: '127.0.0.1' }),
            six: await connect({ port, host: '::1' }),
            mapped: await connect({ port, host: '::ffff:127.0.0.1' }),
            any: await connect({ port, host: '0.0.0.0' }),
            name: await connect({ port, host: 'localhost' }),
            fetch: await get('http://127.0.0.1:' + port + '/fetched'),
            plain: await new Promise((done) => http.get({ port, host: '127.0.0.1' }, () => done('answered')).on('error', (error) => done(error.code))),
            secure: await new Promise((done) => tls.connect({ port, host: '127.0.0.1' }, () => done('connected')).on('error', (error) => done(error.code))),
            abstract: await connect({ path: '\\0peerhost' }),
            datagram: await new Promise((done) => { try { const s = dgram.createSocket('udp4'); s.on('error', (error) => done(error.code)); s.send('x', port, '127.0.0.1', (error) => done(error ? error.code : 'sent')) } catch (error) { done(error.code) } }),
            lookup: await new Promise((done) => dns.lookup('localhost.localdomain', (error) => done(error ? error.code : 'found'))),
            resolve: await new Promise((done) => { try { dns.resolve4('localhost.localdomain', (error) => done(error ? error.code : 'found')) } catch (error) { done(error.code) } }),
          })`,
          { name: 'caller' },
        )
        const output = outputOf(await abuse.call(fn, {}))
        const reached = Object.entries(output).filter(([, code]) =>
          ['connected', 'answered', 'sent', 'found'].includes(code as string),
        )
        assert.deepEqual(reached, [])
        assert.equal(output.address, 'ENETUNREACH')
        assert.equal(output.fetch, 'ENETUNREACH')
        assert.deepEqual(host.requests, [])
        await abuse.servesOthers()
      } finally {
        host.close()
      }
    })

    test('the network with the harness’s own substitutes taken away', async () => {
      const fn = attackFunction(
        `const { Worker } = require('worker_threads')
        exports.handler = () => new Promise((done) => {
          const worker = new Worker("const net = require('net'); const c = net.connect(1, '127.0.0.1'); c.on('error', (e) => require('worker_threads').parentPort.postMessage(e.code)); c.on('connect', () => require('worker_threads').parentPort.postMessage('connected'))", { eval: true })
          worker.on('message', (code) => done({ code })).on('error', (error) => done({ code: error.code ?? error.name }))
        })`,
        { name: 'tunnel' },
      )
      const output = outputOf(await abuse.call(fn, {}))
      assert.ok(output.code !== 'connected', String(output.code))
      await abuse.servesOthers()
    })
  })
}
