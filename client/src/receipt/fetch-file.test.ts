import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { encode, prepare } from '@ipld/dag-pb'
import { cidOfDigest, DAG_PB, sha256Hex } from '@peerhost/protocol'
import { CID } from 'multiformats/cid'
import { fetchFile } from './fetch-file.ts'

async function serve(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Blocks and a gateway that serves them. */
async function start(t: TestContext) {
  const blocks = new Map<string, Uint8Array>()
  let requests = 0
  const ipfsUrl = await serve(t, (req, res) => {
    requests++
    const block = blocks.get(req.url!.slice('/ipfs/'.length).replace('?format=raw', ''))
    if (block) res.end(block)
    else res.writeHead(404).end()
  })
  const keep = (bytes: Uint8Array, codec?: number) => {
    const cid = cidOfDigest(sha256Hex(bytes), codec)
    blocks.set(cid, bytes)
    return cid
  }
  const raw = (text: string) => keep(Buffer.from(text))
  const node = (cids: string[]) =>
    keep(
      encode(
        prepare({
          Data: Uint8Array.of(8, 2),
          Links: cids.map((cid) => ({ Hash: CID.parse(cid), Name: '', Tsize: 1 })),
        }),
      ),
      DAG_PB,
    )
  return { blocks, raw, node, ipfsUrl, requests: () => requests }
}

test('leaves are put together in order, whatever the shape above them', async (t) => {
  const { raw, node, ipfsUrl } = await start(t)
  const letters = [...'abcdefghij'].map(raw)
  const root = node([node(letters.slice(0, 6)), letters[6]!, node(letters.slice(7))])
  assert.equal(Buffer.from(await fetchFile(root, { ipfsUrl })).toString(), 'abcdefghij')
  assert.equal(Buffer.from(await fetchFile(raw('alone'), { ipfsUrl: `${ipfsUrl}/` })).toString(), 'alone')
  assert.equal((await fetchFile(node([]), { ipfsUrl })).length, 0)
})

test('falsified, missing, endless and unreachable content is told apart', async (t) => {
  const { blocks, raw, node, ipfsUrl } = await start(t)
  const leaf = raw('leaf')
  const root = node([leaf, leaf])
  blocks.set(leaf, Buffer.from('lead'))
  await assert.rejects(fetchFile(root, { ipfsUrl }), { code: 'PH_STORE_BLOCK_INVALID' })
  blocks.delete(leaf)
  await assert.rejects(fetchFile(root, { ipfsUrl }), { code: 'PH_STORE_NOT_FOUND' })
  await assert.rejects(fetchFile('Qmnonsense', { ipfsUrl }), { code: 'PH_STORE_CID_INVALID' })
  await assert.rejects(fetchFile(root, { ipfsUrl: 'http://127.0.0.1:1' }), { code: 'PH_STORE_UNREACHABLE' })
  const broken = await serve(t, (_, res) => res.writeHead(500).end())
  await assert.rejects(fetchFile(root, { ipfsUrl: broken }), { code: 'PH_STORE_REFUSED' })
  const endless = await serve(t, (_, res) => {
    const more = () => {
      while (!res.destroyed && res.write(Buffer.alloc(65536)));
    }
    res.on('drain', more)
    more()
  })
  await assert.rejects(fetchFile(root, { ipfsUrl: endless }), { code: 'PH_STORE_TOO_LARGE' })
  const silent = await serve(t, () => undefined)
  await assert.rejects(fetchFile(root, { ipfsUrl: silent, signal: AbortSignal.timeout(50) }), { name: 'TimeoutError' })
})

test('bombs cost a bounded number of requests', async (t) => {
  const { raw, node, ipfsUrl, requests } = await start(t)
  const leaf = raw('x'.repeat(1000))
  let wide = leaf
  for (let layer = 0; layer < 3; layer++) wide = node(Array(500).fill(wide))
  await assert.rejects(fetchFile(wide, { ipfsUrl, maxBytes: 50_000 }), { code: 'PH_STORE_TOO_LARGE' })
  assert.ok(requests() < 150)
  let deep = leaf
  for (let layer = 0; layer < 50; layer++) deep = node([deep])
  await assert.rejects(fetchFile(deep, { ipfsUrl }), { code: 'PH_STORE_DAG_INVALID' })
  const hollow = node(Array(2000).fill(node([])))
  await assert.rejects(fetchFile(hollow, { ipfsUrl, maxBytes: 50_000 }), { code: 'PH_STORE_DAG_INVALID' })
  assert.ok(requests() < 400)
})
