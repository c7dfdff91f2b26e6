import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { type Hex, NETWORKS } from '@peerhost/protocol'
import { ReceiptWorld } from '../support/receipt-world.ts'
import { type ChainReader, createChainReader } from './chain-reader.ts'

let world: ReceiptWorld
before(async () => {
  world = await ReceiptWorld.start()
})
after(() => world.stop())

async function batchesOf(reader: ChainReader, since = 0): Promise<bigint[]> {
  const found: bigint[] = []
  for await (const { header } of reader.batches(world.gateway, since)) found.push(header.index)
  return found
}

test('hot keys, functions and accounts are read from the contracts', async () => {
  const { reader, gateway, worker, workerKey, gatewayKey, spec } = world
  const epoch = BigInt(await reader.now()) / (await reader.epochLength())
  assert.equal(await reader.hotKeyOwner(workerKey.address, epoch), worker)
  assert.equal(await reader.hotKeyOwner(gatewayKey.address, epoch), gateway)
  assert.equal(await reader.hotKeyOwner(gatewayKey.address, epoch - 1n), undefined)
  assert.equal(await reader.hotKeyOwner(world.owner, epoch), undefined)
  assert.deepEqual(await reader.registeredFunction(world.serviceId, 1), {
    owner: world.owner,
    project: 'shop',
    version: 1,
    spec,
  })
  assert.equal(await reader.registeredFunction(world.serviceId, 2), undefined)
  assert.equal(await reader.specCommitment(world.serviceId, 2), undefined)
  assert.match(await reader.accountOf(gateway, world.owner), /^0x[0-9a-f]{40}$/)
  assert.equal(await reader.voidFrom(gateway), 2n ** 64n - 1n)
})

test('batches come in order from a time on, also from a node that limits the span of a query', async (t) => {
  for (let i = 0; i < 3; i++) await world.anchor([(await world.answer()).receipt])
  const { provider, rpcUrl } = world.chain
  const { timestamp } = (await provider.getBlock('latest'))!
  // Blocks that hold nothing, the last of them an hour later.
  await provider.send('anvil_mine', ['0xc8', '0x1'])
  await provider.send('evm_increaseTime', [3600])
  await world.anchor([(await world.answer()).receipt])
  assert.deepEqual(await batchesOf(world.reader), [0n, 1n, 2n, 3n])
  assert.deepEqual(await batchesOf(world.reader, timestamp + 1800), [3n])

  const spans: bigint[] = []
  const server = createServer(async (req, res) => {
    const parts: Buffer[] = []
    for await (const part of req) parts.push(part)
    const body = Buffer.concat(parts).toString()
    const call = JSON.parse(body) as { id: number; method: string; params: { fromBlock: Hex; toBlock: Hex }[] }
    if (call.method === 'eth_getLogs') {
      const span = BigInt(call.params[0]!.toBlock) - BigInt(call.params[0]!.fromBlock) + 1n
      spans.push(span)
      if (span > 100n)
        return void res.end(
          JSON.stringify({ jsonrpc: '2.0', id: call.id, error: { code: -32005, message: 'block range too wide' } }),
        )
    }
    res.end(
      await (await fetch(rpcUrl, { method: 'POST', body, headers: { 'content-type': 'application/json' } })).text(),
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const limited = createChainReader({
    rpcUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    chainId: NETWORKS.local.chainId,
    contracts: world.chain.contracts,
  })
  assert.deepEqual(await batchesOf(limited), [0n, 1n, 2n, 3n])
  assert.ok(spans.some((span) => span > 100n) && spans.filter((span) => span <= 100n).length > 1)
})
