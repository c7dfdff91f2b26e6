import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type TestContext, test } from 'node:test'
import { CHUNK_SIZE, type PeerHostError } from '@peerhost/protocol'
import { readCar, toCar } from '../car.ts'
import { createStore } from '../create-store.ts'
import { importBytes } from '../import-bytes.ts'
import type { ImportedFile } from '../store.ts'
import { bytesOf, collect, serve } from '../support/test-helpers.ts'

const JWT = 'a-secret-token'

/** Pinata's v3 upload and a gateway that serves what was pinned. */
class FakePinata {
  readonly files = new Map<string, ImportedFile>()
  uploads = 0
  /** Status codes to answer the next uploads with. */
  failures: number[] = []
  answerCid: string | undefined
  handle = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const url = new URL(req.url!, 'http://pinata')
    if (req.method === 'POST' && url.pathname === '/v3/files') {
      const body = new Uint8Array(await collect(req))
      this.uploads++
      if (req.headers.authorization !== `Bearer ${JWT}`)
        return void res.writeHead(401).end('{"error":{"code":401,"message":"bad token"}}')
      const failure = this.failures.shift()
      if (failure) return void res.writeHead(failure).end(`not now, ${req.headers.authorization}`)
      const form = await new Response(body, { headers: { 'content-type': req.headers['content-type']! } }).formData()
      assert.equal(form.get('network'), 'public')
      assert.equal(form.get('car'), 'true')
      const file = await readCar(new Uint8Array(await (form.get('file') as File).arrayBuffer()))
      this.files.set(file.cid, file)
      return void res.end(JSON.stringify({ data: { id: '1', cid: this.answerCid ?? file.cid, is_duplicate: false } }))
    }
    const file = this.files.get(url.pathname.replace('/ipfs/', ''))
    if (!file) return void res.writeHead(404).end()
    res.end(url.searchParams.get('format') === 'car' ? toCar(file) : file.blocks[0]!.bytes)
  }
}

async function start(t: TestContext, options: { jwt?: string; timeoutMs?: number } = {}) {
  const pinata = new FakePinata()
  const url = await serve(t, pinata.handle)
  const store = createStore({
    driver: 'pinata',
    jwt: JWT,
    uploadUrl: `${url}/v3`,
    gateways: [url],
    retryDelayMs: 1,
    ...options,
  })
  return { pinata, store }
}

test('files are uploaded as CARs to the public network and read through a gateway', async (t) => {
  const { store } = await start(t)
  for (const size of [10, CHUNK_SIZE + 1]) {
    const file = await importBytes(bytesOf(size))
    assert.equal(await store.has(file.cid), false)
    await store.put(file)
    assert.equal(await store.has(file.cid), true)
    assert.deepEqual(Buffer.from(await store.get(file.cid)), Buffer.from(bytesOf(size)))
  }
})

test('a busy service is asked again, a refusal is not', async (t) => {
  const { pinata, store } = await start(t)
  const file = await importBytes(Buffer.from('patience'))
  pinata.failures = [429, 503]
  await store.put(file)
  assert.equal(pinata.uploads, 3)
  pinata.failures = [500, 500, 500, 500, 500]
  await assert.rejects(store.put(file), (error: PeerHostError) => {
    assert.equal(error.code, 'PH_STORE_UNREACHABLE')
    assert.ok(!error.message.includes(JWT))
    return true
  })
  assert.equal(pinata.uploads, 7)
  pinata.failures = [400]
  await assert.rejects(store.put(file), { code: 'PH_STORE_REFUSED' })
  pinata.failures = [413]
  await assert.rejects(store.put(file), { code: 'PH_STORE_TOO_LARGE' })
  assert.equal(pinata.uploads, 9)
})

test('a wrong token, another CID and silence are told apart', async (t) => {
  const file = await importBytes(Buffer.from('x'))
  const wrong = await start(t, { jwt: 'another' })
  await assert.rejects(wrong.store.put(file), { code: 'PH_STORE_AUTHENTICATION' })
  assert.equal(wrong.pinata.uploads, 1)
  const { pinata, store } = await start(t)
  pinata.answerCid = (await importBytes(Buffer.from('y'))).cid
  await assert.rejects(store.put(file), { code: 'PH_STORE_CID_MISMATCH' })
  const silent = await serve(t, () => undefined)
  const options = {
    driver: 'pinata',
    jwt: JWT,
    uploadUrl: `${silent}/v3`,
    attempts: 2,
    retryDelayMs: 1,
    timeoutMs: 50,
  } as const
  await assert.rejects(createStore(options).put(file), { code: 'PH_STORE_TIMEOUT' })
  await assert.rejects(createStore({ ...options, timeoutMs: 10_000 }).put(file, { signal: AbortSignal.timeout(50) }), {
    name: 'TimeoutError',
  })
  assert.throws(() => createStore({ driver: 'pinata', jwt: '' }), { code: 'PH_STORE_AUTHENTICATION' })
})
