import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { attackFunction as functionOf, outputOf } from './abuse/abuse-sandbox.ts'
import { runFolderRoot } from './host/run-folder.ts'
import {
  createSandbox,
  type ExecutionResult,
  functionKey,
  probeSandbox,
  type Sandbox,
  type SandboxFunction,
} from './index.ts'

let number = 0
const requestHash = () => `0x${(++number).toString(16).padStart(64, '0')}` as const

const event = (sandbox: Sandbox, fn: SandboxFunction, value: unknown = {}) =>
  sandbox.execute(fn, {
    input: { kind: 'event', body: Buffer.from(JSON.stringify(value)) },
    requestHash: requestHash(),
    clockMs: Date.now(),
  })

const request = (path: string, headers: [string, string][] = []) => ({
  kind: 'http' as const,
  request: {
    method: 'GET',
    host: 'localhost',
    sourceAddress: '127.0.0.1',
    path,
    query: '',
    headers,
    body: Buffer.alloc(0),
  },
})

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let i = 0; !condition(); i++) {
    if (i > 1000) throw new Error(`waited in vain: ${what}`)
    await sleep(10)
  }
}

describe('sandbox', () => {
  let sandbox: Sandbox
  let folder: string
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'peerhost-sandbox-'))
    sandbox = await createSandbox({ dataDir: folder })
  })
  after(async () => {
    await sandbox.close()
    rmSync(folder, { recursive: true })
  })

  const COUNT = `let count = 0; exports.handler = async (event) => ({ count: ++count, event })`

  test('the first request is cold, one that finds a waiting child is forked, and each finds a fresh process', async () => {
    const fn = functionOf(COUNT, { name: 'count' })
    assert.equal((await event(sandbox, fn)).start, 'cold')
    assert.deepEqual(sandbox.warm(), [functionKey(fn)])
    let second = await event(sandbox, fn, { a: 1 })
    for (let i = 0; second.start === 'cold' && i < 50; i++) {
      await sleep(20)
      second = await event(sandbox, fn, { a: 1 })
    }
    assert.equal(second.start, 'forked')
    assert.deepEqual(outputOf(second), { count: 1, event: { a: 1 } })
    assert.ok(second.timings.waitMs < 50 && second.timings.runMs > 0)
  })

  test('prepare has a child wait ahead of the first request', async () => {
    const fn = functionOf(COUNT, { name: 'prepared' })
    await sandbox.prepare(fn)
    assert.ok(sandbox.warm().includes(functionKey(fn)))
    assert.equal((await event(sandbox, fn)).start, 'forked')
  })

  test('the code cache is made by compiling and kept on disk by digest', async () => {
    const marker = `globalThis.ran = true; require('fs').writeFileSync('/tmp/ran', '')`
    const fn = functionOf(`${marker}; exports.handler = async () => ({})`, { name: 'cached' })
    await sandbox.prepare(fn)
    const [runtime] = readdirSync(join(folder, 'code-caches'))
    assert.ok(readdirSync(join(folder, 'code-caches', runtime!)).includes(fn.definition.codeDigest))
  })

  test('requests that would wait are served side by side by further jails', async () => {
    const fn = functionOf(
      `exports.handler = async () => { await new Promise((done) => setTimeout(done, 1500)); return {} }`,
      { name: 'slow', verification: 'none' },
    )
    await sandbox.prepare(fn)
    const started = performance.now()
    const results = await Promise.all(Array.from({ length: 5 }, () => event(sandbox, fn)))
    assert.ok(results.every(({ status }) => status === 0))
    assert.ok(performance.now() - started < 5 * 1500, `${performance.now() - started} ms`)
  })

  test('an HTTP answer, its error answers by kind of event, and its route', async () => {
    const routes = [
      { method: 'GET', path: '/v1/{id}', kind: 'http' as const, payload: '1.0' as const },
      { method: 'GET', path: '/v2/{id}', kind: 'httpApi' as const, payload: '2.0' as const },
    ]
    const fn = functionOf(
      `exports.handler = async (event) => { if (event.headers.fail) throw new Error('failed'); return { statusCode: 201, headers: { 'X-A': 'b' }, body: JSON.stringify(event.pathParameters) } }`,
      { name: 'http', routes },
    )
    const call = (path: string, headers?: [string, string][]) =>
      sandbox.execute(fn, { input: request(path, headers), requestHash: requestHash(), clockMs: Date.now() })
    const seen = ({ status, response, error }: ExecutionResult) => [
      status,
      error?.code,
      response?.httpStatus,
      Buffer.from(response!.body).toString(),
    ]
    assert.deepEqual(seen(await call('/v1/a')), [0, undefined, 201, '{"id":"a"}'])
    assert.deepEqual(seen(await call('/v2/b')), [0, undefined, 201, '{"id":"b"}'])
    assert.deepEqual(seen(await call('/v1/a', [['fail', '1']])), [
      1,
      'PH_RUN_THREW',
      502,
      '{"message":"Internal server error"}',
    ])
    assert.deepEqual(seen(await call('/v2/a', [['fail', '1']])), [
      1,
      'PH_RUN_THREW',
      500,
      '{"message":"Internal Server Error"}',
    ])
  })

  test('a streamed answer arrives as it is written', async () => {
    const fn = functionOf(
      `exports.handler = awslambda.streamifyResponse(async (event, stream) => {
        const body = awslambda.HttpResponseStream.from(stream, { statusCode: 202, headers: { 'x-a': 'b' } })
        for (const text of ['one', 'two', 'three']) { body.write(text); await new Promise((done) => setTimeout(done, 50)) }
        body.end()
      })`,
      { name: 'stream' },
    )
    const arrived: { text: string; at: number }[] = []
    let head: unknown
    const stream = {
      head: (value: unknown) => {
        head = value
      },
      chunk: (bytes: Uint8Array) => arrived.push({ text: Buffer.from(bytes).toString(), at: performance.now() }),
    }
    const result = await sandbox.execute(
      fn,
      { input: request('/'), requestHash: requestHash(), clockMs: Date.now() },
      { stream },
    )
    assert.equal((head as { httpStatus: number }).httpStatus, 202)
    assert.equal(arrived.map(({ text }) => text).join(''), 'onetwothree')
    assert.ok(arrived.at(-1)!.at - arrived[0]!.at > 50)
    assert.equal(Buffer.from(result.response!.body).toString(), 'onetwothree')
  })

  for (const forkPoint of ['blank', 'loaded'] as const) {
    test(`a warm-up request runs before the first request, once for all or for each: ${forkPoint}`, async () => {
      const own = await createSandbox({ forkPoint, blankJails: 1 })
      try {
        const warmup = { method: 'GET', path: '/warm?a=b', rounds: 3 }
        const fn = functionOf(
          `let warm = []; exports.handler = async (event) => { warm.push(event.rawPath); return { warm } }`,
          { name: 'warm', warmup },
        )
        for (let i = 0; i < 2; i++) {
          const { warm } = outputOf(await event(own, fn)) as { warm: (string | null)[] }
          assert.deepEqual(warm, ['/warm', '/warm', '/warm', null])
        }
      } finally {
        await own.close()
      }
    })
  }

  test('a memory cap ends what has waited longest, and everything is still served', async () => {
    const own = await createSandbox({ memoryCapMb: 300, blankJails: 0 })
    try {
      const functions = Array.from({ length: 6 }, (_, i) => functionOf(COUNT, { name: `capped${i}` }))
      for (const fn of functions) assert.equal((await event(own, fn)).status, 0)
      await until(() => own.warm().length > 0, 'a waiting child')
      assert.ok(own.warm().length <= 4, `${own.warm().length} wait`)
      assert.equal((await event(own, functions[0]!)).status, 0)
    } finally {
      await own.close()
    }
  })

  test('a request to a closed sandbox is refused', async () => {
    const own = await createSandbox({ blankJails: 0 })
    await own.close()
    await own.close()
    const { status, error } = await event(own, functionOf(COUNT))
    assert.deepEqual([status, error?.code], [4, 'PH_SANDBOX_UNAVAILABLE'])
  })

  test('a worker that is killed leaves no process, group, mount or folder', async () => {
    const script = join(folder, 'victim.ts')
    writeFileSync(
      script,
      `import { createSandbox } from ${JSON.stringify(new URL('index.ts', import.meta.url).href)}
      import { attackFunction } from ${JSON.stringify(new URL('abuse/abuse-sandbox.ts', import.meta.url).href)}
      const sandbox = await createSandbox({ blankJails: 1 })
      const fn = attackFunction('exports.handler = async () => { for (;;); }', { timeout: 60 })
      void sandbox.execute(fn, { input: { kind: 'event', body: Buffer.from('{}') }, requestHash: '0x00', clockMs: 0 })
      setTimeout(() => process.send(process.pid), 1000)`,
    )
    const victim = fork(script, { stdio: 'inherit' })
    await once(victim, 'message')
    const own = readdirSync(runFolderRoot()).filter((name) => {
      try {
        return readFileSync(join(runFolderRoot(), name, 'owner'), 'utf8').startsWith(`${victim.pid} `)
      } catch {
        return false
      }
    })
    assert.equal(own.length, 1)
    victim.kill('SIGKILL')
    await until(() => !existsSync(join(runFolderRoot(), own[0]!)), 'the folder is gone')
    for (const controller of ['memory', 'pids', 'cpu', '.'])
      assert.ok(!existsSync(join('/sys/fs/cgroup', controller, 'peerhost', own[0]!)))
    assert.doesNotMatch(readFileSync('/proc/self/mounts', 'latin1'), new RegExp(`${runFolderRoot()}/${own[0]} `))
  })

  test('the probe says that everything works here', async () => {
    assert.deepEqual(
      (await probeSandbox()).map(({ name, ok }) => [name, ok]),
      [
        ['nsjail', true],
        ['node for functions', true],
        ['control groups', true],
        ['jail', true],
      ],
    )
    const [nsjail] = await probeSandbox({ nsjail: '/bin/false' })
    assert.equal(nsjail!.ok, true)
    assert.equal((await probeSandbox({ nsjail: '/bin/false' })).at(-1)!.ok, false)
  })
})
