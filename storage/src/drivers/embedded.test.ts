import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { CHUNK_SIZE } from '@peerhost/protocol'
import { readCar } from '../car.ts'
import { importBytes } from '../import-bytes.ts'
import { collect } from '../support/test-helpers.ts'
import { EmbeddedStore } from './embedded.ts'

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'peerhost-store-'))
  t.after(() => rm(path, { recursive: true }))
  return path
}

const big = () => new Uint8Array(CHUNK_SIZE * 2 + 17).map((_, i) => (i >> 12) ^ i)

test('what is put is there after opening the folder again, as file, block and CAR', async (t) => {
  const path = await folder(t)
  const file = await importBytes(big())
  const first = new EmbeddedStore({ path })
  await first.put(file)
  await first.close()
  const store = new EmbeddedStore({ path })
  assert.deepEqual(Buffer.from(await store.get(file.cid)), Buffer.from(big()))
  assert.deepEqual(Buffer.from(await store.getBlock(file.cid)), Buffer.from(file.blocks[0]!.bytes))
  assert.equal(await store.has(file.cid), true)
  const again = await readCar(await collect(store.car(file.cid)))
  assert.deepEqual(
    again.blocks.map((block) => block.cid),
    file.blocks.map((block) => block.cid),
  )
})

test('the same file put twenty times at once is stored once', async (t) => {
  const path = await folder(t)
  const store = new EmbeddedStore({ path })
  const file = await importBytes(big())
  await Promise.all(Array.from({ length: 20 }, () => store.put(file)))
  assert.deepEqual(Buffer.from(await store.get(file.cid)), Buffer.from(big()))
  const files = (await readdir(path, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
  assert.equal(files.length, file.blocks.length)
})

test('an unknown CID is not found', async (t) => {
  const store = new EmbeddedStore({ path: await folder(t) })
  const { cid } = await importBytes(Buffer.from('never stored'))
  assert.equal(await store.has(cid), false)
  await assert.rejects(store.get(cid), { code: 'PH_STORE_NOT_FOUND' })
  await assert.rejects(store.get('not a cid'), { code: 'PH_STORE_CID_INVALID' })
})

test('a block cut short by a crash is missing, and another put mends it', async (t) => {
  const path = await folder(t)
  const store = new EmbeddedStore({ path })
  const file = await importBytes(Buffer.from('some content'))
  await store.put(file)
  const [entry] = (await readdir(path, { recursive: true, withFileTypes: true })).filter((found) => found.isFile())
  await truncate(join(entry!.parentPath, entry!.name), 4)
  await assert.rejects(store.get(file.cid), { code: 'PH_STORE_NOT_FOUND' })
  await store.put(file)
  assert.equal(Buffer.from(await store.get(file.cid)).toString(), 'some content')
})

test('blocks that do not match their CID are refused', async (t) => {
  const store = new EmbeddedStore({ path: await folder(t) })
  const { cid } = await importBytes(Buffer.from('good'))
  await assert.rejects(store.put({ cid, size: 4, blocks: [{ cid, bytes: Buffer.from('evil') }] }), {
    code: 'PH_STORE_BLOCK_INVALID',
  })
  assert.equal(await store.has(cid), false)
})

test('a full store refuses more and keeps what it has', async (t) => {
  const path = await folder(t)
  const file = await importBytes(Buffer.alloc(1000, 1))
  await new EmbeddedStore({ path, maxStoreBytes: 1500 }).put(file)
  const store = new EmbeddedStore({ path, maxStoreBytes: 1500 })
  await store.put(file)
  await assert.rejects(store.put(await importBytes(Buffer.alloc(1000, 2))), { code: 'PH_STORE_FULL' })
  assert.equal((await store.get(file.cid)).length, 1000)
})

test('a reader says how much it takes', async (t) => {
  const store = new EmbeddedStore({ path: await folder(t) })
  const file = await importBytes(big())
  await store.put(file)
  await assert.rejects(store.get(file.cid, { maxBytes: 1000 }), { code: 'PH_STORE_TOO_LARGE' })
  await assert.rejects(store.get(file.cid, { signal: AbortSignal.abort() }), { name: 'AbortError' })
})
