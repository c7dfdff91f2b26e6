import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { encode, prepare } from '@ipld/dag-pb'
import { CHUNK_SIZE } from '@peerhost/protocol'
import { UnixFS } from 'ipfs-unixfs'
import { CID } from 'multiformats/cid'
import { create } from 'multiformats/hashes/digest'
import { rawCidOf } from './block.ts'
import { readFile } from './walk-file.ts'

class Blocks {
  readonly #blocks = new Map<string, Uint8Array>()
  reads = 0
  raw(bytes: Uint8Array): CID {
    return this.#keep(rawCidOf(bytes), bytes)
  }
  node(links: CID[], blockSizes: bigint[], data?: Uint8Array, type: 'file' | 'directory' = 'file'): CID {
    const bytes = encode(
      prepare({
        Data: new UnixFS({ type, blockSizes, data }).marshal(),
        Links: links.map((Hash) => ({ Hash, Name: '', Tsize: 1 })),
      }),
    )
    return this.bytes(bytes)
  }
  bytes(bytes: Uint8Array): CID {
    return this.#keep(CID.createV1(0x70, create(0x12, createHash('sha256').update(bytes).digest())), bytes)
  }
  read = async (cid: CID): Promise<Uint8Array> => {
    this.reads++
    return this.#blocks.get(cid.toString())!
  }
  #keep(cid: CID, bytes: Uint8Array): CID {
    this.#blocks.set(cid.toString(), bytes)
    return cid
  }
}

const MIB = BigInt(CHUNK_SIZE)

test('nodes with data of their own and links of different depth give the bytes in order', async () => {
  const blocks = new Blocks()
  const inner = blocks.node([blocks.raw(Buffer.from('b')), blocks.raw(Buffer.from('c'))], [1n, 1n])
  const root = blocks.node([inner, blocks.raw(Buffer.from('d'))], [2n, 1n], Buffer.from('a'))
  assert.equal(Buffer.from(await readFile(root, blocks.read, 4)).toString(), 'abcd')
  await assert.rejects(readFile(root, blocks.read, 3), { code: 'PH_STORE_TOO_LARGE' })
})

test('a bomb of one block linked a thousand times in each of three layers is refused by its root alone', async () => {
  const blocks = new Blocks()
  let node = blocks.raw(Buffer.alloc(CHUNK_SIZE))
  let size = MIB
  for (let layer = 0; layer < 3; layer++) {
    node = blocks.node(Array(1000).fill(node), Array(1000).fill(size))
    size *= 1000n
  }
  await assert.rejects(readFile(node, blocks.read, 64 * CHUNK_SIZE), { code: 'PH_STORE_TOO_LARGE' })
  assert.equal(blocks.reads, 1)
})

test('a root that understates its parts is caught at the first part', async () => {
  const blocks = new Blocks()
  const big = blocks.node(Array(1000).fill(blocks.raw(Buffer.alloc(CHUNK_SIZE))), Array(1000).fill(MIB))
  const root = blocks.node([big], [10n])
  await assert.rejects(readFile(root, blocks.read, CHUNK_SIZE), { code: 'PH_STORE_DAG_INVALID' })
  assert.equal(blocks.reads, 2)
  const short = blocks.node([blocks.raw(Buffer.from('abc'))], [2n])
  await assert.rejects(readFile(short, blocks.read, CHUNK_SIZE), { code: 'PH_STORE_DAG_INVALID' })
})

test('empty parts, chains without end and too many tiny blocks keep no reader busy', async () => {
  const blocks = new Blocks()
  const empty = blocks.node(Array(1000).fill(blocks.raw(Buffer.alloc(0))), Array(1000).fill(0n))
  await assert.rejects(readFile(empty, blocks.read, CHUNK_SIZE), { code: 'PH_STORE_DAG_INVALID' })

  let chain = blocks.raw(Buffer.from('x'))
  for (let i = 0; i < 1000; i++) chain = blocks.node([chain], [1n])
  blocks.reads = 0
  await assert.rejects(readFile(chain, blocks.read, CHUNK_SIZE), { code: 'PH_STORE_DAG_INVALID' })
  assert.ok(blocks.reads < 20)

  const dust = blocks.node(Array(10_000).fill(blocks.raw(Buffer.from('x'))), Array(10_000).fill(1n))
  blocks.reads = 0
  await assert.rejects(readFile(dust, blocks.read, CHUNK_SIZE), { code: 'PH_STORE_DAG_INVALID' })
  assert.ok(blocks.reads <= 2048)
})

test('folders, nodes without sizes, broken nodes and links that cannot be checked are no files', async () => {
  const blocks = new Blocks()
  const leaf = blocks.raw(Buffer.from('x'))
  const identity = CID.createV1(0x55, create(0, Buffer.from('x')))
  for (const root of [
    blocks.node([leaf], [1n], undefined, 'directory'),
    blocks.node([leaf], []),
    blocks.bytes(Buffer.from('neither protobuf nor anything')),
    blocks.node([identity], [1n]),
    blocks.node([leaf], [2n ** 63n - 1n], undefined),
  ]) {
    await assert.rejects(readFile(root, blocks.read, CHUNK_SIZE), (error: { code: string }) =>
      /DAG_INVALID|TOO_LARGE/.test(error.code),
    )
  }
  await assert.rejects(readFile(identity, blocks.read, 10), { code: 'PH_STORE_CID_INVALID' })
})
