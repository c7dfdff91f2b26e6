import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { startTestChain, type TestChain } from '@peerhost/contracts/testing'
import { type Hex, NETWORKS, testUsdcAbi } from '@peerhost/protocol'
import { Contract } from 'ethers'
import { type Chain, connectChain, createLogReader } from './index.ts'

const MOST = 300
let chain: TestChain
let limited: Chain
let answers: number[] = []
let usdc: Contract
/** In front of the real node: answers as public ones do where too many blocks are asked for. */
const node = createServer(async (req, res) => {
  const body = await new Response(req as never).text()
  const { id, method, params } = JSON.parse(body)
  const width = method === 'eth_getLogs' ? Number(params[0].toBlock) - Number(params[0].fromBlock) + 1 : 0
  if (method === 'eth_getLogs') answers.push(width)
  res.setHeader('content-type', 'application/json')
  if (width > MOST) return res.end(JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32005, message: 'too wide' } }))
  const answer = await fetch(chain.rpcUrl, { method: 'POST', body, headers: { 'content-type': 'application/json' } })
  res.end(await answer.text())
})

before(async () => {
  chain = await startTestChain()
  const { signer, address } = await chain.account()
  usdc = new Contract(chain.usdc, testUsdcAbi, signer)
  for (let n = 1n; n <= 4n; n++) {
    await (await usdc.mint!(address, n)).wait()
    await chain.provider.send('anvil_mine', ['0x1f4'])
  }
  await new Promise<void>((resolve) => node.listen(0, '127.0.0.1', resolve))
  const { port } = node.address() as AddressInfo
  limited = await connectChain({ rpcUrl: `http://127.0.0.1:${port}`, chainId: NETWORKS.local.chainId })
})
after(async () => {
  limited?.close()
  node.closeAllConnections()
  node.close()
  await chain?.stop()
})

const filter = () => ({
  address: chain.usdc,
  topics: [usdc.interface.getEvent('Transfer')!.topicHash as Hex],
})
const amounts = (logs: { data: Hex }[]) => logs.map(({ data }) => BigInt(data))

test('logs are read back from the newest block in steps that the node takes, each block once', async () => {
  answers = []
  const head = await chain.provider.getBlockNumber()
  const found: bigint[] = []
  let next = head
  for await (const page of createLogReader(limited.provider).backwards(filter(), 0, head)) {
    assert.equal(page.to, next)
    next = page.from - 1
    found.unshift(...amounts(page.logs))
  }
  assert.equal(next, -1)
  assert.deepEqual(found, [1n, 2n, 3n, 4n])
  assert.ok(answers.filter((width) => width > MOST).length < 5, 'what was refused is not asked for each time')
})

test('the first page says how far it reaches', async () => {
  const head = await chain.provider.getBlockNumber()
  const { from, to } = await createLogReader(limited.provider).first(filter(), 1, head)
  assert.equal(from, 1)
  assert.ok(to > 1 && to - from < MOST)
})

test('a node that is not there is not asked again and again', async () => {
  const gone = await connectChain({ rpcUrl: limited.rpcUrl, chainId: NETWORKS.local.chainId })
  let asked = 0
  gone.provider.send = async () => {
    asked++
    throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
  }
  await assert.rejects(createLogReader(gone.provider).first(filter(), 0, 1000), { code: 'PH_CHAIN_UNREACHABLE' })
  assert.equal(asked, 1)
  gone.close()
})
