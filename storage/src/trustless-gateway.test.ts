import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { CHUNK_SIZE, isPeerHostError, toPeerHostError } from '@peerhost/protocol'
import { acceptUpload } from './accept-upload.ts'
import { carLimit, readCar, toCar } from './car.ts'
import { EmbeddedStore } from './drivers/embedded.ts'
import { GatewayStore, type Upload } from './drivers/gateway.ts'
import { importBytes } from './import-bytes.ts'
import { retrieve } from './retrieve.ts'
import { bytesOf, collect, serve } from './support/test-helpers.ts'
import { trustlessGateway } from './trustless-gateway.ts'

const LIMIT = 4 * CHUNK_SIZE

/** A server as a PeerHost gateway mounts the parts: reading for all, writing for who has the word. */
async function startGateway(t: TestContext) {
  const path = await mkdtemp(join(tmpdir(), 'peerhost-gateway-'))
  t.after(() => rm(path, { recursive: true }))
  const store = new EmbeddedStore({ path })
  const read = trustlessGateway(store, { maxBytes: LIMIT })
  const url = await serve(t, async (req, res) => {
    if (req.method !== 'POST') return read(req, res)
    try {
      if (req.headers['peerhost-auth'] !== 'the word')
        return void res.writeHead(401).end('{"code":"PH_AUTH_MISSING","message":"no"}')
      res.end(JSON.stringify(await acceptUpload(store, req, { maxBytes: LIMIT })))
    } catch (error) {
      const problem = toPeerHostError(error)
      res.writeHead(problem.status, { connection: 'close' }).end(JSON.stringify(problem))
    }
  })
  return { url, store }
}

const authorize = async (upload: Upload) => {
  assert.equal(upload.target, '/ipfs')
  return { 'peerhost-auth': 'the word' }
}

test('a file goes up through the client, is kept, and comes back verified as raw and as CAR', async (t) => {
  const { url, store } = await startGateway(t)
  const client = new GatewayStore({ url, authorize })
  for (const size of [0, 100, CHUNK_SIZE, CHUNK_SIZE + 1, 3 * CHUNK_SIZE]) {
    const bytes = bytesOf(size)
    const file = await importBytes(bytes)
    assert.equal(await client.has(file.cid), false)
    await client.put(file)
    assert.equal(await client.has(file.cid), true)
    assert.deepEqual(Buffer.from(await client.get(file.cid)), Buffer.from(bytes))
    assert.deepEqual(Buffer.from(await store.get(file.cid)), Buffer.from(bytes))
    assert.equal((await readCar(await collect(client.car(file.cid)))).cid, file.cid)
    assert.deepEqual(Buffer.from(await client.getBlock(file.cid)), Buffer.from(file.blocks[0]!.bytes))
  }
})

test('an upload without a signature, too large or unsound stores nothing', async (t) => {
  const { url, store } = await startGateway(t)
  const file = await importBytes(Buffer.from('mine'))
  await assert.rejects(new GatewayStore({ url }).put(file), { code: 'PH_STORE_AUTHENTICATION' })
  await assert.rejects(new GatewayStore({ url, authorize: async () => ({}) }).put(file), {
    code: 'PH_STORE_AUTHENTICATION',
  })
  const client = new GatewayStore({ url, authorize })
  const big = await importBytes(bytesOf(LIMIT + 1))
  await assert.rejects(client.put(big), { code: 'PH_STORE_TOO_LARGE' })
  await assert.rejects(client.put(await importBytes(bytesOf(LIMIT * 2))), (error) => isPeerHostError(error))
  const evil = { ...file, blocks: [{ cid: file.cid, bytes: Buffer.from('evil') }] }
  await assert.rejects(client.put(evil), { code: 'PH_STORE_REFUSED' })
  assert.equal(await store.has(file.cid), false)
  assert.equal(await store.has(big.cid), false)
  await assert.rejects(acceptUpload(store, toCar(evil)), { code: 'PH_STORE_CAR_INVALID', status: 400 })
})

/** node:http, because fetch cannot send every header as it is. */
const ask = (url: string, headers: Record<string, string> = {}, method = 'GET') =>
  new Promise<{ res: IncomingMessage; body: Buffer }>((resolve, reject) => {
    const req = request(url, { headers, method }, (res) => collect(res).then((body) => resolve({ res, body }), reject))
    req.on('error', reject).end()
  })

test('formats are negotiated by query and Accept, and nothing unverifiable is served', async (t) => {
  const { url, store } = await startGateway(t)
  const file = await importBytes(bytesOf(CHUNK_SIZE + 1))
  await store.put(file)
  const at = `${url}/ipfs/${file.cid}`
  const raw = await ask(`${at}?format=raw`)
  assert.equal(raw.res.statusCode, 200)
  assert.equal(raw.res.headers['content-type'], 'application/vnd.ipld.raw')
  assert.match(String(raw.res.headers['cache-control']), /immutable/)
  assert.equal(raw.res.headers['x-content-type-options'], 'nosniff')
  for (const accept of [
    'application/vnd.ipld.car',
    'text/html, application/vnd.ipld.car; version=1; order=dfs',
    'application/vnd.ipld.raw;q=0.1, application/vnd.ipld.car',
  ]) {
    const { res, body } = await ask(at, { accept })
    assert.match(String(res.headers['content-type']), /^application\/vnd\.ipld\.car; version=1/)
    assert.equal((await readCar(body)).cid, file.cid)
  }
  const preferred = await ask(`${at}?format=raw`, { accept: 'application/vnd.ipld.car' })
  assert.equal(preferred.res.headers['content-type'], 'application/vnd.ipld.raw')
  for (const [path, accept] of [
    [at, '*/*'],
    [at, 'text/html'],
    [`${at}?format=tar`, ''],
    [at, 'application/vnd.ipld.car; version=2'],
    [at, 'application/vnd.ipld.raw;q=0'],
  ]) {
    const { res, body } = await ask(path!, { accept: accept! })
    assert.equal(res.statusCode, 406)
    assert.equal(JSON.parse(body.toString()).code, 'PH_STORE_FORMAT')
  }
  const block = await ask(`${at}?format=car&dag-scope=block`)
  assert.ok(block.body.length < 1000 && block.body.includes(Buffer.from(file.blocks[0]!.bytes)))
})

test('HEAD, etags and errors are what HTTP caches and tools expect', async (t) => {
  const { url, store } = await startGateway(t)
  const file = await importBytes(Buffer.from('cached'))
  await store.put(file)
  const at = `${url}/ipfs/${file.cid}?format=raw`
  const head = await ask(at, {}, 'HEAD')
  assert.equal(head.res.headers['content-length'], '6')
  assert.equal(head.body.length, 0)
  const etag = String(head.res.headers.etag)
  assert.equal((await ask(at, { 'if-none-match': `"other", W/${etag}` })).res.statusCode, 304)
  assert.equal((await ask(at, { 'if-none-match': '"other"' })).res.statusCode, 200)

  const absent = await importBytes(Buffer.from('absent'))
  const cases: [string, number, string][] = [
    [`/ipfs/${absent.cid}?format=raw`, 404, 'PH_STORE_NOT_FOUND'],
    [`/ipfs/${absent.cid}?format=car`, 404, 'PH_STORE_NOT_FOUND'],
    ['/ipfs/nonsense?format=raw', 400, 'PH_STORE_CID_INVALID'],
    ['/ipfs/?format=raw', 400, 'PH_STORE_CID_INVALID'],
    [`/ipfs/${file.cid}/sub/path?format=raw`, 400, 'PH_STORE_CID_INVALID'],
    ['/ipfs/../../etc/passwd', 400, 'PH_STORE_CID_INVALID'],
    ['/ipfs/bafkqaaa?format=raw', 400, 'PH_STORE_CID_INVALID'],
    ['/ipfs/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG?format=raw', 400, 'PH_STORE_CID_INVALID'],
  ]
  for (const [path, status, code] of cases) {
    const { res, body } = await ask(url + path)
    assert.equal(res.statusCode, status, path)
    assert.equal(JSON.parse(body.toString()).code, code)
    assert.equal(res.headers['cache-control'], 'no-store')
  }
  const other = await ask(at, {}, 'DELETE')
  assert.equal(other.res.statusCode, 405)
  assert.equal(other.res.headers.allow, 'GET, HEAD')
})

test('a store that does not answer is a 504, and one that fails in the middle of a CAR cuts the connection', async (t) => {
  const file = await importBytes(bytesOf(CHUNK_SIZE + 1))
  const hanging = new EmbeddedStore({ path: '/nonexistent' })
  const forever = (signal?: AbortSignal) =>
    new Promise<never>((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
  hanging.getBlock = (_, options) => forever(options?.signal)
  hanging.car = async function* (_, options) {
    yield await forever(options?.signal)
  }
  const slow = trustlessGateway(hanging, { timeoutMs: 50 })
  const url = await serve(t, slow)
  for (const format of ['raw', 'car']) {
    const { res, body } = await ask(`${url}/ipfs/${file.cid}?format=${format}`)
    assert.equal(res.statusCode, 504)
    assert.equal(JSON.parse(body.toString()).code, 'PH_STORE_TIMEOUT')
  }
  const broken = new EmbeddedStore({ path: '/nonexistent' })
  broken.car = async function* () {
    yield toCar(file).subarray(0, 500)
    throw new Error('disk gone')
  }
  const brokenUrl = await serve(t, trustlessGateway(broken))
  await assert.rejects(new GatewayStore({ url: brokenUrl }).get(file.cid), { code: 'PH_STORE_UNREACHABLE' })
})

test('retrieval passes by sources that lie, are dead, hang, or send without end', async (t) => {
  const { url, store } = await startGateway(t)
  const bytes = bytesOf(CHUNK_SIZE + 1)
  const file = await importBytes(bytes)
  const small = await importBytes(Buffer.from('small'))
  await store.put(file)
  await store.put(small)
  const other = await importBytes(bytesOf(CHUNK_SIZE + 2))
  const lying = await serve(t, (_, res) => res.end(toCar(other)))
  const empty = await serve(t, (_, res) => res.writeHead(404).end())
  const busy = await serve(t, (_, res) => res.writeHead(429).end('slow down'))
  const silent = await serve(t, () => undefined)
  const hanging = new GatewayStore({ url: silent, timeoutMs: 50 })
  let sent = 0
  const endless = await serve(t, (_, res) => {
    const more = () => {
      while (!res.destroyed && res.write(Buffer.alloc(65536))) sent += 65536
    }
    res.on('drain', more)
    more()
  })
  const dead = 'http://127.0.0.1:1'
  const options = { maxBytes: LIMIT }
  for (const { cid } of [file, small]) {
    const found = await retrieve(cid, [lying, empty, busy, hanging, endless, dead, url], options)
    assert.deepEqual(Buffer.from(found), Buffer.from(cid === small.cid ? Buffer.from('small') : bytes))
  }
  assert.ok(sent < carLimit(LIMIT) * 3)

  await assert.rejects(retrieve(file.cid, [empty, empty], options), { code: 'PH_STORE_NOT_FOUND' })
  await assert.rejects(retrieve(file.cid, [], options), { code: 'PH_STORE_NOT_FOUND' })
  await assert.rejects(retrieve(file.cid, [empty, dead], options), { code: 'PH_STORE_UNREACHABLE' })
  await assert.rejects(retrieve(file.cid, [hanging], options), { code: 'PH_STORE_TIMEOUT' })
  await assert.rejects(retrieve(file.cid, [silent], { timeoutMs: 50 }), { code: 'PH_STORE_TIMEOUT' })
  await assert.rejects(retrieve(small.cid, [lying], options), { code: 'PH_STORE_BLOCK_INVALID' })
  await assert.rejects(retrieve(file.cid, [url], { maxBytes: CHUNK_SIZE }), { code: 'PH_STORE_TOO_LARGE' })
  await assert.rejects(retrieve(file.cid, [silent, url], { signal: AbortSignal.timeout(50) }), {
    name: 'TimeoutError',
  })
})
