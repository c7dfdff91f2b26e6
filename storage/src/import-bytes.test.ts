import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { CHUNK_SIZE, DAG_PB, digestOfCid, RAW } from '@peerhost/protocol'
import { CID } from 'multiformats/cid'
import { importBytes } from './import-bytes.ts'
import { bytesOf } from './support/test-helpers.ts'
import { readFile } from './walk-file.ts'

test('the CID of "hello world" is the one the whole IPFS world knows', async () => {
  const file = await importBytes(new TextEncoder().encode('hello world'))
  assert.equal(file.cid, 'bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e')
})

test('a file of up to 1 MiB is one raw block whose digest is its sha-256', async () => {
  for (const size of [0, 1, CHUNK_SIZE]) {
    const bytes = bytesOf(size)
    const file = await importBytes(bytes)
    assert.deepEqual(digestOfCid(file.cid), {
      digest: `0x${createHash('sha256').update(bytes).digest('hex')}`,
      codec: RAW,
    })
    assert.equal(file.blocks.length, 1)
    assert.equal(file.size, size)
  }
})

test('one byte more gives a dag-pb root over two raw blocks, and reads back', async () => {
  const bytes = bytesOf(CHUNK_SIZE + 1)
  const file = await importBytes(bytes)
  assert.equal(digestOfCid(file.cid).codec, DAG_PB)
  assert.equal(file.blocks.length, 3)
  assert.equal(file.blocks[0]!.cid, file.cid)
  const byCid = new Map(file.blocks.map((block) => [block.cid, block.bytes]))
  const back = await readFile(CID.parse(file.cid), async (cid) => byCid.get(cid.toString())!, bytes.length)
  assert.deepEqual(Buffer.from(back), Buffer.from(bytes))
})

test('equal chunks are kept once', async () => {
  const file = await importBytes(new Uint8Array(3 * CHUNK_SIZE))
  assert.equal(file.blocks.length, 2)
  assert.equal(file.size, 3 * CHUNK_SIZE)
})

test('a dag-pb root can be asked for, for a small file too', async () => {
  const file = await importBytes(bytesOf(10), { dagRoot: true })
  assert.equal(digestOfCid(file.cid).codec, DAG_PB)
  assert.equal(file.blocks.length, 2)
  const empty = await importBytes(new Uint8Array(), { dagRoot: true })
  assert.equal(digestOfCid(empty.cid).codec, DAG_PB)
})
