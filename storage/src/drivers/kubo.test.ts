import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type TestContext, test } from 'node:test'
import { CHUNK_SIZE } from '@peerhost/protocol'
import { readCar, toCar } from '../car.ts'
import { createStore } from '../create-store.ts'
import { importBytes } from '../import-bytes.ts'
import type { ImportedFile } from '../store.ts'
import { bytesOf, collect, serve } from '../support/test-helpers.ts'

/** The commands of kubo's RPC that the driver uses, answering as kubo 0.3x does. */
class FakeKubo {
  readonly files = new Map<string, ImportedFile>()
  readonly calls: string[] = []
  pinError = ''
  handle = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const url = new URL(req.url!, 'http://kubo')
    this.calls.push(url.pathname)
    if (req.method !== 'POST') return void res.writeHead(405).end('405 - Method Not Allowed')
    const cid = url.searchParams.get('arg') ?? ''
    const fail = (Message: string) => void res.writeHead(500).end(JSON.stringify({ Message, Code: 0, Type: 'error' }))
    switch (url.pathname) {
      case '/api/v0/dag/import': {
        const form = await new Response(new Uint8Array(await collect(req)), {
          headers: { 'content-type': req.headers['content-type']! },
        }).formData()
        const file = await readCar(new Uint8Array(await (form.get('file') as File).arrayBuffer()))
        assert.equal(url.searchParams.get('pin-roots'), 'true')
        this.files.set(file.cid, file)
        return void res.end(`${JSON.stringify({ Root: { Cid: { '/': file.cid }, PinErrorMsg: this.pinError } })}\n`)
      }
      case '/api/v0/block/stat':
        if (!this.files.has(cid)) return fail(`block was not found locally (offline): ipld: could not find ${cid}`)
        return void res.end(JSON.stringify({ Key: cid, Size: 1 }))
      case '/api/v0/block/get':
        if (!this.files.has(cid)) return fail('context deadline exceeded')
        return void res.end(this.files.get(cid)!.blocks[0]!.bytes)
      case '/api/v0/dag/export':
        if (!this.files.has(cid)) return fail('context deadline exceeded')
        return void res.end(toCar(this.files.get(cid)!))
      default:
        return void res.writeHead(404).end('404 page not found')
    }
  }
}

async function start(t: TestContext) {
  const kubo = new FakeKubo()
  const url = await serve(t, kubo.handle)
  return { kubo, store: createStore({ driver: 'kubo', url: `${url}/` }) }
}

test('files are imported as CARs, so that the node keeps our blocks, and read back', async (t) => {
  const { kubo, store } = await start(t)
  for (const size of [10, CHUNK_SIZE + 1]) {
    const file = await importBytes(bytesOf(size))
    assert.equal(await store.has(file.cid), false)
    await store.put(file)
    assert.equal(await store.has(file.cid), true)
    assert.deepEqual(Buffer.from(await store.get(file.cid)), Buffer.from(bytesOf(size)))
    assert.equal((await readCar(await collect(store.car(file.cid)))).cid, file.cid)
    assert.ok((await store.getBlock(file.cid)).length > 0)
  }
  assert.ok(kubo.calls.every((call) => call.startsWith('/api/v0/')))
})

test('what the node lacks is not found, what it falsifies is noticed', async (t) => {
  const { kubo, store } = await start(t)
  const file = await importBytes(Buffer.from('here'))
  await assert.rejects(store.get(file.cid), { code: 'PH_STORE_NOT_FOUND' })
  await assert.rejects(store.getBlock(file.cid), { code: 'PH_STORE_NOT_FOUND' })
  kubo.files.set(file.cid, await importBytes(Buffer.from('elsewhere')))
  await assert.rejects(store.get(file.cid), { code: 'PH_STORE_BLOCK_INVALID' })
})

test('a failed pin, another root and a refusal are errors of an upload', async (t) => {
  const { kubo, store } = await start(t)
  const file = await importBytes(Buffer.from('pin me'))
  kubo.pinError = 'disk full'
  await assert.rejects(store.put(file), { code: 'PH_STORE_REFUSED' })
  const elsewhere = await serve(t, (_, res) => res.end('{"Root":{"Cid":{"/":"bafkqaaa"},"PinErrorMsg":""}}\n'))
  await assert.rejects(createStore({ driver: 'kubo', url: elsewhere }).put(file), { code: 'PH_STORE_CID_MISMATCH' })
  const closed = await serve(t, (_, res) => res.writeHead(403).end('403 - Forbidden'))
  await assert.rejects(createStore({ driver: 'kubo', url: closed }).put(file), { code: 'PH_STORE_AUTHENTICATION' })
  await assert.rejects(createStore({ driver: 'kubo', url: 'http://127.0.0.1:1' }).put(file), {
    code: 'PH_STORE_UNREACHABLE',
  })
  assert.throws(() => createStore({ driver: 'kubo', url: '/ip4/127.0.0.1/tcp/5001' }), { code: 'PH_CONFIG_INVALID' })
})
