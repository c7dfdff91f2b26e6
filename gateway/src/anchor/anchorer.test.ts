import assert from 'node:assert/strict'
import { globSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { after, before, test } from 'node:test'
import {
  addEarnings,
  type BatchHeader,
  batchHeaderHash,
  cidOfDigest,
  DAG_PB,
  decodeBatchData,
  earningsTree,
  executionCoordinatorAbi,
  hashMessage,
  receiptsTree,
  sortLeaves,
  ZERO_HASH,
} from '@peerhost/protocol'
import { retrieve } from '@peerhost/storage'
import { Contract } from 'ethers'
import { startTestNetwork, type TestNetwork } from '../testing/test-network.ts'

let network: TestNetwork

const join = async () => {
  await network.worker(() => ({ body: 'a' }), { capacity: 2 })
  await network.worker(() => ({ body: 'b' }))
}
before(async () => {
  network = await startTestNetwork()
  await join()
  await network.deploy('shop', [
    { name: 'free', routes: [{ path: '/free' }] },
    { name: 'open', routes: [{ method: 'POST', path: '/open' }], definition: { verification: 'public' } },
  ])
})
after(() => network?.stop())

async function anchoredHeaders(): Promise<BatchHeader[]> {
  const coordinator = new Contract(
    network.chain.contracts.ExecutionCoordinator,
    executionCoordinatorAbi,
    network.chain.provider,
  )
  const events = await coordinator.queryFilter('BatchAnchored', 0)
  return events.map((event) => {
    const { header } = (event as unknown as { args: { header: BatchHeader & { toObject(): BatchHeader } } }).args
    const plain = header.toObject()
    return { ...plain, gateway: plain.gateway.toLowerCase() as BatchHeader['gateway'], count: Number(plain.count) }
  })
}
const dataOf = async ({ dataDigest }: BatchHeader) =>
  decodeBatchData(await retrieve(cidOfDigest(dataDigest, DAG_PB), [network.gateway.url]), (receipt) =>
    hashMessage(network.domain, 'Receipt', receipt),
  )
const call = (n: number) => Promise.all(Array.from({ length: n }, () => fetch(network.url('shop', '/free'))))

test('nothing is anchored where nothing was answered', async () => {
  await network.gateway.anchor()
  assert.equal((await anchoredHeaders()).length, 0)
})

test('receipts are anchored in a batch whose data anybody can check', async () => {
  await call(7)
  await network.gateway.anchor()
  const [header] = await anchoredHeaders()
  assert.equal(header!.count, 7)
  assert.equal(header!.predecessor, ZERO_HASH)
  const { leaves, earnings } = await dataOf(header!)
  assert.deepEqual(leaves, sortLeaves(leaves))
  assert.equal(receiptsTree(leaves).root, header!.receiptsRoot)
  assert.deepEqual(earnings, addEarnings([], leaves))
  assert.equal(earningsTree(earnings).root, header!.earningsRoot)
  assert.equal(header!.cumulativeWeight, 7n * 9_000n)
})

test('the next batch goes on from the one before', async () => {
  await call(2)
  await network.gateway.anchor()
  const [first, second] = await anchoredHeaders()
  assert.equal(second!.index, 1n)
  assert.equal(second!.predecessor, batchHeaderHash(first!))
  assert.equal(second!.cumulativeWeight, 9n * 9_000n)
})

test('a public service publishes its requests with the batch, without what names the caller', async () => {
  const response = await fetch(network.url('shop', '/open'), {
    method: 'POST',
    body: 'for everybody',
    headers: { authorization: 'secret', 'x-forwarded-for': '192.0.2.1' },
  })
  assert.equal(response.status, 200)
  await network.gateway.anchor()
  const { leaves } = await dataOf((await anchoredHeaders()).at(-1)!)
  const { published } = leaves[0]!
  assert.equal(Buffer.from(published!.body).toString(), 'for everybody')
  assert.ok(!Buffer.from(published!.input).includes('secret'))
  assert.ok(!Buffer.from(published!.input).includes('192.0.2.1'))
  assert.ok(!Buffer.from(published!.input).includes('127.0.0.1'))
})

test('receipts of before a restart are anchored after it', async () => {
  await call(3)
  const count = (await anchoredHeaders()).length
  await network.chain.provider.send('evm_setAutomine', [false]) // closing would anchor them
  const closed = network.restart()
  await network.chain.provider.send('evm_setAutomine', [true])
  await network.chain.provider.send('evm_mine', [])
  await closed
  await join()
  await network.gateway.anchor()
  const headers = await anchoredHeaders()
  assert.equal(headers.length, count + 1)
  assert.equal(headers.at(-1)!.count, 3)
})

test('a batch that a re-organisation took back is anchored again', async () => {
  const { provider } = network.chain
  const snapshot = await provider.send('evm_snapshot', [])
  await call(2)
  await network.gateway.anchor()
  const before = await anchoredHeaders()
  await provider.send('evm_revert', [snapshot])
  assert.equal((await anchoredHeaders()).length, before.length - 1)
  await network.gateway.anchor()
  const after = await anchoredHeaders()
  assert.deepEqual(after.map(batchHeaderHash), before.map(batchHeaderHash))
})

test('a gateway that lost its database goes on from what the chain and the store have', async () => {
  const before = (await anchoredHeaders()).at(-1)!
  await network.restart({ fresh: true })
  await join()
  await call(1)
  await network.gateway.anchor()
  const last = (await anchoredHeaders()).at(-1)!
  assert.equal(last.index, before.index + 1n)
  assert.equal(last.cumulativeWeight, before.cumulativeWeight + 9_000n)
  const { earnings } = await dataOf(last)
  assert.equal(
    earnings.reduce((sum, { cumulative }) => sum + cumulative, 0n),
    last.cumulativeWeight,
  )
})

test('a database from before the last batches, as a backup is, anchors no receipt twice', async () => {
  await call(1)
  await network.gateway.anchor()
  const index = Number((await anchoredHeaders()).at(-1)!.index)
  await call(2)
  await network.gateway.anchor()
  await call(3)
  await network.gateway.anchor()
  const count = (await anchoredHeaders()).length
  const files = globSync(`${network.config.dataDir}/gateway-*.sqlite`)
  assert.equal(files.length, 1)
  const database = new DatabaseSync(files[0]!)
  database.prepare('UPDATE receipts SET batch_index = NULL WHERE batch_index > ?').run(index)
  database.prepare('DELETE FROM batches WHERE batch_index > ?').run(index)
  database.close()
  await network.gateway.anchor()
  assert.equal((await anchoredHeaders()).length, count)
})
