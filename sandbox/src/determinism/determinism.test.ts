import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { getPriority, setPriority } from 'node:os'
import { describe, it } from 'node:test'
import { runDeterministic, runTwice } from './run-twice.ts'

const CLOCK = 1_800_000_000_000
const EC_KEY = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' })
const RSA_PUBLIC = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' })

/** Runs twice, expects the same and returns it. */
// biome-ignore lint/suspicious/noExplicitAny: whatever the program returns as JSON
async function same(program: string, options?: Parameters<typeof runTwice>[1]): Promise<any> {
  const [first, second] = await runTwice(program, options)
  assert.deepEqual(first, second)
  return first
}

describe('virtual clock', () => {
  it('stands at the clock of the request in every way to ask for the time', async () => {
    const times = await same(`
      const event = new Event('x')
      return [Date.now(), +new Date(), new (Object.getPrototypeOf(new Date()).constructor)().getTime(),
        new (class Later extends Date {})().getTime(), performance.timeOrigin + performance.now(),
        new Intl.DateTimeFormat('en', { timeStyle: 'long', dateStyle: 'long' }).format(), Date(), require('os').uptime(),
        process.uptime(), process.hrtime(), String(process.hrtime.bigint()), event.timeStamp, require('util').inspect(event),
        performance.mark('a').startTime, performance.measure('b', 'a').duration, new PerformanceMark('c').startTime,
        performance.toJSON(), new File([], 'f').lastModified, new File([], 'f', { lastModified: 5 }).lastModified, Intl.DateTimeFormat().resolvedOptions().timeZone]`)
    assert.deepEqual(times.slice(0, 5), Array(5).fill(CLOCK))
    assert.equal(times[5], 'January 15, 2027 at 8:00:00 AM UTC')
    assert.match(times[6], /^Fri Jan 15 2027 08:00:00 GMT\+0000/)
    assert.equal(times.at(-1), 'UTC')
  })

  it('moves only when nothing is pending, to the next timer', async () => {
    const [start, before, after, order] = await same(`
      const start = Date.now(), order = []
      const sleep = (ms) => new Promise((done) => setTimeout(done, ms))
      const note = (name) => () => order.push(name + '@' + (Date.now() - start))
      setTimeout(note('b'), 3000); setTimeout(note('a'), 1000); setTimeout(note('c'), 3000); setImmediate(note('immediate'))
      require('fs').readFile(process.execPath, note('file'))
      require('crypto').pbkdf2('a', 'b', 200000, 64, 'sha512', note('pool'))
      require('zlib').gzip(Buffer.alloc(1e6), note('zlib'))
      const before = Date.now()
      await sleep(5000)
      return [start, before, Date.now(), order]`)
    assert.equal(start, before)
    assert.equal(after, start + 5000)
    assert.deepEqual(order.slice(-4), ['immediate@0', 'a@1000', 'b@3000', 'c@3000'])
    assert.deepEqual(order.slice(0, -4).sort(), ['file@0', 'pool@0', 'zlib@0'])
  })

  it('moves while a server of its own listens on a unix socket, and waits for what travels between them', async () => {
    const result = await same(`
      const http = require('http'), path = require('fs').mkdtempSync('/tmp/peerhost-determinism-') + '/s'
      const server = http.createServer((request, response) => setTimeout(() => response.end(String(Date.now())), 250))
      await new Promise((done) => server.listen(path, done))
      const ask = () => new Promise((done) => http.get({ socketPath: path }, async (response) => {
        let body = ''; for await (const chunk of response) body += chunk
        done([body, response.headers.date])
      }))
      const answers = [await ask(), await ask()]
      server.close(); server.closeAllConnections(); require('fs').rmSync(path.slice(0, -2), { recursive: true })
      return answers`)
    assert.deepEqual(result, [
      [String(CLOCK + 250), 'Fri, 15 Jan 2027 08:00:00 GMT'],
      [String(CLOCK + 500), 'Fri, 15 Jan 2027 08:00:00 GMT'],
    ])
  })

  it('keeps the behaviour of timers', async () => {
    const result = await same(`
      const { setTimeout: sleep, setInterval: every, scheduler } = require('timers/promises')
      const { promisify } = require('util'), { AsyncLocalStorage } = require('async_hooks')
      const out = [], storage = new AsyncLocalStorage()
      out.push(await sleep(10, 'value'), await promisify(setImmediate)('immediate'))
      await promisify(setTimeout)(5); await scheduler.wait(5); await scheduler.yield()
      out.push(performance.now())
      let ticks = 0; for await (const tick of every(7, 't')) if (++ticks === 3) break
      out.push(performance.now())
      await storage.run('context', () => new Promise((done) => setTimeout(() => { out.push(storage.getStore()); done() }, 1)))
      const cleared = setTimeout(() => out.push('never'), 1); clearTimeout(cleared)
      const byNumber = setTimeout(() => out.push('never'), 1); clearTimeout(+byNumber); clearTimeout(undefined); clearTimeout({})
      const immediate = setImmediate(() => out.push('never')); clearImmediate(immediate)
      let times = 0; const interval = setInterval(function () { if (++times === 3) clearInterval(this) }, 2)
      await sleep(20); out.push(times)
      const lazy = setTimeout(() => {}, 1); out.push(lazy.hasRef(), lazy.unref().hasRef(), lazy === lazy.refresh())
      const signal = AbortSignal.timeout(50)
      const keep = setInterval(() => {}, 10)
      await new Promise((done) => signal.addEventListener('abort', done)); clearInterval(keep)
      out.push(signal.reason.name)
      const controller = new AbortController(); setTimeout(() => controller.abort(), 3)
      out.push(await sleep(1000, 0, { signal: controller.signal }).catch((error) => error.code))
      try { setTimeout('no') } catch (error) { out.push(error.code) }
      return out`)
    assert.deepEqual(result, [
      'value',
      'immediate',
      20,
      41,
      'context',
      3,
      true,
      false,
      true,
      'TimeoutError',
      'ABORT_ERR',
      'ERR_INVALID_ARG_TYPE',
    ])
  })

  it('lets time pass for code that polls by immediates', async () => {
    const turns = await same(`
      let passed = false, turns = 0
      setTimeout(() => { passed = true }, 60000)
      while (!passed) { turns++; await new Promise(setImmediate) }
      return turns`)
    assert.ok(turns >= 1000)
  })

  it('leaves beforeExit to when nothing waits, and does not wait for unreferenced timers', async () => {
    const program = `
      setTimeout(() => { throw new Error('an unreferenced timer fired') }, 90000).unref()
      setTimeout(() => {}, 60000)
      return new Promise((done) => process.once('beforeExit', () => done(performance.now())))`
    assert.equal(await same(program), 60000)
  })
})

describe('seeded randomness', () => {
  const DRAW = `
    const crypto = require('crypto'), { promisify } = require('util')
    const hex = (bytes) => Buffer.from(bytes).toString('hex')
    const aes = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, true, ['encrypt'])
    const ed = await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify'])
    return [Math.random(), crypto.randomUUID(), crypto.randomBytes(16).toString('hex'), crypto.randomInt(1000),
      crypto.randomFillSync(new Uint16Array(4), 1, 2).join(), globalThis.crypto.randomUUID(), crypto.randomUUIDv7(),
      globalThis.crypto.getRandomValues(new Uint32Array(2)).join(), crypto.getRandomValues(new Uint8Array(2)).join(),
      crypto.webcrypto.getRandomValues(new BigInt64Array(1)).join(), hex(await promisify(crypto.randomBytes)(4)),
      hex(await promisify(crypto.randomFill)(Buffer.alloc(4))), await promisify(crypto.randomInt)(5, 10),
      hex(crypto.generateKeySync('hmac', { length: 128 }).export()), hex(await crypto.subtle.exportKey('raw', aes)),
      hex(await crypto.subtle.exportKey('pkcs8', ed.privateKey)), ed.publicKey.usages,
      crypto.generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }).x,
      crypto.generateKeyPairSync('x25519', { publicKeyEncoding: { type: 'spki', format: 'pem' } }).publicKey]`

  it('gives the same values for the same seed and others for another', async () => {
    const values = await same(DRAW)
    const others = (await runDeterministic(DRAW, { seedHex: '22'.repeat(32) })) as unknown[]
    assert.equal(values[4].split(',')[0], '0')
    assert.match(values[1], /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    for (const i of [0, 1, 2, 4, 5, 6, 7, 9, 10, 11, 13, 14, 15, 17, 18])
      assert.notEqual(values[i], others[i], `value ${i}`)
  })

  it('does not depend on what the load drew', async () => {
    const plain = await runDeterministic(DRAW)
    const load = `for (let i = 0; i < 77; i++) { Math.random(); require('crypto').randomUUID(); require('crypto').randomInt(9) }`
    assert.deepEqual(await runDeterministic(DRAW, { load }), plain)
  })

  it('is the ChaCha20 key stream', async () => {
    // RFC 8439, A.1, test vector 1: key and nonce of zeros.
    const bytes = await runDeterministic(`return require('crypto').randomBytes(64).toString('hex')`, {
      seedHex: '00'.repeat(32),
    })
    assert.equal(
      bytes,
      '76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586',
    )
  })

  it('checks arguments as Node does', async () => {
    const codes = await same(`
      const crypto = require('crypto'), out = []
      for (const call of [() => crypto.randomBytes(-1), () => crypto.randomInt(5, 5), () => crypto.randomFillSync('x'),
        () => crypto.randomBytes(1, 'x'), () => crypto.randomFill(Buffer.alloc(1), 5, () => {}),
        () => globalThis.crypto.getRandomValues(new Float64Array(1))]) {
        try { call(); out.push('nothing') } catch (error) { out.push(error.code ?? error.name) }
      }
      return out`)
    assert.ok(!codes.includes('nothing'), String(codes))
  })

  it('refuses by name what no seed reaches', async () => {
    const refused = await same(
      `
      const crypto = require('crypto'), vm = require('vm'), out = []
      const attempt = async (call) => { try { await call(); out.push('nothing') } catch (error) { out.push(error.code) } }
      const pem = ${JSON.stringify(EC_KEY)}
      const rsa = crypto.createPublicKey({ key: ${JSON.stringify(RSA_PUBLIC)}, format: 'jwk' })
      for (const call of [() => crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }), () => crypto.generatePrimeSync(32),
        () => crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign']), () => crypto.createDiffieHellman(64),
        () => crypto.createECDH('prime256v1').generateKeys(), () => crypto.sign('sha256', Buffer.from('x'), pem),
        () => crypto.createSign('sha256').update('x').sign(pem), () => crypto.publicEncrypt(rsa, Buffer.from('x')),
        () => vm.runInNewContext('Date.now()'), () => new vm.Script('1').runInNewContext(), () => vm.createContext(),
        () => new (require('worker_threads').Worker)('', { eval: true }), () => require('child_process').execSync('true'),
        () => new (require('wasi').WASI)({ version: 'preview1' }), () => new (require('sqlite').DatabaseSync)(':memory:'),
        () => process.binding('util')]) await attempt(call)
      return out`.replace("require('sqlite')", "require('node:sqlite')"),
    )
    assert.deepEqual(refused, Array(16).fill('ERR_NOT_DETERMINISTIC'))
  })
})

describe('fixed figures', () => {
  it('shows the same machine and process everywhere', async () => {
    await same(`
      const os = require('os'), v8 = require('v8')
      return [process.pid, process.ppid, os.hostname(), os.release(), os.version(), os.loadavg(), os.freemem(), os.totalmem(), os.cpus(),
        os.availableParallelism(), os.networkInterfaces(), process.memoryUsage(), process.memoryUsage.rss(), process.cpuUsage(),
        process.resourceUsage(), process.constrainedMemory(), process.availableMemory(), v8.getHeapStatistics(),
        v8.getHeapSpaceStatistics(), navigator.hardwareConcurrency, performance.eventLoopUtilization(), process.getActiveResourcesInfo(),
        (1234.5).toLocaleString(), new Date().toLocaleString(), ['b', 'a', 'ä'].sort(Intl.Collator().compare)]`)
  })

  it('clones the environment, too', async () => {
    const [plain, name, equal, later, args, message] = await same(`
      process.env.NAME = 'value'
      const copy = structuredClone(process.env)
      process.env.NAME = 'another'
      let message
      try { structuredClone() } catch (error) { message = error.constructor.name }
      return [Object.getPrototypeOf(copy) === Object.prototype, copy.NAME, Object.keys(copy).length === Object.keys(process.env).length,
        structuredClone(process.env, {}).NAME, [structuredClone.name, structuredClone.length], message]`)
    assert.deepEqual([plain, name, equal, later], [true, 'value', true, 'another'])
    assert.deepEqual([args, message], [['structuredClone', structuredClone.length], 'TypeError'])
  })

  it('does not show that its worker gives way to others', async () => {
    const { pid } = process
    const before = getPriority(pid)
    setPriority(pid, 5) // what a process starts inherits it
    try {
      assert.equal(await runDeterministic(`return require('os').getPriority()`), 0)
    } finally {
      try {
        setPriority(pid, before)
      } catch {} // only root may go back
    }
  })

  it('hides the times of files and the names of temporary folders', async () => {
    const [times, folder] = await same(`
      const fs = require('fs'), out = []
      const folder = fs.mkdtempSync('/tmp/peerhost-'), other = await fs.promises.mkdtemp('/tmp/peerhost-')
      fs.writeFileSync(folder + '/f', 'x')
      const handle = await fs.promises.open(folder + '/f')
      const all = [fs.statSync(folder + '/f'), await fs.promises.lstat(folder + '/f'), await handle.stat(),
        await new Promise((done) => fs.stat(folder + '/f', (error, stats) => done(stats)))]
      await handle.close(); fs.rmSync(folder, { recursive: true }); fs.rmdirSync(other)
      const missing = fs.statSync('/nowhere', { throwIfNoEntry: false })
      return [all.map((stats) => [+stats.mtime, stats.birthtimeMs, stats.ino, stats.size, stats.isFile()]), folder, other, missing ?? 0]`)
    assert.deepEqual(times, Array(4).fill([CLOCK, CLOCK, 1, 1, true]))
    assert.match(folder, /^\/tmp\/peerhost-[A-Za-z0-9]{6}$/)
  })

  it('never collects what a program watches', async () => {
    const alive = await same(`
      let fired = 0
      const registry = new FinalizationRegistry(() => { fired++ })
      const ref = new WeakRef({ kept: true })
      for (let i = 0; i < 1e4; i++) registry.register({ i }, i)
      for (let i = 0; i < 50; i++) new Array(1e5).fill(i)
      await new Promise((done) => setTimeout(done, 10))
      return [ref.deref().kept, fired, String(ref)]`)
    assert.deepEqual(alive, [true, 0, '[object WeakRef]'])
  })

  it('ends a stack at the outermost frame of the bundle', async () => {
    const stack = await same(
      `return await new Promise((done) => setTimeout(function fire() { done([1].map(() => new Error('x').stack)[0]) }, 1))`,
    )
    assert.match(stack, /^Error: x\n {4}at \[eval\]:\d+:\d+\n {4}at map \(<anonymous>\)\n {4}at \[eval\]:\d+:\d+$/)
  })

  it('shows the same stack with and without a code cache', async () => {
    const source = `(exports) => {
      exports.handler = async () => { await 1; return new Error('e').stack }
      exports.Shape = class { draw() { return [0].map(() => new Error('e').stack)[0] } }
      exports.sites = () => JSON.stringify(require('util').getCallSites(1).map(({ functionName }) => functionName))
    }`
    const load = (eager: boolean) => `
      const vm = require('vm'), source = ${JSON.stringify(source)}, filename = '[eval]'
      const cachedData = ${eager} ? Buffer.from(process.env.CACHE, 'base64') : undefined
      new vm.Script(source, { filename, cachedData }).runInThisContext()(atLoad)`
    const maker = `
      const vm = require('vm'), v8 = require('v8')
      v8.setFlagsFromString('--no-lazy')
      const script = new vm.Script(${JSON.stringify(source)}, { filename: '[eval]' })
      v8.setFlagsFromString('--lazy')
      process.stdout.write(script.createCachedData().toString('base64'))`
    process.env.CACHE = execFileSync(process.execPath, ['--single-threaded', '-e', maker], { encoding: 'utf8' })
    const program = `return [await atLoad.handler(), new atLoad.Shape().draw(), atLoad.sites()]`
    const plain = await runDeterministic(program, { load: load(false) })
    assert.deepEqual(await runDeterministic(program, { load: load(true) }), plain)
    delete process.env.CACHE
  })
})
